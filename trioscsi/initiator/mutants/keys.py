"""Keys that are said (sections 6 and 13): one fault a row."""

from __future__ import annotations

from trioscsi.initiator.deviations import Deviation, Rule, changing, following
from trioscsi.initiator.mutants.rows import (
    besides,
    brings,
    choking,
    key,
    lacking,
    last_digest,
    row,
)
from trioscsi.pdu import LoginResponse, ScsiCommand, TextRequest, TextResponse
from trioscsi.serial import add

MUTANTS: tuple[Deviation, ...] = (
    row("key-twice", "6.3", "proposes a key twice", pair=besides("MaxBurstLength", ("MaxBurstLength", "512"))),
    row("key-range", "13.13", "proposes a number that is out of range", pair=key("MaxBurstLength", ("MaxBurstLength", "511"))),
    row("key-level", "13.20", "proposes error recovery level 3", pair=key("ErrorRecoveryLevel", ("ErrorRecoveryLevel", "3"))),
    row("key-boolean", "6.1", "proposes a boolean that is none", pair=key("InitialR2T", ("InitialR2T", "yes"))),
    row("key-reserved", "6.2", "proposes Reject", pair=key("MaxConnections", ("MaxConnections", "Reject"))),
    row("key-of-the-target", "13.6", "declares what only targets do", pair=besides("InitiatorName", ("TargetAlias", "mine"))),
    row("key-digest", "13.1", "proposes a digest that there is not", pair=key("HeaderDigest", ("HeaderDigest", "MD5"))),
    row("key-bursts", "13.14", "proposes a FirstBurstLength above MaxBurstLength", pair=key("FirstBurstLength", ("FirstBurstLength", "16777215"))),
    row("key-without-name", "6.1", "says a value without a key", pair=key("MaxConnections", ("", "1"))),
    row("key-marker", "13.25", "proposes markers, which are obsolete", pair=besides("MaxBurstLength", ("IFMarker", "Yes"))),
    row("key-segment", "13.12", "declares segments below 512 bytes", pair=key("MaxRecvDataSegmentLength", ("MaxRecvDataSegmentLength", "100"))),
    row("keys-twice-taken", "6.3", "takes a key that comes twice", Rule.KEYS_ONCE),
    row("keys-reserved-taken", "6.2", "takes a reserved constant that is proposed", Rule.NO_RESERVED_PROPOSALS),
    row("keys-any-stage", "6.3", "takes a key that has no place in its stage", Rule.KEYS_IN_STAGE),
    row("keys-any-value", "6.2", "takes an answer that it has not offered", Rule.ADMISSIBLE_VALUES),
    row("keys-misunderstood", "6.2", "takes NotUnderstood for an answer to any key", Rule.UNDERSTOOD_KEYS),
    row("keys-any-case", "6.1", "takes yes for Yes", Rule.PRINTED_BOOLEANS),
    row("keys-any-bursts", "13.14", "takes a FirstBurstLength above MaxBurstLength", Rule.ORDERED_BURSTS),
    row("keys-unanswered", "6.2", "answers no key that the target proposes", Rule.ANSWER_KEYS),
    row("key-private-ignored", "6.2", "does not answer a private key", pair=key("X-com.example.bench")),
    row("key-public-ignored", "6.2", "does not answer a key that it does not know", pair=key("BenchDepth")),
    row("key-public-accepted", "6.2", "agrees to a key that it does not know", pair=key("BenchDepth", ("BenchDepth", "3"))),
    row("key-no-hexadecimal", "6.1", "reads no hexadecimal numbers", hears=changing(LoginResponse, data=lacking("=0x"))),
    row("key-short-memory", "6.1", "has room for 4096 bytes of text", hears=choking(lambda pdu: len(pdu.data) > 4096)),
    row("key-short-names", "6.1", "takes no long names of keys", hears=choking(brings("n" * 32))),
    row("key-ascii", "13.6", "takes no text but ASCII", hears=choking(lambda pdu: not bytes(pdu.data).isascii())),
    row("key-irrelevant", "6.2", "takes Irrelevant for a failure", hears=choking(brings("=Irrelevant"))),
    row("key-markers-unknown", "13.25", "does not understand markers", pair=key("IFMarker", ("IFMarker", "NotUnderstood"))),
    row("key-markers-declined", "13.25", "declines markers, and does not reject them", pair=key("OFMarker", ("OFMarker", "No"))),
    row("key-intervals-unknown", "13.25", "does not understand intervals of markers", pair=key("OFMarkInt", ("OFMarkInt", "NotUnderstood"))),
    row("key-reporting-unknown", "13.23", "does not understand TaskReporting", pair=key("TaskReporting", ("TaskReporting", "NotUnderstood"))),
    row("key-level-high", "13.24", "answers a protocol level by a higher one", pair=key("iSCSIProtocolLevel", ("iSCSIProtocolLevel", "2"))),
    row("key-last-digest", "6.2.1", "chooses the last digest of a list", pair=last_digest),
    row("key-too-early", "6.3", "says an operational key during security negotiation", pair=besides("AuthMethod", ("MaxBurstLength", "65536"))),
    row("discovery-level", "7.4.1", "wants error recovery in a Discovery session", pair=key("ErrorRecoveryLevel", ("ErrorRecoveryLevel", "1"))),
    row("discovery-vendor", "13.22", "says a key of a vendor in a Discovery session", pair=besides("SessionType", ("X-com.example.first", "1"))),
    row("discovery-command", "4.3", "sends a command in a Discovery session", following(TextRequest, by=lambda pdu, _: ScsiCommand(itt=add(pdu.itt, 99), cmd_sn=add(pdu.cmd_sn)))),
    row("discovery-negotiates", "4.3", "says other keys in a Discovery session", changing(TextRequest, data=lambda pdu: bytes(pdu.data) + b"MaxRecvDataSegmentLength=4096\0")),
    row("text-deaf", "6.4", "does not hear what a target declares in a Text exchange", hears=changing(TextResponse, data=b"")),
)  # fmt: skip
