"""Every key, as data (RFC 7143 chapters 12 and 13, RFC 7144 section 7.1.1).

``specs/keys.toml`` says the same, typed from the RFCs; a test compares the two. The order is the
one in which keys are proposed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trioscsi.text.key import Irrelevance, Key, Kind, Scope, Side, Syntax, Use

if TYPE_CHECKING:
    from collections.abc import Mapping

_INITIATOR = frozenset({Side.INITIATOR})
_TARGET = frozenset({Side.TARGET})
_DISCOVERY = frozenset({Irrelevance.DISCOVERY})

_declared = partial(Key, kind=Kind.DECLARATION, scope=Scope.SESSION, any_stage=True)
_number = partial(Key, syntax=Syntax.NUMBER, use=Use.LEADING_ONLY, scope=Scope.SESSION)
_boolean = partial(Key, syntax=Syntax.BOOLEAN, use=Use.LEADING_ONLY, scope=Scope.SESSION)
_list = partial(Key, kind=Kind.LIST, scope=Scope.CONNECTION)
_marker = partial(Key, use=Use.INITIALIZE_ONLY, scope=Scope.CONNECTION, section="13.25")
_exchange = partial(Key, kind=Kind.EXCHANGE, use=Use.SECURITY, scope=Scope.CONNECTION)
_kerberos = partial(
    _exchange, syntax=Syntax.BINARY, maximum=65_536, section="12.1.1", section_3720="11.1.1"
)
_srp = partial(_exchange, section="12.1.2", section_3720="11.1.3")
_srp_binary = partial(_srp, syntax=Syntax.BINARY, maximum=1024)
_chap = partial(_exchange, section="12.1.3", section_3720="11.1.4")

_KEYS = (
    _declared(
        name="InitiatorName",
        syntax=Syntax.NAME,
        use=Use.INITIALIZE_ONLY,
        senders=_INITIATOR,
        parameter="initiator_name",
        section="13.5",
        section_3720="12.5",
    ),
    _declared(
        name="InitiatorAlias",
        syntax=Syntax.LOCAL_NAME,
        use=Use.ALL,
        senders=_INITIATOR,
        parameter="initiator_alias",
        section="13.7",
        section_3720="12.7",
    ),
    _declared(
        name="TargetName",
        syntax=Syntax.NAME,
        use=Use.INITIALIZE_ONLY,
        # A target's TargetName belongs to the answer to SendTargets, which is no negotiation.
        senders=_INITIATOR,
        parameter="target_name",
        section="13.4",
        section_3720="12.4",
    ),
    _declared(
        name="SessionType",
        syntax=Syntax.SESSION_TYPE,
        use=Use.LEADING_ONLY,
        senders=_INITIATOR,
        default="Normal",
        parameter="session_type",
        section="13.21",
        section_3720="12.21",
    ),
    _declared(
        name="TargetAlias",
        syntax=Syntax.LOCAL_NAME,
        use=Use.ALL,
        senders=_TARGET,
        parameter="target_alias",
        section="13.6",
        section_3720="12.6",
    ),
    _declared(
        name="TargetPortalGroupTag",
        syntax=Syntax.TAG,
        use=Use.INITIALIZE_ONLY,
        senders=_TARGET,
        maximum=65_535,
        parameter="target_portal_group_tag",
        section="13.9",
        section_3720="12.9",
    ),
    _declared(
        name="TargetAddress",
        syntax=Syntax.ADDRESS,
        use=Use.ALL,
        senders=_TARGET,
        repeatable=True,
        parameter="target_addresses",
        offer=None,
        section="13.8",
        section_3720="12.8",
    ),
    _list(
        name="AuthMethod",
        syntax=Syntax.LIST,
        use=Use.SECURITY,
        parameter="auth_method",
        offer="auth_methods",
        section="12.1",
        section_3720="11.1",
    ),
    _list(
        name="HeaderDigest",
        syntax=Syntax.DIGESTS,
        use=Use.INITIALIZE_ONLY,
        default="None",
        parameter="header_digest",
        offer="header_digests",
        section="13.1",
        section_3720="12.1",
    ),
    _list(
        name="DataDigest",
        syntax=Syntax.DIGESTS,
        use=Use.INITIALIZE_ONLY,
        default="None",
        parameter="data_digest",
        offer="data_digests",
        section="13.1",
        section_3720="12.1",
    ),
    Key(
        name="MaxRecvDataSegmentLength",
        kind=Kind.DECLARATION,
        syntax=Syntax.NUMBER,
        use=Use.ALL,
        scope=Scope.CONNECTION,
        default="8192",
        minimum=512,
        maximum=2**24 - 1,
        parameter="{sender}_max_recv_data_segment_length",
        offer="max_recv_data_segment_length",
        section="13.12",
        section_3720="12.12",
    ),
    _number(
        name="MaxConnections",
        kind=Kind.MINIMUM,
        default="1",
        minimum=1,
        maximum=65_535,
        irrelevant=_DISCOVERY,
        parameter="max_connections",
        section="13.2",
        section_3720="12.2",
    ),
    _boolean(
        name="InitialR2T",
        kind=Kind.OR,
        default="Yes",
        irrelevant=_DISCOVERY,
        parameter="initial_r2t",
        section="13.10",
        section_3720="12.10",
    ),
    _boolean(
        name="ImmediateData",
        kind=Kind.AND,
        default="Yes",
        irrelevant=_DISCOVERY,
        parameter="immediate_data",
        section="13.11",
        section_3720="12.11",
    ),
    _number(
        name="MaxBurstLength",
        kind=Kind.MINIMUM,
        default="262144",
        minimum=512,
        maximum=2**24 - 1,
        irrelevant=_DISCOVERY,
        parameter="max_burst_length",
        section="13.13",
        section_3720="12.13",
    ),
    _number(
        name="FirstBurstLength",
        kind=Kind.MINIMUM,
        default="65536",
        minimum=512,
        maximum=2**24 - 1,
        irrelevant=frozenset(Irrelevance),
        depends=True,
        parameter="first_burst_length",
        section="13.14",
        section_3720="12.14",
    ),
    _number(
        name="DefaultTime2Wait",
        kind=Kind.MAXIMUM,
        default="2",
        maximum=3600,
        parameter="default_time2wait",
        section="13.15",
        section_3720="12.15",
    ),
    _number(
        name="DefaultTime2Retain",
        kind=Kind.MINIMUM,
        default="20",
        maximum=3600,
        parameter="default_time2retain",
        section="13.16",
        section_3720="12.16",
    ),
    _number(
        name="MaxOutstandingR2T",
        kind=Kind.MINIMUM,
        default="1",
        minimum=1,
        maximum=65_535,
        irrelevant=_DISCOVERY,
        depends=True,
        parameter="max_outstanding_r2t",
        section="13.17",
        section_3720="12.17",
    ),
    _boolean(
        name="DataPDUInOrder",
        kind=Kind.OR,
        default="Yes",
        irrelevant=_DISCOVERY,
        parameter="data_pdu_in_order",
        section="13.18",
        section_3720="12.18",
    ),
    _boolean(
        name="DataSequenceInOrder",
        kind=Kind.OR,
        default="Yes",
        irrelevant=_DISCOVERY,
        parameter="data_sequence_in_order",
        section="13.19",
        section_3720="12.19",
    ),
    _number(
        name="ErrorRecoveryLevel",
        kind=Kind.MINIMUM,
        default="0",
        maximum=2,
        parameter="error_recovery_level",
        section="13.20",
        section_3720="12.20",
    ),
    Key(
        name="TaskReporting",
        kind=Kind.LIST,
        syntax=Syntax.LIST,
        use=Use.LEADING_ONLY,
        scope=Scope.SESSION,
        default="RFC3720",
        irrelevant=_DISCOVERY,
        parameter="task_reporting",
        section="13.23",
    ),
    _number(
        name="iSCSIProtocolLevel",
        kind=Kind.MINIMUM,
        default="1",
        maximum=31,
        irrelevant=_DISCOVERY,
        parameter="protocol_level",
        section="13.24",
    ),
    Key(
        name="X#NodeArchitecture",
        kind=Kind.DECLARATION,
        syntax=Syntax.LOCAL_NAME,
        use=Use.LEADING_ONLY,
        scope=Scope.SESSION,
        default="None",
        parameter="{sender}_node_architecture",
        offer="node_architecture",
        section="13.26",
    ),
    Key(
        name="SendTargets",
        kind=Kind.QUERY,
        syntax=Syntax.LOCAL_NAME,
        use=Use.FULL_FEATURE_PHASE_ONLY,
        scope=Scope.SESSION,
        senders=_INITIATOR,
        section="13.3",
        section_3720="12.3",
    ),
    # Nothing is offered for markers, which makes No the result of AND. Section 13.25 would rather
    # have Reject, but No is as legal and is what peers of RFC 3720 know.
    _marker(
        name="OFMarker",
        kind=Kind.AND,
        syntax=Syntax.BOOLEAN,
        default="No",
        section_3720="A.3.1",
    ),
    _marker(
        name="IFMarker",
        kind=Kind.AND,
        syntax=Syntax.BOOLEAN,
        default="No",
        section_3720="A.3.1",
    ),
    _marker(
        name="OFMarkInt",
        kind=Kind.OBSOLETE,
        syntax=Syntax.RANGE,
        default="2048",
        minimum=1,
        maximum=65_535,
        section_3720="A.3.2",
    ),
    _marker(
        name="IFMarkInt",
        kind=Kind.OBSOLETE,
        syntax=Syntax.RANGE,
        default="2048",
        minimum=1,
        maximum=65_535,
        section_3720="A.3.2",
    ),
    _kerberos(name="KRB_AP_REQ", senders=_INITIATOR),
    _kerberos(name="KRB_AP_REP", senders=_TARGET),
    _srp(name="SRP_U", syntax=Syntax.TEXT, senders=_INITIATOR),
    _srp(name="TargetAuth", syntax=Syntax.BOOLEAN, senders=_INITIATOR),
    _srp(name="SRP_GROUP", syntax=Syntax.LIST),
    _srp_binary(name="SRP_s", senders=_TARGET),
    _srp_binary(name="SRP_A", senders=_INITIATOR),
    _srp_binary(name="SRP_B", senders=_TARGET),
    _srp_binary(name="SRP_M", senders=_INITIATOR),
    _srp_binary(name="SRP_HM", senders=_TARGET),
    _chap(name="CHAP_A", syntax=Syntax.LIST),
    _chap(name="CHAP_I", syntax=Syntax.NUMBER, maximum=255),
    _chap(name="CHAP_C", syntax=Syntax.BINARY, maximum=1024),
    _chap(name="CHAP_N", syntax=Syntax.TEXT),
    _chap(name="CHAP_R", syntax=Syntax.BINARY, maximum=1024),
)

KEYS: Mapping[str, Key] = {key.name: key for key in _KEYS}
