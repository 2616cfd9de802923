"""Logins (sections 6.3 and 11.12): one fault a row."""

from __future__ import annotations

from trioscsi.initiator.deviations import Deviation, Rule, changing, following, repeating
from trioscsi.initiator.mutants.rows import (
    all_again,
    brings,
    choking,
    cut,
    empty,
    key,
    operational,
    plus,
    row,
)
from trioscsi.pdu import LoginRequest, LoginResponse, ScsiCommand
from trioscsi.serial import add

MUTANTS: tuple[Deviation, ...] = (
    row("login-version", "11.12.4", "speaks no version that there is", changing(LoginRequest, version_min=1, version_max=1)),
    row("login-t-and-c", "11.12.2", "sets T and C together", changing(LoginRequest, transit=True, continue_=True)),
    row("login-not-immediate", "11.12", "sends Login Requests without I", changing(LoginRequest, immediate=False)),
    row("login-tag-changes", "11.12", "changes the task tag during the login", changing(LoginRequest, when=operational, itt=plus("itt"))),
    row("login-empty-tag", "11.12", "changes the task tag where it has no more to say", changing(LoginRequest, when=empty, itt=plus("itt"))),
    row("login-isid-changes", "11.12", "changes the ISID during the login", changing(LoginRequest, when=operational, isid=b"\x80other")),
    row("login-cid-changes", "11.12", "changes the CID during the login", changing(LoginRequest, when=operational, cid=99)),
    row("login-tsih", "11.12.6", "begins a session with a TSIH", changing(LoginRequest, tsih=0xFFFE)),
    row("login-cmdsn-advances", "11.12.8", "counts CmdSN up during the login", changing(LoginRequest, when=operational, cmd_sn=plus("cmd_sn"))),
    row("second-other-isid", "6.3.1", "joins its session with another ISID", changing(LoginRequest, when=lambda pdu: pdu.tsih, isid=b"\x80other")),
    row("second-leading-keys", "13", "negotiates for the session in a further login", changing(LoginRequest, when=lambda pdu: pdu.tsih and pdu.data, data=lambda pdu: bytes(pdu.data) + b"MaxConnections=2\0")),
    row("login-stage-back", "6.3", "goes back to security negotiation", changing(LoginRequest, csg=0)),
    row("login-stage-reserved", "11.12.3", "asks for stage 2", changing(LoginRequest, when=lambda pdu: pdu.transit, nsg=2)),
    row("login-twice", "6.3", "sends each Login Request twice", repeating(LoginRequest)),
    row("login-exp-stat-sn", "11.12.9", "acknowledges statuses that have not come", changing(LoginRequest, when=operational, exp_stat_sn=plus("exp_stat_sn", 9))),
    row("login-no-name", "6.3", "does not say who it is", pair=key("InitiatorName")),
    row("login-no-target", "6.3", "does not say to whom it talks", pair=key("TargetName")),
    row("login-bad-name", "4.2.7", "has a name that is none", pair=key("InitiatorName", ("InitiatorName", "nobody"))),
    row("login-late-name", "6.3", "says who it is behind other keys only", pair=key("InitiatorName", ("X-com.example.first", "1"))),
    row("login-no-null", "6.1", "does not end its text with a null", changing(LoginRequest, data=cut(1))),
    row("login-command", "4.2.4", "sends a command before full feature phase", following(LoginRequest, by=lambda pdu, _: ScsiCommand(itt=add(pdu.itt)))),
    row("login-any-pdu", "4.2.4", "takes other PDUs for nothing during the login", Rule.ONLY_LOGIN_RESPONSES),
    row("login-any-tag", "6.3", "takes the response to another login for its own", Rule.SAME_LOGIN),
    row("login-any-version", "11.13.2", "speaks a version that it has not offered", Rule.OFFERED_VERSION),
    row("login-any-stage", "6.3", "takes a response for another stage", Rule.SAME_STAGE),
    row("login-led-on", "11.13.6", "moves on though it has not asked to", Rule.ASKED_TRANSIT),
    row("login-led-astray", "6.3", "moves on though the target names another stage", Rule.NEXT_STAGE),
    row("login-continues", "11.13.7", "takes a part of a text with T for the whole", Rule.TRANSIT_OR_CONTINUE),
    row("login-counts-not", "6.3", "takes two responses to one request", Rule.ONE_RESPONSE),
    row("login-unsettled", "6.3", "leaves a stage with keys that want an answer", Rule.SETTLED_TRANSIT),
    row("login-stays", "11.13.5", "goes on after a refusal", Rule.REFUSAL_ENDS),
    row("login-unmoved", "11.13.5", "does not follow a redirection", Rule.FOLLOW_REDIRECTION),
    row("login-patient", "8.1.2", "waits for ever for a response", Rule.LOGIN_TIME),
    row("login-tires", "6.3.3", "asks for the next stage once only", changing(LoginRequest, when=empty, transit=False, nsg=0)),
    row("login-repeats", "6.3", "says all its keys again", all_again),
    row("login-impatient", "6.2", "gives a login up after four requests", Rule.SIX_EXCHANGES),
    row("login-part-taken", "6.2", "takes a part of a text for the whole", hears=changing(LoginResponse, continue_=False)),
    row("login-part-answered", "6.2", "has something to say before a text is over", changing(LoginRequest, when=lambda pdu: empty(pdu) and not pdu.transit, data=b"X-com.example.more=1\0")),
    row("login-no-tag-zero", "13.9", "takes no portal group 0", hears=choking(brings("TargetPortalGroupTag=0\0"))),
    row("isid-twice", "4.4.3", "has two sessions with one ISID", Rule.DIFFERENT_PORTS),
    row("isid-new", "10.1.1", "has another ISID each time", Rule.SAME_PORT),
    row("isid-reserved", "11.12.5", "has an ISID of a type that there is not", changing(LoginRequest, isid=b"\xc0other")),
    row("isid-field", "11.12.5", "uses a reserved field of its ISID", changing(LoginRequest, isid=b"\x81other")),
)  # fmt: skip
