from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import requirement
from trioscsi.errors import PeerError
from trioscsi.text.codec import decode, encode
from trioscsi.text.key import Irrelevance, Kind, SessionType, Side, Stage, Use
from trioscsi.text.keys import KEYS
from trioscsi.text.negotiation import Negotiation
from trioscsi.text.offer import Offer
from trioscsi.text.parameters import Parameters
from trioscsi.text.rules import Breach
from trioscsi.text.states import KeyState

SECURITY, OPERATIONAL, FULL_FEATURE = Stage
DISCOVERY = ("SessionType", "Discovery")


def target(**offer):
    return Negotiation(Side.TARGET, Offer(**offer))


def initiator(**offer):
    return Negotiation(Side.INITIATOR, Offer(**offer))


def pairs(**values):
    return list(values.items())


def answers(negotiation, stage=OPERATIONAL, **values):
    return dict(negotiation.receive(pairs(**values), stage))


def login(one, other, stages=(SECURITY, OPERATIONAL)):
    """Run a whole login and return what both sides made of it."""
    for stage in stages:
        request = one.propose(stage)
        response = other.receive(decode(encode(request)), stage) + other.propose(stage)
        last = one.receive(decode(encode(response)), stage)
        assert other.receive(decode(encode(last)), stage) == []
    return one.settle(), other.settle()


# --- Answers


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("HeaderDigest", "CRC32C,None", "CRC32C"),
        ("HeaderDigest", "None,CRC32C", "None"),
        ("DataDigest", "X-foo,CRC32C", "CRC32C"),
        ("DataDigest", "X-foo", "Reject"),
        ("DataDigest", "crc32c", "Reject"),
        ("MaxConnections", "1", "1"),
        ("MaxConnections", "8", "1"),
        ("MaxConnections", "0", "Reject"),
        ("MaxConnections", "many", "Reject"),
        ("InitialR2T", "Yes", "Yes"),
        ("InitialR2T", "No", "No"),
        ("InitialR2T", "no", "Reject"),
        ("ImmediateData", "Yes", "Yes"),
        ("ImmediateData", "No", "No"),
        ("MaxBurstLength", "0xfffe00", "1048576"),
        ("MaxBurstLength", "512", "512"),
        ("MaxBurstLength", "511", "Reject"),
        ("MaxBurstLength", "16777216", "Reject"),
        ("FirstBurstLength", "65536", "65536"),
        ("DefaultTime2Wait", "0", "2"),
        ("DefaultTime2Wait", "3600", "3600"),
        ("DefaultTime2Retain", "0", "0"),
        ("DefaultTime2Retain", "3600", "20"),
        ("MaxOutstandingR2T", "1", "1"),
        ("MaxOutstandingR2T", "65535", "8"),
        ("DataPDUInOrder", "No", "Yes"),
        ("DataSequenceInOrder", "Yes", "Yes"),
        ("ErrorRecoveryLevel", "2", "0"),
        ("ErrorRecoveryLevel", "3", "Reject"),
        ("TaskReporting", "FastAbort,ResponseFence,RFC3720", "RFC3720"),
        ("iSCSIProtocolLevel", "2", "1"),
        ("OFMarker", "Yes", "No"),
        ("IFMarker", "No", "No"),
        ("OFMarkInt", "1~65535", "Reject"),
        ("IFMarkInt", "2048", "Reject"),
        ("X-com.example.key", "1", "NotUnderstood"),
        ("RDMAExtensions", "Yes", "NotUnderstood"),
    ],
)
@requirement("7143-6.2.1-4")
@requirement("7143-6.2.1-5")
@requirement("7143-6.2.2-6")
@requirement("7143-6.2.2-7")
def test_each_proposal_has_its_answer(name, value, answer):
    assert target().receive([(name, value)], OPERATIONAL) == [(name, answer)]


@pytest.mark.parametrize(
    ("methods", "answer"),
    [("CHAP,None", "CHAP"), ("None,CHAP", "None"), ("KRB5,SRP", "Reject")],
)
def test_the_target_takes_the_first_authentication_method_it_supports(methods, answer):
    negotiation = target(auth_methods=("None", "CHAP"))
    assert answers(negotiation, SECURITY, AuthMethod=methods) == {"AuthMethod": answer}
    assert negotiation.so_far.auth_method == (None if answer == "Reject" else answer)


