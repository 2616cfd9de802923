from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.peer import (
    FULL_FEATURE,
    INITIATOR,
    ISID,
    OPERATIONAL,
    OTHER,
    SECURITY,
    TARGET,
    Gate,
    Pairs,
    Peer,
    connect,
    leading_keys,
    login,
    login_request,
    status,
)
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.pdu import LoginRequest, LoginStatus, NopOut, ScsiCommand, SnackRequest
from trioscsi.protocol import Redirection
from trioscsi.text import Offer, decode
from trioscsi.text import encode as encode_text

CRC = ("CRC32C",)


def ask(peer: Peer, keys: Pairs | None = None, **fields: Any) -> Any:
    """Send one Login Request, and return the one response."""
    (response,) = peer.send(login_request(keys, **fields))
    return response


def keys_of(response: Any) -> Pairs:
    return dict(decode(bytes(response.data)))


def refused(peer: Peer, response: Any) -> LoginStatus:
    """The status of a refusal, after which the connection has to be closed."""
    assert peer.connection.closed
    assert not response.transit
    assert response.data == b""
    return status(response)


# Stages (section 6.3.1)


def test_a_login_may_go_straight_to_full_feature_phase():
    peer = connect(Gate())
    response = ask(peer, leading_keys())
    assert status(response) is LoginStatus.SUCCESS
    assert (response.transit, response.csg, response.nsg) == (True, OPERATIONAL, FULL_FEATURE)
    assert response.tsih != 0
    assert response.isid == ISID
    assert keys_of(response)["TargetPortalGroupTag"] == "1"
    assert peer.connection.full_feature


@requirement("7143-6.3-15")
def test_a_login_may_go_through_both_stages_and_stay_in_each():
    peer = connect(Gate())
    first = ask(peer, leading_keys(AuthMethod="None"), csg=SECURITY, nsg=0, transit=False)
    assert (first.transit, first.csg, first.nsg) == (False, SECURITY, 0)
    assert first.tsih == 0
    assert keys_of(first)["AuthMethod"] == "None"
    moved = ask(peer, csg=SECURITY, nsg=OPERATIONAL)
    assert (moved.transit, moved.csg, moved.nsg) == (True, SECURITY, OPERATIONAL)
    stayed = ask(peer, {"InitialR2T": "No"}, csg=OPERATIONAL, nsg=0, transit=False)
    assert not stayed.transit
    assert keys_of(stayed)["InitialR2T"] == "No"
    assert ask(peer).tsih != 0
    assert not peer.connection.parameters.initial_r2t


def test_a_login_may_skip_operational_negotiation():
    peer = connect(Gate())
    response = ask(peer, leading_keys(), csg=SECURITY)
    assert (response.csg, response.nsg) == (SECURITY, FULL_FEATURE)
    assert peer.connection.full_feature


@pytest.mark.parametrize(
    ("csg", "nsg"), [(SECURITY, SECURITY), (SECURITY, 2), (OPERATIONAL, OPERATIONAL)]
)
def test_there_are_no_other_moves(csg: int, nsg: int):
    peer = connect(Gate())
    response = ask(peer, leading_keys(), csg=csg, nsg=nsg)
    assert refused(peer, response) is LoginStatus.INITIATOR_ERROR


@pytest.mark.parametrize("csg", [2, FULL_FEATURE])
def test_a_login_starts_in_no_other_stage(csg: int):
    peer = connect(Gate())
    assert refused(peer, ask(peer, leading_keys(), csg=csg)) is LoginStatus.INITIATOR_ERROR


def test_no_stage_comes_twice():
    peer = connect(Gate())
    ask(peer, leading_keys(), transit=False)
    assert refused(peer, ask(peer, csg=SECURITY)) is LoginStatus.INITIATOR_ERROR


@requirement("7143-6.3-9")
def test_a_login_goes_on_while_our_proposal_is_not_answered():
    peer = connect(Gate(Offer(header_digests=CRC)))
    first = ask(peer, leading_keys())
    assert not first.transit
    assert keys_of(first)["HeaderDigest"] == "CRC32C"
    assert ask(peer, {"HeaderDigest": "CRC32C"}).transit
    assert peer.connection.framer.header_digest


