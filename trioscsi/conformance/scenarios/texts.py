"""TX: texts in full feature phase, and SendTargets (RFC 7143 sections 6.4, 11.10, appendix C)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import reject
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import NO_TASK, LogoutRequest, RejectReason, TextRequest
from trioscsi.text import decode, encode

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_ONE_KEY = Rule("7143-C-1")
_ALL_LISTED = Rule("7143-C-2")
_LISTED_WITHOUT = Rule("7143-C-2", Level.NOTE)
_UNKNOWN_KEYS = Rule("7143-C-3", Level.NOTE)
_GOES_ON = Rule("7143-11.11.4-1")
_ASKS_FOR_PART = Rule("7143-6.2-2")
_FINAL = Rule("7143-11.11.1-3")
_FAILED = Rule("7143-7.12-2")
_ONE = Rule("7143-6.2-3")
_CLOSES_ALL = Rule("7143-4.3-2")
_LOGS_OUT = Rule("7143-4.2.6-1", Level.SHOULD)

_TTT, _LUN = 0x55, 0
_NAME = "iqn.2025-12.local:one"
_MANY = 1000


def _records(*names: str, address: str = "127.0.0.1:3260,1") -> bytes:
    pairs = [
        pair
        for name in names
        for pair in (("TargetName", name), *((("TargetAddress", address),) if address else ()))
    ]
    return encode(pairs)


async def _question(play: Play) -> tuple[Link, TextRequest]:
    """A discovery up to its question, which the target behind the stage does not see."""
    link = await play.connection()
    await link.login()
    session = link.known.session
    if session is None or not session.discovery:
        # Nothing obliges one that makes no discovery to ask anything.
        return link, await link.take(TextRequest, within=10)
    return link, await play.expect(link, TextRequest, breach="no Text Request comes")


async def _expect_next(play: Play, link: Link, first: TextRequest, rule: Rule) -> TextRequest:
    """The request for the rest of an answer."""
    breach = "the rest is not asked for"
    again = await play.expect(link, TextRequest, breach=breach, rule=rule, despite_logout=True)
    play.check(not again.data, "the request for the rest has text", _ASKS_FOR_PART)
    play.check(again.itt == first.itt, "it has another task tag")
    play.check(again.ttt == _TTT, "it has another transfer tag", _GOES_ON)
    play.check(again.lun == _LUN, "it has another LUN", _GOES_ON)
    play.check(again.immediate == first.immediate, "it has another I bit")
    return again


async def _answer_in(play: Play, link: Link, request: TextRequest, *pieces: Any) -> None:
    """An answer in several PDUs: each is ``(text, C bit)``, and the last has the F bit."""
    asked = request
    for text, goes_on in pieces[:-1]:
        await link.answer(asked, data=text, final=False, continue_=goes_on, ttt=_TTT, lun=_LUN)
        asked = await _expect_next(play, link, request, _ASKS_FOR_PART if goes_on else _GOES_ON)
    await link.answer(asked, data=pieces[-1][0])


async def _expect_listed(play: Play, *wanted: str, rule: Rule = _ALL_LISTED) -> None:
    ending = await play.ending()
    if ending.how is How.UNKNOWN:
        return
    for name in wanted:
        play.check(name in ending.output, f"{name} is not listed ({ending})", rule)


@scenario(
    "TX-01",
    "Who asks for targets asks for nothing else, in one request with a valid task tag.",
    _ONE_KEY,
    Drive.DISCOVERY,
    mutants=("text-two-keys", "text-open"),
    unh=("FFP 18.1",),
)
async def one_question(play: Play) -> None:
    link, request = await _question(play)
    pairs = decode(bytes(request.data))
    play.check(len(pairs) == 1, f"there are {len(pairs)} keys in the request")
    play.check(pairs[:1] and pairs[0][0] == "SendTargets", "SendTargets is not the first key")
    play.check(request.final, "the request has no F bit")
    play.check(request.ttt == NO_TASK, "the first request has a transfer tag")
    play.check(request.itt != NO_TASK, "the request has no task tag")
    await link.answer(request, data=_records(_NAME))
    await _expect_listed(play, _NAME)


@scenario(
    "TX-02",
    "The rest of an answer is asked for with the tags and the LUN of the part that came.",
    _GOES_ON,
    Drive.DISCOVERY,
    mutants=("text-other-ttt", "text-other-tag"),
    unh=("FFP 18.2", "FFP 18.3"),
)
async def answer_in_parts(play: Play) -> None:
    link, request = await _question(play)
    names = [f"iqn.2025-12.local:part{n}" for n in range(3)]
    await _answer_in(play, link, request, *((_records(name), False) for name in names))
    await _expect_listed(play, *names)


@scenario(
    "TX-03",
    "An answer may be cut within a key.",
    _ASKS_FOR_PART,
    Drive.DISCOVERY,
    mutants=("text-first-part",),
    unh=("FFP 18.2",),
)
async def answer_is_cut(play: Play) -> None:
    link, request = await _question(play)
    text = _records(_NAME, "iqn.2025-12.local:two")
    cuts = (0, 7, 20, 60, len(text))
    pieces = [text[start:end] for start, end in pairwise(cuts)]
    await _answer_in(play, link, request, *((piece, True) for piece in pieces))
    await _expect_listed(play, _NAME, "iqn.2025-12.local:two")


@scenario(
    "TX-04",
    "A thousand targets are listed.",
    _ALL_LISTED,
    Drive.DISCOVERY,
    mutants=("text-first-part",),
)
async def many_targets(play: Play) -> None:
    link, request = await _question(play)
    names = [f"iqn.2025-12.local:many.targets.of.one.node.{n:04}" for n in range(_MANY)]
    text = _records(*names)
    size = min(link.parameters.initiator_max_recv_data_segment_length, 8192)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    await _answer_in(play, link, request, *((piece, True) for piece in pieces))
    await _expect_listed(play, names[0], names[_MANY // 2], names[-1])


@scenario(
    "TX-05",
    "A target without an address is to be found where it was asked for.",
    _LISTED_WITHOUT,
    Drive.DISCOVERY,
    mutants=("text-list-picked",),
)
async def no_address(play: Play) -> None:
    link, request = await _question(play)
    await link.answer(request, data=_records(_NAME, address=""))
    await _expect_listed(play, _NAME, rule=_LISTED_WITHOUT)


@scenario(
    "TX-06",
    "Addresses may be IPv6 addresses or names, in several portal groups.",
    _ALL_LISTED,
    Drive.DISCOVERY,
    mutants=("text-list-picked",),
)
async def several_addresses(play: Play) -> None:
    link, request = await _question(play)
    addresses = ("127.0.0.1:3260,1", "[::1]:3260,2", "storage.example:3261,3")
    pairs = [("TargetName", _NAME), *(("TargetAddress", address) for address in addresses)]
    await link.answer(request, data=encode(pairs))
    await _expect_listed(play, "127.0.0.1", "::1", "storage.example")


@scenario(
    "TX-07",
    "That there are no targets is an answer like any other.",
    _ALL_LISTED,
    Drive.DISCOVERY,
    mutants=("text-list-picked",),
)
async def no_targets(play: Play) -> None:
    link, request = await _question(play)
    await link.answer(request)
    ending = await play.ending()
    play.check(ending.how in (How.DONE, How.UNKNOWN), f"it is taken for an error ({ending})")


@scenario(
    "TX-08",
    "The transfer tag of a final answer is ignored.",
    _FINAL,
    Drive.DISCOVERY,
    stimulus=Stimulus.BREACH,
    mutants=("text-final-goes-on",),
    unh=("FFP 18.3",),
)
async def final_with_a_tag(play: Play) -> None:
    link, request = await _question(play)
    await link.answer(request, data=_records(_NAME), ttt=_TTT)
    before = link.count
    await link.run_for(1)
    more = [pdu for pdu in link.since(before) if isinstance(pdu, TextRequest)]
    play.check(not more, "there is a request for more")


@scenario(
    "TX-09",
    "A negotiation whose request is rejected has failed, and no more than that.",
    _FAILED,
    Drive.DISCOVERY,
    stimulus=Stimulus.BREACH,
    mutants=("reject-ignored",),
)
async def rejected(play: Play) -> None:
    link, request = await _question(play)
    await link.say(reject(request, RejectReason.PROTOCOL_ERROR))
    await play.expect_survival("the rejected request is waited for", 8)


@scenario(
    "TX-10",
    "Keys that do not belong to a list of targets do no harm.",
    _UNKNOWN_KEYS,
    Drive.DISCOVERY,
    stimulus=Stimulus.BREACH,
    unh=("FFP 18.4",),
)
async def other_keys(play: Play) -> None:
    link, request = await _question(play)
    await link.answer(request, data=_records(_NAME) + encode([("X-com.example.colour", "blue")]))
    ending = await play.ending()
    play.inform(ending.survived, str(ending))


@scenario(
    "TX-11",
    "While a Text Request is not answered there is no other on its connection.",
    _ONE,
    Drive.DISCOVERY,
    mutants=("text-again",),
)
async def no_answer(play: Play) -> None:
    link, _ = await _question(play)
    before = link.count
    await link.run_for(3)
    more = [pdu for pdu in link.since(before) if isinstance(pdu, TextRequest)]
    play.check(not more, f"{len(more)} others come")
    await link.close()


@scenario(
    "TX-12",
    "A discovery ends with a logout of the session.",
    _CLOSES_ALL,
    Drive.DISCOVERY,
    mutants=("logout-reason",),
)
async def discovery_ends(play: Play) -> None:
    link, request = await _question(play)
    await link.answer(request, data=_records(_NAME))
    logout = await play.expect(link, LogoutRequest, breach="no logout comes", rule=_LOGS_OUT)
    play.check(logout.reason == 0, f"the logout is for reason {logout.reason}")
    await link.forward(logout)