def test_answers_come_in_the_order_of_the_proposals():
    proposals = [("FirstBurstLength", "512"), ("X-a", "1"), ("MaxBurstLength", "512")]
    assert [name for name, _ in target().receive(proposals, OPERATIONAL)] == [
        "FirstBurstLength",
        "X-a",
        "MaxBurstLength",
    ]


def test_a_rejected_proposal_leaves_the_default():
    negotiation = target()
    answers(negotiation, MaxBurstLength="1", InitialR2T="maybe", HeaderDigest="X-a")
    assert negotiation.settle() == Parameters()


def test_declarations_are_stored_and_not_answered():
    negotiation = target()
    said = pairs(
        InitiatorName="iqn.2026-01.com.example:a",
        InitiatorAlias="Größe",
        TargetName="iqn.2026-01.com.example:b",
        SessionType="Normal",
    )
    assert negotiation.receive(said, SECURITY) == []
    assert (
        answers(negotiation, MaxRecvDataSegmentLength="262144", **{"X#NodeArchitecture": "Linux/6"})
        == {}
    )
    assert negotiation.settle() == Parameters(
        initiator_name="iqn.2026-01.com.example:a",
        initiator_alias="Größe",
        initiator_node_architecture="Linux/6",
        target_name="iqn.2026-01.com.example:b",
        initiator_max_recv_data_segment_length=262_144,
    )


# --- Discovery sessions


def test_what_a_discovery_session_does_not_need_is_irrelevant():
    negotiation = target()
    proposals = [
        (key.name, key.default) for key in KEYS.values() if Irrelevance.DISCOVERY in key.irrelevant
    ]
    # The session type comes last on purpose: it counts for the whole text.
    replies = negotiation.receive([*proposals, DISCOVERY], OPERATIONAL)
    assert dict(replies) == {name: "Irrelevant" for name, _ in proposals}


def test_a_discovery_session_has_no_digests_and_no_error_recovery():
    negotiation = target(header_digests=("CRC32C",), error_recovery_level=2)
    negotiation.receive([DISCOVERY], OPERATIONAL)
    assert answers(
        negotiation,
        HeaderDigest="CRC32C,None",
        DataDigest="CRC32C",
        ErrorRecoveryLevel="2",
        DefaultTime2Wait="0",
    ) == {
        "HeaderDigest": "None",
        "DataDigest": "Reject",
        "ErrorRecoveryLevel": "0",
        "DefaultTime2Wait": "2",
    }
    assert negotiation.settle() == Parameters(session_type=SessionType.DISCOVERY)


def test_an_initiator_rejects_markers_and_a_target_declines_them():
    assert answers(initiator(), IFMarker="Yes") == {"IFMarker": "Reject"}
    assert answers(target(), IFMarker="Yes") == {"IFMarker": "No"}


def test_a_key_that_is_left_to_the_other_side_is_answered_all_the_same():
    one = initiator(reticent=frozenset({"HeaderDigest"}))
    assert "HeaderDigest" not in dict(one.propose(OPERATIONAL))
    assert answers(one, HeaderDigest="CRC32C,None") == {"HeaderDigest": "CRC32C"}
    assert one.settle().header_digest


def test_an_initiator_proposes_nothing_irrelevant_for_discovery():
    negotiation = initiator(session_type=SessionType.DISCOVERY, max_burst_length=2**20)
    names = {name for name, _ in negotiation.propose(OPERATIONAL)}
    assert names == {
        "SessionType",
        "HeaderDigest",
        "DataDigest",
        "MaxRecvDataSegmentLength",
        "DefaultTime2Wait",
        "DefaultTime2Retain",
        "ErrorRecoveryLevel",
    }


# --- Rules between keys


def test_the_first_burst_is_irrelevant_without_unsolicited_data():
    negotiation = target()
    replies = answers(negotiation, FirstBurstLength="512", InitialR2T="Yes", ImmediateData="No")
    assert replies["FirstBurstLength"] == "Irrelevant"