# Partial texts (section 6.2)


@given(st.lists(st.integers(0, 250), max_size=6).map(sorted))
def test_keys_may_be_split_anywhere(cuts: list[int]):
    text = encode_text(leading_keys(InitiatorAlias="x" * 100, InitialR2T="No").items())
    peer = connect(Gate())
    cuts = [0, *(min(cut, len(text)) for cut in cuts)]
    for start, stop in pairwise(cuts):
        empty = ask(peer, data=text[start:stop], transit=False, nsg=0, continue_=True)
        assert empty.data == b""
        assert not empty.transit
        assert not empty.continue_
    response = ask(peer, data=text[cuts[-1] :])
    assert response.transit
    assert keys_of(response)["InitialR2T"] == "No"


@pytest.mark.parametrize("stage", [SECURITY, OPERATIONAL])
def test_an_answer_that_does_not_fit_is_fetched_in_parts(stage: int):
    peer = connect(Gate())
    many = {f"X-com.example.{'k' * 40}.{place:03}": "1" for place in range(120)}
    text = encode_text({**leading_keys(), **many}.items())
    parts = []
    if stage == OPERATIONAL:
        declared = {"MaxRecvDataSegmentLength": "512"}
        parts.append(ask(peer, {**leading_keys(), **declared}, transit=False))
        text = encode_text(many.items())
    part = ask(peer, data=text[:4000], csg=stage, transit=False, continue_=True)
    assert part.data == b""
    part = ask(peer, data=text[4000:], csg=stage, transit=False)
    joined = bytes(part.data)
    count = 1
    while part.continue_:
        assert len(part.data) <= (512 if stage == OPERATIONAL else 8192)
        part = ask(peer, csg=stage, transit=False)
        joined += part.data
        count += 1
    assert count > 1 or stage == SECURITY
    answers = dict(decode(joined))
    assert all(answers[name] == "NotUnderstood" for name in many)
    assert ask(peer, csg=stage).transit


def test_nothing_may_be_said_while_our_answer_is_not_over():
    peer = connect(Gate())
    many = {f"X-com.example.{place:03}": "1" for place in range(60)}
    keys = leading_keys(MaxRecvDataSegmentLength="512", **many)
    assert ask(peer, keys, transit=False).continue_
    response = ask(peer, {"InitialR2T": "No"}, transit=False)
    assert refused(peer, response) is LoginStatus.INITIATOR_ERROR


# Refusals (section 11.13.5)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"InitiatorName": ""}, LoginStatus.INITIATOR_ERROR),
        ({"InitiatorName": "somebody"}, LoginStatus.INITIATOR_ERROR),
        ({"SessionType": "Normal", "TargetName": "disk"}, LoginStatus.INITIATOR_ERROR),
        ({"TargetName": TARGET + "-2"}, LoginStatus.NOT_FOUND),
        ({"TargetName": OTHER}, LoginStatus.AUTHORIZATION_FAILURE),
        ({"SessionType": "Other"}, LoginStatus.INITIATOR_ERROR),
        ({"CHAP_A": "5"}, LoginStatus.INITIATOR_ERROR),
        ({"MaxBurstLength": "Irrelevant"}, LoginStatus.INITIATOR_ERROR),
    ],
)
def test_keys_that_cannot_be_accepted_are_refused(keys: Pairs, expected: LoginStatus):
    peer = connect(Gate())
    csg = SECURITY if "CHAP_A" in keys else OPERATIONAL
    assert refused(peer, ask(peer, {**leading_keys(), **keys}, csg=csg)) is expected


@requirement("7143-6.3.2-1")
def test_a_method_that_is_not_known_is_rejected_with_the_login():
    peer = connect(Gate())
    response = ask(peer, leading_keys(AuthMethod="CHAP"), csg=SECURITY)
    assert status(response) is LoginStatus.AUTHENTICATION_FAILURE
    assert keys_of(response) == {"AuthMethod": "Reject"}
    assert peer.connection.closed


