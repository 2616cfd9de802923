from __future__ import annotations

from trioscsi.text.key import Irrelevance, Kind
from trioscsi.text.keys import KEYS


def test_every_key_is_found_by_its_name():
    assert all(name == key.name for name, key in KEYS.items())


def test_a_discovery_session_needs_no_keys_about_commands():
    irrelevant = {n for n, key in KEYS.items() if Irrelevance.DISCOVERY in key.irrelevant}
    assert irrelevant == {
        "MaxConnections",
        "InitialR2T",
        "ImmediateData",
        "MaxBurstLength",
        "FirstBurstLength",
        "MaxOutstandingR2T",
        "DataPDUInOrder",
        "DataSequenceInOrder",
        "TaskReporting",
        "iSCSIProtocolLevel",
    }


def test_only_the_keys_bound_by_integrity_rules_depend_on_others():
    assert {name for name, key in KEYS.items() if key.depends} == {
        "FirstBurstLength",
        "MaxOutstandingR2T",
    }


def test_markers_are_never_offered():
    assert all(
        KEYS[name].offer is None for name in ("OFMarker", "IFMarker", "OFMarkInt", "IFMarkInt")
    )
    assert {KEYS[name].kind for name in ("OFMarkInt", "IFMarkInt")} == {Kind.OBSOLETE}