def test_defaults_that_may_still_change_make_nothing_irrelevant():
    negotiation = target()
    assert answers(negotiation, FirstBurstLength="512", ImmediateData="No") == {
        "FirstBurstLength": "512",
        "ImmediateData": "No",
    }
    assert answers(negotiation, InitialR2T="No") == {"InitialR2T": "No"}


def test_the_answer_to_a_first_burst_stays_within_the_burst():
    replies = answers(target(), FirstBurstLength="262144", MaxBurstLength="65536")
    assert replies == {"FirstBurstLength": "65536", "MaxBurstLength": "65536"}


def test_a_first_burst_that_was_not_negotiated_shrinks_with_the_burst():
    negotiation = target()
    answers(negotiation, MaxBurstLength="512")
    assert negotiation.settle().first_burst_length == 512


def test_a_burst_made_shorter_than_its_first_part_is_an_error():
    negotiation = target()
    answers(negotiation, FirstBurstLength="65536")
    answers(negotiation, MaxBurstLength="512")
    with pytest.raises(PeerError, match="exceeds MaxBurstLength") as caught:
        negotiation.settle()
    assert caught.value.section == "13.14"


def test_error_recovery_in_order_leaves_one_r2t_outstanding():
    negotiation = target(error_recovery_level=2)
    replies = answers(negotiation, MaxOutstandingR2T="8", ErrorRecoveryLevel="1")
    assert replies == {"MaxOutstandingR2T": "1", "ErrorRecoveryLevel": "1"}


# --- What the peer must not send


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (("InitialR2T", "No"), ("InitialR2T", "No")),
        (("MaxRecvDataSegmentLength", "512"), ("MaxRecvDataSegmentLength", "512")),
        (("X-a", "1"), ("X-a", "2")),
        (("OFMarkInt", "1"), ("OFMarkInt", "1")),
        (("MaxBurstLength", "1"), ("MaxBurstLength", "512")),
    ],
)
def test_a_key_sent_twice_is_an_error_in_one_text_and_in_two(first, again):
    with pytest.raises(PeerError, match="sent twice"):
        target().receive([first, again], OPERATIONAL)
    negotiation = target()
    negotiation.receive([first], OPERATIONAL)
    with pytest.raises(PeerError, match="sent twice"):
        negotiation.receive([again], OPERATIONAL)


def test_a_key_of_the_security_stage_may_not_come_back_in_the_operational_stage():
    negotiation = target()
    answers(negotiation, SECURITY, InitiatorAlias="a")
    with pytest.raises(PeerError, match="sent twice"):
        answers(negotiation, InitiatorAlias="a")


ILLEGAL_STAGES = [
    (key, stage)
    for key in KEYS.values()
    for stage in Stage
    if Side.INITIATOR in key.senders and stage not in key.stages
]


@pytest.mark.parametrize(
    ("key", "stage"), ILLEGAL_STAGES, ids=lambda value: getattr(value, "name", value)
)
@requirement("7143-12-1")
def test_a_key_in_the_wrong_stage_is_an_error(key, stage):
    with pytest.raises(PeerError, match="in stage"):
        target().receive([(key.name, "1")], stage)


@pytest.mark.parametrize("name", ["TargetAlias", "TargetPortalGroupTag", "TargetAddress"])
def test_an_initiator_does_not_speak_for_the_target(name):
    with pytest.raises(PeerError, match="the initiator sent"):
        target().receive([(name, "1")], OPERATIONAL)


@pytest.mark.parametrize("name", ["InitiatorName", "SessionType", "SendTargets"])
def test_a_target_does_not_speak_for_the_initiator(name):
    with pytest.raises(PeerError, match="the target sent"):
        initiator().receive([(name, "1")], OPERATIONAL)


@pytest.mark.parametrize("value", ["Reject", "Irrelevant", "NotUnderstood"])
@pytest.mark.parametrize(
    "name", ["MaxBurstLength", "HeaderDigest", "IFMarkInt", "MaxRecvDataSegmentLength"]
)
def test_constants_that_answer_are_not_proposed(name, value):
    with pytest.raises(PeerError) as caught:
        target().receive([(name, value)], OPERATIONAL)
    assert caught.value.section == "6.2"