@pytest.mark.parametrize("missing", ["InitiatorName", "TargetName"])
def test_names_may_not_be_missing(missing: str):
    peer = connect(Gate())
    keys = leading_keys()
    del keys[missing]
    assert refused(peer, ask(peer, keys)) is LoginStatus.MISSING_PARAMETER


@requirement("7143-6.3-12")
def test_a_key_may_not_be_sent_twice():
    peer = connect(Gate())
    text = encode_text([*leading_keys().items(), ("InitiatorName", INITIATOR)])
    assert refused(peer, ask(peer, data=text)) is LoginStatus.INITIATOR_ERROR


def test_text_that_is_none_is_refused():
    peer = connect(Gate())
    assert refused(peer, ask(peer, data=b"\xff")) is LoginStatus.INITIATOR_ERROR


@requirement("7143-11.13.5-7")
def test_a_version_that_does_not_exist_is_refused():
    peer = connect(Gate())
    response = ask(peer, leading_keys(), version_min=1, version_max=1)
    assert refused(peer, response) is LoginStatus.UNSUPPORTED_VERSION
    assert response.version_active == 0


def test_a_version_range_that_includes_ours_is_fine():
    assert ask(connect(Gate()), leading_keys(), version_max=5).version_max == 0


def test_t_and_c_exclude_each_other():
    peer = connect(Gate())
    response = ask(peer, leading_keys(), continue_=True)
    assert refused(peer, response) is LoginStatus.INITIATOR_ERROR


@pytest.mark.parametrize(
    ("field", "value"),
    [("isid", b"other!"), ("tsih", 9), ("cid", 5), ("itt", 5), ("version_max", 1)],
)
@requirement("7143-11.12.4.1-2")
def test_what_names_a_login_may_not_change(field: str, value: object):
    peer = connect(Gate())
    ask(peer, leading_keys(), transit=False)
    assert refused(peer, ask(peer, **{field: value})) is LoginStatus.INITIATOR_ERROR


@pytest.mark.parametrize("pdu", [ScsiCommand(), NopOut(), SnackRequest()])
@requirement("7143-4.2.4-7")
@requirement("7143-11.13.5-7")
@requirement("7143-7.1.4-1")
def test_no_other_pdu_has_a_place_in_a_login(pdu: Any):
    peer = connect(Gate())
    ask(peer, leading_keys(), transit=False)
    (response,) = peer.send(pdu)
    peer.abandon()
    assert refused(peer, response) is LoginStatus.INVALID_DURING_LOGIN


def test_a_segment_that_is_too_large_is_refused():
    peer = connect(Gate())
    ask(peer, leading_keys(), transit=False)
    (response,) = peer.send(LoginRequest(csg=OPERATIONAL, data=bytes(8193)))
    assert refused(peer, response) is LoginStatus.INITIATOR_ERROR


def test_a_login_of_too_many_requests_is_refused():
    peer = connect(Gate(limits=Limits(login_pdus=4)))
    ask(peer, leading_keys(), transit=False)
    for _ in range(3):
        assert status(ask(peer, transit=False)) is LoginStatus.SUCCESS
    assert refused(peer, ask(peer, transit=False)) is LoginStatus.INITIATOR_ERROR


def test_too_much_text_is_refused():
    peer = connect(Gate())
    for _ in range(2):
        ask(peer, data=b"a" * 8000, transit=False, continue_=True)
    response = ask(peer, data=b"a" * 8000, transit=False, continue_=True)
    assert refused(peer, response) is LoginStatus.INITIATOR_ERROR


def test_results_that_contradict_each_other_are_refused():
    peer = connect(Gate())
    ask(peer, leading_keys(FirstBurstLength="4096"), transit=False)
    response = ask(peer, {"MaxBurstLength": "512"})
    assert refused(peer, response) is LoginStatus.INITIATOR_ERROR


def test_an_initiator_that_refuses_the_digest_we_insist_on_is_refused():
    peer = connect(Gate(Offer(data_digests=CRC)))
    response = ask(peer, leading_keys(DataDigest="None"))
    assert refused(peer, response) is LoginStatus.INITIATOR_ERROR


