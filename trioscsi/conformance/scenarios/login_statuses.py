"""LG: logins that are refused, or that go on elsewhere (RFC 7143 sections 11.13.5 and 13.8)."""

from __future__ import annotations

import errno

from trioscsi.conformance.bench.cast import DriverEnded
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.logins import demand_end, each_login, expect_use, pairs_of, refuse
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import LoginRequest, LoginResponse, LoginStatus
from trioscsi.text import Stage

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_CLOSED = Rule("7143-11.13.5-1")
_MUST_FOLLOW = Rule("7143-11.13.5-3")
_SHOULD_FOLLOW = Rule("7143-11.13.5-4", Level.SHOULD)
_NOT_AGAIN = Rule("7143-11.13.5-5", Level.NOTE)
_ENDLESS = Rule("7143-11.13.5-4", Level.NOTE)
_NEW_SESSION = Rule("7143-11.12.6-3")
_ADDRESSES = Rule("7143-13.8-1")
_ANY_ADDRESS = Rule("7143-13.8-1", Level.NOTE)

_REFUSALS = [status for status in LoginStatus if status >= LoginStatus.INITIATOR_ERROR]
_HOPS = 20
_DEFAULT_PORT = 3260
_NOBODY = 1
"""A port (tcpmux) where nobody listens."""


@scenario(
    "LG-20",
    "After a refusal, whatever its status, the initiator closes the connection.",
    _CLOSED,
    Drive.LOGINS,
    mutants=("login-stays",),
    limit=150,
)
async def refused(play: Play) -> None:
    async def with_status(status: LoginStatus, link: Link) -> None:
        await refuse(link, await link.take(LoginRequest), status)
        await demand_end(play, link, f"the connection stays up after {status:04x}")

    await each_login(play, _REFUSALS, with_status)


@scenario(
    "LG-21",
    "A login that is tried again after an error of the target begins anew.",
    _NEW_SESSION,
    Drive.LOGINS,
    mutants=("login-tsih",),
)
async def again_after_a_target_error(play: Play) -> None:
    link = await play.connection()
    await refuse(link, await link.take(LoginRequest), LoginStatus.SERVICE_UNAVAILABLE)
    await link.is_ended()
    await link.close()
    again = await play.connection()
    request = await again.see(LoginRequest)
    play.check(not request.tsih, f"the second login has TSIH {request.tsih:#x}")
    play.check("InitiatorName" in dict(pairs_of(bytes(request.data))), "it does not begin anew")
    await again.login()


@scenario(
    "LG-22",
    "A login that was refused for its own fault is not tried again by itself.",
    _NOT_AGAIN,
    Drive.RECOVER,
    mutants=("recovery-stubborn",),
)
async def not_again_after_its_own_error(play: Play) -> None:
    link = await play.connection()
    await refuse(link, await link.take(LoginRequest), LoginStatus.NOT_FOUND)
    await link.is_ended()
    await link.close()
    play.inform(await play.has_no_other(within=3), "it logs in again at once")


async def _redirect(link: Link, status: int, *addresses: str) -> str | None:
    """Lead a login elsewhere; returns the target that it was for."""
    request = await link.take(LoginRequest)
    await refuse(link, request, status, [("TargetAddress", address) for address in addresses])
    return dict(pairs_of(bytes(request.data))).get("TargetName")


@scenario(
    "LG-23",
    "A redirection is followed, with the name of the same target.",
    _SHOULD_FOLLOW,
    Drive.LOGIN,
    mutants=("login-unmoved",),
)
async def moved(play: Play) -> None:
    port = await play.another_portal()
    link = await play.connection()
    status = LoginStatus.TARGET_MOVED_TEMPORARILY
    name = await _redirect(link, status, f"{play.host}:{port}")
    other = await play.expect_connection("the redirection is not followed")
    request = await other.see(LoginRequest)
    play.check(dict(pairs_of(bytes(request.data))).get("TargetName") == name, "to another target")
    await play.ending()


@scenario(
    "LG-24",
    "A redirection after the authentication is followed.",
    _MUST_FOLLOW,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    mutants=("login-unmoved",),
)
async def moved_after_authentication(play: Play) -> None:
    port = await play.another_portal()
    link = await play.connection()
    response = await link.take(LoginResponse, where=lambda pdu: pdu.transit)
    request = link.heard[-1]
    if response.csg != Stage.SECURITY:
        raise NotExercised("it does not authenticate itself")
    keys = [("TargetAddress", f"{play.host}:{port}")]
    await refuse(link, request, LoginStatus.TARGET_MOVED_PERMANENTLY, keys)
    await play.expect_connection("the redirection is not followed")
    await play.ending()


@scenario(
    "LG-25",
    "Of two addresses, the second is tried where nobody answers at the first.",
    _ANY_ADDRESS,
    Drive.LOGIN,
)
async def two_addresses(play: Play) -> None:
    port = await play.another_portal()
    link = await play.connection()
    addresses = f"{play.host}:{_NOBODY}", f"{play.host}:{port}"
    await _redirect(link, LoginStatus.TARGET_MOVED_TEMPORARILY, *addresses)
    play.inform(not await play.has_no_other(within=5), "only the first address is tried")


@scenario(
    "LG-26",
    "An address may have a name, an IPv6 address in brackets, and no port.",
    _ADDRESSES,
    Drive.LOGIN,
    mutants=("login-numeric",),
)
async def forms_of_addresses(play: Play) -> None:
    if play.host != "127.0.0.1":
        raise NotExercised("it reaches the stage by one address alone")
    link = await play.connection()
    await _redirect(
        link, LoginStatus.TARGET_MOVED_TEMPORARILY, f"{play.host}:{await play.another_portal()}"
    )
    try:
        link = await play.connection(within=10)
    except (DriverEnded, Silence):
        raise NotExercised("it follows no redirection, whatever the address") from None
    for form, address, port in _FORMS:
        try:
            opened = await play.another_portal(address, port)
        except OSError as error:
            play.note(f"{form} was left out: {errno.errorcode.get(error.errno or 0, 'no address')}")
            continue
        where = form.format(port=opened)
        await _redirect(link, LoginStatus.TARGET_MOVED_TEMPORARILY, where)
        link = await play.expect_connection(f"{where} is not found")
    await expect_use(play, link, "the login fails")
    await play.ending()


_FORMS = (
    ("localhost:{port}", "localhost", 0),
    ("[::1]:{port}", "::1", 0),
    ("127.0.0.1", "127.0.0.1", _DEFAULT_PORT),
)


@scenario(
    "LG-27",
    "Redirections that lead nowhere, or round and round, are given up.",
    _ENDLESS,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
)
async def redirected_without_end(play: Play) -> None:
    async def led(where: str, link: Link) -> None:
        if where == "nowhere":
            await _redirect(link, LoginStatus.TARGET_MOVED_TEMPORARILY)
            play.inform(await link.is_ended(), "the connection stays up")
            await link.close()
        else:
            hops = await _lead_round(play, link)
            play.inform(hops < _HOPS, f"it follows {hops} redirections in a circle")

    await each_login(play, ("nowhere", "round and round"), led)


async def _lead_round(play: Play, link: Link) -> int:
    """Lead a login from one portal to another and back; how often that was followed."""
    ports = [await play.another_portal(), await play.another_portal()]
    for hop in range(_HOPS):
        try:
            address = f"{play.host}:{ports[hop % 2]}"
            await _redirect(link, LoginStatus.TARGET_MOVED_TEMPORARILY, address)
            link = await play.connection(within=2)
        except (DriverEnded, Silence, Left):
            return hop
        if link.port not in ports:
            return hop
    return _HOPS