@pytest.mark.parametrize("value", ["Reject", "Irrelevant"])
def test_not_even_for_unknown_keys(value):
    with pytest.raises(PeerError, match="X-a proposed as"):
        target().receive([("X-a", value)], OPERATIONAL)


def test_not_understood_is_never_answered():
    assert target().receive([("X-a", "NotUnderstood")], OPERATIONAL) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MaxRecvDataSegmentLength", "511"),
        ("MaxRecvDataSegmentLength", "16777216"),
        ("SessionType", "Dicsovery"),
        ("InitiatorName", ""),
    ],
)
def test_a_declaration_out_of_range_is_an_error(name, value):
    with pytest.raises(PeerError):
        target().receive([(name, value)], OPERATIONAL)


# --- Answers to what this side proposed


def test_an_answer_settles_a_proposal():
    negotiation = initiator()
    assert negotiation.states["MaxBurstLength"] is KeyState.UNTOUCHED
    negotiation.propose(OPERATIONAL)
    assert negotiation.states["MaxBurstLength"] is KeyState.PROPOSED
    assert "MaxBurstLength" in negotiation.pending
    assert answers(negotiation, MaxBurstLength="512") == {}
    assert negotiation.states["MaxBurstLength"] is KeyState.SETTLED
    assert "MaxBurstLength" not in negotiation.pending
    assert negotiation.settle().max_burst_length == 512
    with pytest.raises(PeerError, match="sent twice"):
        answers(negotiation, MaxBurstLength="512")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HeaderDigest", "CRC32C"),
        ("HeaderDigest", "None,None"),
        ("MaxBurstLength", "1048577"),
        ("MaxBurstLength", "511"),
        ("MaxBurstLength", "big"),
        ("DefaultTime2Wait", "1"),
        ("ErrorRecoveryLevel", "1"),
        ("MaxOutstandingR2T", "9"),
        ("ImmediateData", "yes"),
        ("DataPDUInOrder", "No"),
        ("MaxConnections", "NotUnderstood"),
    ],
)
def test_an_answer_that_the_proposal_does_not_admit_is_an_error(name, value):
    negotiation = initiator(header_digests=("None",))
    negotiation.propose(OPERATIONAL)
    with pytest.raises(PeerError):
        answers(negotiation, **{name: value})


def test_and_does_not_turn_no_into_yes():
    negotiation = initiator(immediate_data=False)
    negotiation.propose(OPERATIONAL)
    with pytest.raises(PeerError, match="does not answer"):
        answers(negotiation, ImmediateData="Yes")


def test_an_answer_that_is_refused_makes_no_line_of_its_own_in_the_log():
    negotiation = initiator(header_digests=("CRC32C",))
    negotiation.propose(OPERATIONAL)
    with pytest.raises(PeerError, match=r"HeaderDigest='x\\nALERT' does not answer"):
        answers(negotiation, HeaderDigest="x\nALERT")


@pytest.mark.parametrize("value", ["Reject", "Irrelevant"])
def test_a_refused_proposal_leaves_the_default(value):
    negotiation = initiator(auth_methods=("CHAP",))
    proposed = negotiation.propose(SECURITY) + negotiation.propose(OPERATIONAL)
    refused = [(name, value) for name, _ in proposed if KEYS[name].kind is not Kind.DECLARATION]
    negotiation.receive([pair for pair in refused if pair[0] == "AuthMethod"], SECURITY)
    negotiation.receive([pair for pair in refused if pair[0] != "AuthMethod"], OPERATIONAL)
    assert negotiation.pending == frozenset()
    assert negotiation.settle() == Parameters(initiator_max_recv_data_segment_length=262_144)


def test_newer_keys_need_not_be_understood():
    negotiation = initiator(
        node_architecture="trioscsi/1", task_reporting=("RFC3720", "ResponseFence")
    )
    negotiation.propose(OPERATIONAL)
    names = ["TaskReporting", "iSCSIProtocolLevel", "X#NodeArchitecture"]
    assert answers(negotiation, **dict.fromkeys(names, "NotUnderstood")) == {}
    assert negotiation.settle().task_reporting == "RFC3720"


