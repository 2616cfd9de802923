"""KY: digests, once they are agreed (RFC 7143 section 13.1)."""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.conformance.bench.logins import (
    expect_use,
    hold,
)
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios
from trioscsi.conformance.bench.traffic import Traffic, alter_logins
from trioscsi.conformance.verdicts import Rule

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_FIRST = Rule("7143-6.2.1-2")
_DIGESTS = Rule("7143-13.1-1")

_ODD_BURST = 1023


def _chosen(name: str, said: Mapping[str, str]) -> Mapping[str, str] | None:
    """The answer that chooses a digest, if it was offered."""
    return {name: "CRC32C"} if "CRC32C" in said.get(name, "").split(",") else None


async def _digested(play: Play, traffic: Traffic, name: str) -> None:
    """Judge the digests of all that comes."""
    await traffic.watch(within=10)
    if not traffic.altered:
        raise NotExercised(f"it does not offer {name}=CRC32C")
    damaged = sum(link.damaged for link in play.links)
    play.check(not damaged, f"{damaged} PDUs without the right digest")
    play.check(traffic.pdus, "nothing comes that has a digest")


@scenario(
    "KY-06",
    "Once header digests are agreed, each PDU has one, and it is right.",
    _DIGESTS,
    Drive.READ,
    initiator={"header_digests": ("CRC32C", "None")},
    mutants=("header-digest",),
    unh=("Login 9.1", "Login 9.2", "Login 9.3"),
)
async def header_digests(play: Play) -> None:
    traffic = alter_logins(play, lambda said: _chosen("HeaderDigest", said))
    await _digested(play, traffic, "HeaderDigest")


@scenario(
    "KY-07",
    "Once data digests are agreed, all data have one, and it covers their padding.",
    _DIGESTS,
    Drive.WRITE,
    initiator={"data_digests": ("CRC32C", "None")},
    target={"first_burst_length": _ODD_BURST},
    mutants=("data-digest",),
)
async def data_digests(play: Play) -> None:
    traffic = alter_logins(play, lambda said: _chosen("DataDigest", said))
    await _digested(play, traffic, "DataDigest")
    if not traffic.odd:
        play.note("there was no data with padding")


@scenario(
    "KY-08",
    "Of the digests that the target offers, the first is chosen that is supported.",
    _FIRST,
    Drive.LOGIN,
    initiator={"reticent": frozenset({"HeaderDigest", "DataDigest"})},
    mutants=("key-last-digest",),
)
async def digests_of_the_target(play: Play) -> None:
    held = await hold(play)
    if held.said.keys() & {"HeaderDigest", "DataDigest"}:
        await held.excuse("it offers digests by itself")
    offers = {"HeaderDigest": "None,CRC32C", "DataDigest": "CRC32C,None"}
    answers = await held.propose(offers)
    chosen = {name: answers.get(name, "nothing") for name in offers}
    for name, value in chosen.items():
        play.check(value in ("None", "CRC32C"), f"{name} is answered with {value}")
    last = chosen == {"HeaderDigest": "CRC32C", "DataDigest": "None"}
    play.check(not last, "the last value of each list is chosen")
    await held.finish()
    await expect_use(play, held.link, "the login fails")
    await play.ending()
