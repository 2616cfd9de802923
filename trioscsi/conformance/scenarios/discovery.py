"""KY: what is for Discovery sessions, and what is not (RFC 7143 sections 4.3, 7.4 and 13.22)."""

from __future__ import annotations

from trioscsi.conformance.bench.logins import (
    Held,
    hold,
    said,
)
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import (
    NO_TASK,
    LoginRequest,
    LogoutReason,
    LogoutRequest,
    NopOut,
    TextRequest,
)

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_DISCOVERY_ONLY = Rule("7143-4.3-1")
_DISCOVERY_LEVEL = Rule("7143-7.4.1-1")
_NORMAL_ONLY = Rule("7143-13.22-1")


async def _discovery(play: Play) -> Held:
    """The login of a Discovery session, held before its end."""
    held = await hold(play)
    if held.said.get("SessionType") != "Discovery":
        await held.excuse("it does not ask which targets there are")
    return held


@scenario(
    "KY-12",
    "In a Discovery session targets are asked for, and it is logged out; nothing else comes.",
    _DISCOVERY_ONLY,
    Drive.DISCOVERY,
    mutants=("discovery-command", "discovery-negotiates"),
    unh=("Login 21.1",),
)
async def discovery_only(play: Play) -> None:
    held = await _discovery(play)
    await held.finish()
    await held.link.rest()
    for pdu in held.link.heard:
        match pdu:
            case LoginRequest():
                continue
            case TextRequest():
                names = [item.split(b"=")[0] for item in bytes(pdu.data).split(b"\0") if item]
                fits = set(names) <= {b"SendTargets"}
            case LogoutRequest():
                fits = pdu.reason == LogoutReason.CLOSE_SESSION
            case _:
                fits = isinstance(pdu, NopOut) and pdu.ttt != NO_TASK
        play.check(fits, f"a {type(pdu).__name__} that is for other sessions")
    await play.ending()


@scenario(
    "KY-13",
    "In a Discovery session error recovery is declined.",
    _DISCOVERY_LEVEL,
    Drive.DISCOVERY,
    initiator={"reticent": frozenset({"ErrorRecoveryLevel"})},
    mutants=("discovery-level",),
)
async def error_recovery_in_discovery(play: Play) -> None:
    held = await _discovery(play)
    name = await held.unsaid("ErrorRecoveryLevel")
    answer = await held.answered(name, "2")
    play.check(answer == "0", f"{name} is answered with {answer or 'nothing'}")
    await held.finish()
    await play.ending()


@scenario(
    "KY-14",
    "Keys of vendors are for normal sessions.",
    _NORMAL_ONLY,
    Drive.DISCOVERY,
    mutants=("discovery-vendor",),
)
async def vendor_keys_in_discovery(play: Play) -> None:
    held = await _discovery(play)
    await held.finish()
    await held.link.rest()
    texts = [bytes(pdu.data) for pdu in held.link.heard if isinstance(pdu, TextRequest)]
    names = {name for name, _ in said(held.link)}
    private = {name for name in names if name.startswith("X-")}
    play.check(not private, f"{', '.join(sorted(private))} in a Discovery session")
    play.check(not any(b"X-" in text for text in texts), "a key of a vendor in a Text Request")
    await play.ending()