def test_silence_about_a_proposal_leaves_the_default():
    negotiation = initiator(max_connections=4)
    negotiation.propose(OPERATIONAL)
    assert negotiation.settle() == Parameters(initiator_max_recv_data_segment_length=262_144)


def test_a_boolean_that_decides_the_result_needs_no_answer():
    negotiation = initiator(immediate_data=False, initial_r2t=True)
    negotiation.propose(OPERATIONAL)
    assert not {"ImmediateData", "InitialR2T"} & negotiation.pending
    parameters = negotiation.settle()
    assert not parameters.immediate_data
    assert parameters.initial_r2t


def test_a_side_that_cannot_do_without_a_digest_ends_the_negotiation():
    negotiation = initiator(data_digests=("CRC32C",))
    negotiation.propose(OPERATIONAL)
    answers(negotiation, DataDigest="Reject")
    with pytest.raises(PeerError, match="DataDigest=None is not acceptable"):
        negotiation.settle()


def test_a_target_that_needs_a_digest_proposes_it():
    negotiation = target(header_digests=("CRC32C",))
    assert ("HeaderDigest", "CRC32C") in negotiation.propose(OPERATIONAL)
    assert negotiation.pending == {"HeaderDigest"}


def test_two_sides_that_need_a_digest_agree_on_it():
    needed = {"header_digests": ("CRC32C",), "data_digests": ("CRC32C",)}
    here, there = login(initiator(**needed), target(**needed))
    assert here == there
    assert here.header_digest
    assert here.data_digest


# --- What this side says by itself


@requirement("7143-13.26.1-1")
def test_a_target_only_declares():
    negotiation = target(
        target_alias="disk", target_portal_group_tag=0, node_architecture="trioscsi/1"
    )
    assert negotiation.propose(SECURITY) == pairs(TargetAlias="disk", TargetPortalGroupTag="0")
    assert dict(negotiation.propose(OPERATIONAL)) == {
        "MaxRecvDataSegmentLength": "262144",
        "X#NodeArchitecture": "trioscsi/1",
    }
    assert negotiation.propose(OPERATIONAL) == []
    assert negotiation.pending == frozenset()


def test_a_login_without_security_stage_declares_everything_at_once():
    negotiation = target(target_alias="disk", target_portal_group_tag=1)
    assert dict(negotiation.propose(OPERATIONAL)) == {
        "TargetAlias": "disk",
        "TargetPortalGroupTag": "1",
        "MaxRecvDataSegmentLength": "262144",
    }


def test_an_initiator_proposes_its_whole_offer():
    negotiation = initiator(task_reporting=("FastAbort", "ResponseFence", "RFC3720"))
    proposed = {name for name, _ in negotiation.propose(SECURITY)}
    proposed |= {name for name, _ in negotiation.propose(OPERATIONAL)}
    assert proposed == {
        key.name
        for key in KEYS.values()
        if key.kind not in (Kind.EXCHANGE, Kind.QUERY, Kind.OBSOLETE, Kind.DECLARATION)
        and key.offer
    } | {"SessionType", "MaxRecvDataSegmentLength"}


@pytest.mark.parametrize("values", [("RFC3720",), ("FastAbort", "ResponseFence")])
@requirement("7143-13.23-1")
def test_task_reporting_is_not_proposed_without_what_everybody_has_to_know(values):
    negotiation = initiator(task_reporting=values)
    assert "TaskReporting" not in dict(negotiation.propose(OPERATIONAL))


def test_redirects_name_several_addresses():
    negotiation = initiator()
    addresses = [("TargetAddress", "192.0.2.1:3260"), ("TargetAddress", "[2001:db8::1]")]
    assert negotiation.receive(addresses, SECURITY) == []
    assert negotiation.so_far.target_addresses == ("192.0.2.1:3260", "[2001:db8::1]")


# --- What is left to the caller


def test_the_keys_of_authentication_methods_are_handed_over_in_order():
    negotiation = target()
    steps = [("CHAP_N", "me"), ("CHAP_R", "0x01")]
    assert negotiation.receive(steps, SECURITY) == []
    assert negotiation.security == steps
    with pytest.raises(PeerError, match="sent twice"):
        negotiation.receive([("CHAP_R", "0x02")], SECURITY)


