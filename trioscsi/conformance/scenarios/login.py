"""LG: logins (RFC 7143 sections 4.2.4, 6.3, 11.12 and 11.13)."""

from __future__ import annotations

from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import LoginRequest, LoginResponse

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_KEEPS_T = Rule("7143-6.3.3-1", Level.SHOULD)
_SAME_TAG = Rule("7143-6.3-2")


@scenario(
    "LG-03",
    "After a response with T=0 the request for the next stage comes again, with the same tag.",
    _SAME_TAG,
    Drive.LOGIN,
    mutants=("login-empty-tag",),
)
async def transit_is_refused_once(play: Play) -> None:
    link = await play.connection()
    response = await link.take(LoginResponse, where=lambda pdu: pdu.transit)
    first = link.heard[-1]
    await link.forward(response, transit=False, nsg=0)
    again = await play.expect(link, LoginRequest, breach="the login does not go on")
    play.check(again.transit, "T is not set again", _KEEPS_T)
    play.check(again.itt == first.itt, "the tag has changed")
    play.check(again.isid == first.isid, "the ISID has changed")
    await link.answer(again, tsih=response.tsih)
    await play.ending()
