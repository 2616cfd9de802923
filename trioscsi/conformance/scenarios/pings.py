"""NP: pings (RFC 7143 sections 11.18 and 11.19)."""

from __future__ import annotations

from trioscsi.conformance.bench.faults import dropping
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import ping
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import NO_TASK, NopIn, NopOut, ScsiCommand
from trioscsi.protocol.view import NOWHERE

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_ANSWERED = Rule("7143-11.18-1")
_UNASKED = Rule("7143-11.18-2", Level.SHOULD)
_SAME_TAG = Rule("7143-11.18.2-1")
_SAME_LUN = Rule("7143-11.18.2-2")
_IMMEDIATE = Rule("7143-11.18.1-1")
_FORMAT = Rule("7143-7.7-1")
_FAILURE = Rule("7143-7.14-1", Level.NOTE)


async def _idle(play: Play) -> Link:
    """A session in which nothing happens."""
    link = await play.session()
    await link.run_for(1)
    return link


def _is_answer(pdu: NopOut) -> bool:
    return pdu.ttt != NO_TASK


def _is_ping(pdu: NopOut) -> bool:
    return pdu.itt != NO_TASK


@scenario(
    "NP-01",
    "A ping is answered once, with its tag and its unit, and without counting CmdSN up.",
    _ANSWERED,
    Drive.IDLE,
    mutants=("ping-ignored", "ping-tag", "ping-lun", "ping-both-tags", "ping-counted"),
    unh=("FFP 15.1",),
)
async def ping_is_answered(play: Play) -> None:
    link = await _idle(play)
    expected = link.numbers.exp_cmd_sn
    await link.say(ping(ttt=7))
    answer = await play.expect(link, NopOut, breach="the ping is not answered")
    play.check(answer.ttt == 7, f"the answer has the tag {answer.ttt:#x}", _SAME_TAG)
    play.check(answer.lun == 0, f"the answer has the LUN {answer.lun:016x}", _SAME_LUN)
    play.check(answer.itt == NO_TASK, "the answer has a task tag", _SAME_TAG)
    play.check(answer.immediate, "the answer is not immediate", _IMMEDIATE)
    play.check(answer.cmd_sn == expected, "the answer has another CmdSN than is due")
    before = link.count
    await link.run_for(1)
    again = [pdu for pdu in link.since(before) if isinstance(pdu, NopOut) and _is_answer(pdu)]
    play.check(not again, "the ping is answered twice")


@scenario(
    "NP-02",
    "A ping is answered while there is much to do and the command window is closed.",
    _ANSWERED,
    Drive.MIXED,
    mutants=("ping-ignored",),
)
async def ping_under_load(play: Play) -> None:
    link = await play.session()
    await link.see(ScsiCommand)
    link.close_window()
    await link.run_for(0.5)
    await link.say(ping(ttt=9))
    await play.expect(
        link, NopOut, where=lambda pdu: pdu.ttt == 9, breach="the ping is not answered"
    )
    play.check(True, "")
    link.open_window()


@scenario(
    "NP-03",
    "Of several pings at once each is answered once.",
    _ANSWERED,
    Drive.IDLE,
    mutants=("ping-once",),
)
async def many_pings(play: Play) -> None:
    link = await _idle(play)
    tags = list(range(100, 116))
    await link.say(*(ping(ttt=tag) for tag in tags))
    found: list[int] = []
    while len(found) < len(tags):
        answer = await play.expect(
            link, NopOut, where=_is_answer, breach=f"{len(found)} of {len(tags)} are answered"
        )
        found.append(answer.ttt)
    play.check(sorted(found) == tags, "one is answered twice, and another not at all")


@scenario(
    "NP-04",
    "A NOP-In that wants no answer gets none.",
    _UNASKED,
    Drive.IDLE,
    mutants=("ping-unasked",),
)
async def no_answer_wanted(play: Play) -> None:
    link = await _idle(play)
    before = link.count
    await link.say(ping(ttt=NO_TASK))
    await link.run_for(1.5)
    answers = [pdu for pdu in link.since(before) if isinstance(pdu, NopOut) and not _is_ping(pdu)]
    play.check(not answers, "it is answered")


@scenario(
    "NP-05",
    "A ping of the initiator has a task tag and no transfer tag.",
    _SAME_TAG,
    Drive.PING,
    mutants=("ping-own-tag",),
    unh=("FFP 15.2",),
)
async def own_ping(play: Play) -> None:
    link = await play.session()
    own = await link.see(NopOut, where=_is_ping)
    play.check(own.ttt == NO_TASK, "it has a transfer tag as well")
    limit = link.known.segments
    play.check(len(own.data) <= min(limit.values()), "it has more data than may be sent")
    ending = await play.ending()
    play.check(ending.survived, str(ending))


@scenario(
    "NP-06",
    "An initiator whose pings are not answered gives the connection up.",
    _FAILURE,
    Drive.PING,
    stimulus=Stimulus.BREACH,
    mutants=("ping-patient",),
)
async def echo_is_withheld(play: Play) -> None:
    link = await play.session()
    await link.take(NopOut, where=_is_ping)
    link.spoil(dropping(NopIn, when=lambda pdu: pdu.itt != NO_TASK))
    play.inform(await link.is_dropped(15), "the connection is used as before")


@scenario(
    "NP-07",
    "A NOP-In that is both an answer and a ping ends the session.",
    _FORMAT,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
    mutants=("ping-contradicts",),
)
async def both_tags(play: Play) -> None:
    link = await _idle(play)
    await link.say(ping(ttt=5, itt=0x1234))
    await play.expect_drop(link, "the session goes on", 3)


@scenario(
    "NP-08",
    "A ping for a unit that cannot be ends the session.",
    _FORMAT,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
    mutants=("ping-nowhere",),
)
async def ping_from_nowhere(play: Play) -> None:
    link = await _idle(play)
    await link.say(ping(ttt=5, lun=NOWHERE))
    await play.expect_drop(link, "the session goes on", 3)


@scenario(
    "NP-09",
    "A ping with data is answered, or ends the session.",
    Rule("7143-11.18-1", Level.NOTE),
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
    mutants=("ping-ignored",),
)
async def ping_with_data(play: Play) -> None:
    link = await _idle(play)
    before = link.count
    await link.say(ping(ttt=5, data=b"ping"))
    dropped = await link.is_dropped(2)
    answered = any(isinstance(pdu, NopOut) and pdu.ttt == 5 for pdu in link.since(before))
    play.inform(dropped or answered, "it is neither answered nor refused")


@scenario(
    "NP-10",
    "A ping that comes back with other data does no harm.",
    _FAILURE,
    Drive.PING,
    stimulus=Stimulus.BREACH,
)
async def another_echo(play: Play) -> None:
    link = await play.session()
    own = await link.take(NopOut, where=_is_ping)
    await link.answer(own, data=bytes(own.data)[::-1] + b"!")
    ending = await play.ending()
    play.inform(ending.how not in (How.HUNG, How.CRASHED), str(ending))
    play.note("the initiator " + ("did not notice" if ending.how is How.DONE else "noticed"))