def test_send_targets_is_handed_over():
    negotiation = target()
    assert negotiation.send_targets is None
    assert answers(negotiation, FULL_FEATURE, SendTargets="") == {}
    assert negotiation.send_targets == ""


# --- Later negotiations


def test_a_text_request_changes_the_length_of_segments():
    before = Parameters(max_burst_length=512, first_burst_length=512)
    negotiation = Negotiation(Side.TARGET, Offer(), parameters=before)
    assert answers(negotiation, FULL_FEATURE, MaxRecvDataSegmentLength="4096") == {}
    assert negotiation.parameters == before
    assert negotiation.settle() == attrs.evolve(before, initiator_max_recv_data_segment_length=4096)


def test_in_full_feature_phase_only_changes_are_declared():
    before = Parameters(target_max_recv_data_segment_length=262_144, target_alias="disk")
    offer = Offer(target_alias="disk")
    assert Negotiation(Side.TARGET, offer, parameters=before).propose(FULL_FEATURE) == []
    offer = Offer(target_alias="tape")
    assert Negotiation(Side.TARGET, offer, parameters=before).propose(FULL_FEATURE) == pairs(
        TargetAlias="tape"
    )


def test_another_connection_leaves_the_values_of_the_session_alone():
    session = Parameters(max_connections=2, max_burst_length=512, first_burst_length=512)
    negotiation = Negotiation(
        Side.TARGET, Offer(node_architecture="a"), leading=False, parameters=session
    )
    assert answers(
        negotiation, MaxBurstLength="1024", SessionType="Normal", HeaderDigest="CRC32C"
    ) == {"MaxBurstLength": "Reject", "HeaderDigest": "CRC32C"}
    assert dict(negotiation.propose(OPERATIONAL)) == {"MaxRecvDataSegmentLength": "262144"}
    assert negotiation.settle() == attrs.evolve(
        session, header_digest=True, target_max_recv_data_segment_length=262_144
    )


def test_another_connection_cannot_be_of_another_type():
    negotiation = Negotiation(Side.TARGET, Offer(), leading=False)
    with pytest.raises(PeerError, match="differs from the session's"):
        negotiation.receive([DISCOVERY], OPERATIONAL)


def test_another_connection_proposes_only_what_is_its_own():
    negotiation = Negotiation(Side.INITIATOR, Offer(initiator_name="a"), leading=False)
    assert [name for name, _ in negotiation.propose(SECURITY)] == ["InitiatorName", "AuthMethod"]
    names = [name for name, _ in negotiation.propose(OPERATIONAL)]
    assert names == ["HeaderDigest", "DataDigest", "MaxRecvDataSegmentLength"]
    assert all(KEYS[name].use is not Use.LEADING_ONLY for name in names)


# --- Properties


def numbers(name):
    key = KEYS[name]
    return st.integers(key.minimum, key.maximum)


def choices(*values):
    return st.permutations(values).flatmap(
        lambda order: st.integers(1, len(order)).map(lambda count: tuple(order[:count]))
    )


# Without None, two sides may not agree at all.
DIGESTS = st.sampled_from([("None",), ("None", "CRC32C"), ("CRC32C", "None")])


@st.composite
def offers(draw, **fixed):
    longest = draw(numbers("MaxBurstLength"))
    return Offer(
        header_digests=draw(DIGESTS),
        data_digests=draw(DIGESTS),
        auth_methods=draw(choices("None", "CHAP", "SRP")),
        max_recv_data_segment_length=draw(numbers("MaxRecvDataSegmentLength")),
        max_connections=draw(numbers("MaxConnections")),
        initial_r2t=draw(st.booleans()),
        immediate_data=draw(st.booleans()),
        max_burst_length=longest,
        first_burst_length=draw(st.integers(512, longest)),
        default_time2wait=draw(numbers("DefaultTime2Wait")),
        default_time2retain=draw(numbers("DefaultTime2Retain")),
        max_outstanding_r2t=draw(numbers("MaxOutstandingR2T")),
        data_pdu_in_order=draw(st.booleans()),
        data_sequence_in_order=draw(st.booleans()),
        error_recovery_level=draw(numbers("ErrorRecoveryLevel")),
        task_reporting=draw(choices("RFC3720", "ResponseFence", "FastAbort")),
        protocol_level=draw(numbers("iSCSIProtocolLevel")),
        node_architecture=draw(st.none() | st.just("trioscsi/1")),
        **{name: draw(values) for name, values in fixed.items()},
    )