def test_a_refused_login_leaves_no_session():
    gate = Gate()
    peer = connect(gate)
    ask(peer, leading_keys(), transit=False)
    ask(peer, csg=SECURITY)
    assert peer.connection.session.state == "FREE"
    assert gate.target.sessions == []


# Numbers and time


@requirement("7143-11.12.8-1")
def test_the_first_cmd_sn_is_the_one_of_the_login():
    peer = login(Gate(), cmd_sn=0xFFFFFFFF)
    assert peer.exp_cmd_sn == 0xFFFFFFFF
    assert peer.send(peer.reading(0, 4), peer.reading(4, 4))[1].exp_cmd_sn == 1


@requirement("7143-13.1-3")
def test_digests_count_from_the_first_pdu_after_the_login():
    peer = login(Gate(), keys={"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"})
    framer = peer.connection.framer
    assert (framer.header_digest, framer.data_digest) == (True, True)
    (answer,) = peer.send(peer.reading(0, 4))
    assert answer.data == bytes(4)


def test_our_segment_length_counts_from_the_end_of_the_login():
    peer = login(Gate())
    framer = peer.connection.framer
    assert framer.max_data_segment_length == Offer().max_recv_data_segment_length


def test_a_login_has_a_bounded_time():
    peer = connect(Gate(limits=Limits(login_time=15.0)), now=100.0)
    ask(peer, leading_keys(), transit=False)
    assert peer.connection.next_deadline() == 115.0
    peer.pass_time(14.0)
    assert not peer.connection.closed
    assert peer.pass_time(1.0) == []
    assert peer.connection.closed
    assert peer.connection.session.state == "FREE"


def test_a_transport_that_is_lost_ends_the_login():
    peer = connect(Gate())
    ask(peer, leading_keys(), transit=False)
    peer.connection.lost("gone", 0.0)
    assert peer.connection.closed
    assert peer.connection.remarks == ["gone"]
    assert peer.connection.next_deadline() is None


# Redirection (section 11.13.5)


@pytest.mark.parametrize("csg", [SECURITY, OPERATIONAL])
@requirement("7143-13.8-2")
def test_who_has_proven_himself_may_be_sent_elsewhere(csg: int):
    gate = Gate()
    gate.moved = Redirection("192.0.2.9:3260", permanent=False)
    peer = connect(gate)
    first = ask(peer, leading_keys(), csg=csg, nsg=0, transit=False)
    assert status(first) is LoginStatus.SUCCESS
    response = ask(peer, csg=csg)
    assert status(response) is LoginStatus.TARGET_MOVED_TEMPORARILY
    assert keys_of(response) == {"TargetAddress": "192.0.2.9:3260"}
    assert peer.connection.closed


def test_the_gatekeeper_looks_once_at_who_has_proven_himself(monkeypatch: pytest.MonkeyPatch):
    gate, seen = Gate(), []
    monkeypatch.setattr(gate, "proven", lambda *names: seen.append(names))
    peer = connect(gate)
    ask(peer, leading_keys(), csg=SECURITY, nsg=OPERATIONAL)
    ask(peer)
    assert seen == [(INITIATOR, TARGET)]


def test_nobody_looks_at_who_only_wants_to_know_the_targets(monkeypatch: pytest.MonkeyPatch):
    gate = Gate()
    gate.moved = Redirection("192.0.2.9:3260", permanent=False)
    keys = leading_keys(SessionType="Discovery")
    del keys["TargetName"]
    assert status(ask(connect(gate), keys)) is LoginStatus.SUCCESS


@requirement("7143-13.6-2")
def test_a_target_says_what_it_is_called():
    gate = Gate(Offer(target_alias="The disk of all"))
    assert keys_of(ask(connect(gate), leading_keys()))["TargetAlias"] == "The disk of all"


@requirement("7143-6.3.1-3")
def test_the_portal_group_is_the_one_that_the_peer_came_through():
    gate = Gate()
    gate.portal_group = 7
    assert keys_of(ask(connect(gate), leading_keys()))["TargetPortalGroupTag"] == "7"
