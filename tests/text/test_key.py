from __future__ import annotations

from trioscsi.text.key import Side, Stage
from trioscsi.text.keys import KEYS


def test_the_other_side():
    assert Side.INITIATOR.other is Side.TARGET
    assert Side.TARGET.other is Side.INITIATOR


def test_a_stage_has_the_code_of_csg():
    assert [stage.value for stage in Stage] == [0, 1, 3]


def test_operational_keys_stay_out_of_the_security_stage():
    assert KEYS["HeaderDigest"].stages == {Stage.OPERATIONAL}


def test_keys_of_any_stage_may_join_the_security_stage():
    assert KEYS["InitiatorAlias"].stages == set(Stage)
    assert KEYS["InitiatorName"].stages == {Stage.SECURITY, Stage.OPERATIONAL}


def test_the_rest_of_the_keys_know_their_stages():
    assert KEYS["AuthMethod"].stages == {Stage.SECURITY}
    assert KEYS["SendTargets"].stages == {Stage.FULL_FEATURE}
    assert KEYS["MaxRecvDataSegmentLength"].stages == {Stage.OPERATIONAL, Stage.FULL_FEATURE}


def test_keys_newer_than_rfc_3720_may_not_be_understood():
    newer = {name for name, key in KEYS.items() if key.newer}
    assert newer == {"TaskReporting", "iSCSIProtocolLevel", "X#NodeArchitecture"}