@given(
    offers(session_type=st.sampled_from(SessionType), initiator_name=st.just("iqn.a")),
    offers(target_alias=st.none() | st.just("disk"), target_portal_group_tag=st.just(1)),
)
def test_both_sides_agree_whatever_they_offer(theirs, ours):
    one, other = Negotiation(Side.INITIATOR, theirs), Negotiation(Side.TARGET, ours)
    here, there = login(one, other)
    assert here == there
    assert one.pending == other.pending == frozenset()
    assert here.first_burst_length <= here.max_burst_length
    assert here == here.constrained()
    assert here.max_burst_length <= max(theirs.max_burst_length, Parameters().max_burst_length)


@given(
    st.sampled_from(Side),
    st.sampled_from(Stage),
    st.lists(
        st.tuples(
            st.sampled_from([*KEYS, "X-a", "Foo"]),
            st.sampled_from(["Yes", "No", "None", "1", "512", "0", "", "CRC32C", "Reject"])
            | st.sampled_from(["Irrelevant", "NotUnderstood", "RFC3720", "Discovery", "0b"])
            | st.text(max_size=5),
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_whatever_a_peer_says_only_peer_error_is_raised(side, stage, said, first):
    negotiation = Negotiation(side, Offer())
    if first:
        negotiation.propose(stage)
    try:
        replies = negotiation.receive(said, stage)
        parameters = negotiation.settle()
    except PeerError:
        return
    assert {name for name, _ in replies} <= {name for name, _ in said}
    assert parameters == parameters.constrained()


def lenient(*breaches):
    negotiation = Negotiation(Side.INITIATOR, Offer(), overlooked=frozenset(breaches))
    negotiation.propose(OPERATIONAL)
    return negotiation


@pytest.mark.parametrize(
    ("breach", "said"),
    [
        (Breach.SENT_TWICE, [("MaxBurstLength", "512"), ("MaxBurstLength", "512")]),
        (Breach.RESERVED, [("X-com.example", "Reject")]),
        (Breach.OUT_OF_STAGE, [("AuthMethod", "None")]),
        (Breach.INADMISSIBLE, [("MaxBurstLength", "16777215")]),
        (Breach.INADMISSIBLE, [("MaxBurstLength", "1")]),
        (Breach.INADMISSIBLE, [("MaxRecvDataSegmentLength", "1")]),
        (Breach.INADMISSIBLE, [("HeaderDigest", "SHA")]),
        (Breach.NOT_UNDERSTOOD, [("MaxBurstLength", "NotUnderstood")]),
        (Breach.LOWER_CASE, [("ImmediateData", "yes")]),
    ],
)
def test_a_breach_ends_the_negotiation_unless_it_is_overlooked(breach, said):
    lenient(breach).receive(said, OPERATIONAL)
    with pytest.raises(PeerError):
        lenient().receive(said, OPERATIONAL)


def test_bursts_that_contradict_each_other_can_be_overlooked():
    negotiation = lenient(Breach.BURSTS)
    answers(negotiation, MaxBurstLength="512", FirstBurstLength="65536")
    assert negotiation.settle().first_burst_length == 65_536


def test_with_error_recovery_and_sequences_in_order_one_r2t_is_proposed():
    proposed = dict(Negotiation(Side.INITIATOR, Offer(error_recovery_level=1)).propose(OPERATIONAL))
    assert proposed["MaxOutstandingR2T"] == "1"
    offer = Offer(error_recovery_level=1, data_sequence_in_order=False)
    proposed = dict(Negotiation(Side.INITIATOR, offer).propose(OPERATIONAL))
    assert proposed["MaxOutstandingR2T"] == "8"
