"""RC: sessions that fail and come back at level 0 (RFC 7143 sections 6.3.5, 7.5 and 7.15)."""

from __future__ import annotations

from trioscsi.conformance.bench.faults import dropping
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import reads_blocks
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import r2t
from trioscsi.conformance.bench.writings import writes_blocks
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    DataIn,
    DataOut,
    LoginRequest,
    LoginResponse,
    LoginStatus,
    Pdu,
    ScsiCommand,
)
from trioscsi.text import Stage

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_RECOVERED = Rule("7143-7.14-1")
_SAME_PORT = Rule("7143-7.15-1")
_NEW_TASKS = Rule("7143-7.1.4.4-1")
_WAITS = Rule("7143-7.5-1", Level.SHOULD)
_TSIH = Rule("7143-13.16-1")
_NOTICED = Rule("7143-7.14-1", Level.NOTE)
_TRIES = Rule("7143-11.13.5-6", Level.NOTE)
_SAME_ISID = Rule("7143-10.1.1-1", Level.SHOULD)

_TIME_TO_WAIT, _AT_LEAST = 5, 3.5
"""Seconds that the target asks for, and how long they are by clocks without fractions."""
_ON_ITS_WAY, _AFTER = 0.2, 2.0
"""Seconds for what was sent before a login was accepted, and for what must not be sent after it."""
_BACK = 20.0
"""Seconds within which an initiator comes back."""


async def _busy(play: Play) -> Link:
    """A session in which commands are going on."""
    link = await play.session()
    for _ in range(4):
        await link.see(ScsiCommand)
    return link


async def _returns(play: Play, before: Link) -> Link:
    """The initiator comes back; it is the same initiator port, and its session a new one."""
    link = await play.expect_connection("it does not come back", _BACK)
    request = await link.see(LoginRequest)
    first = before.known.first_login
    assert first is not None
    play.check(request.tsih == 0, f"it comes back with TSIH {request.tsih:#06x}", _SAME_PORT)
    play.check(request.isid == first.isid, "it comes back with another ISID", _SAME_ISID)
    return link


async def _recovers(play: Play, before: Link) -> None:
    """It comes back, and goes on as if nothing had been."""
    link = await _returns(play, before)
    await link.login()
    await link.see(ScsiCommand, within=10)
    play.check(True, "")


@scenario(
    "RC-01",
    "An initiator whose connection was broken off logs in anew: same ISID, no TSIH.",
    _SAME_PORT,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    needs={Ability.RECOVERS},
    mutants=("recovery-tsih", "recovery-stranger", "recovery-none"),
)
async def reset(play: Play) -> None:
    link = await _busy(play)
    await link.run_for(0.3)
    await link.reset()
    await _recovers(play, link)


@scenario(
    "RC-02",
    "A write whose connection was broken off fails, or is done anew and whole.",
    _NEW_TASKS,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    target={"initial_r2t": True, "immediate_data": False},
    needs={Ability.RECOVERS},
    mutants=("recovery-none",),
)
async def reset_in_a_write(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand, where=writes_blocks)
    half = command.expected_data_transfer_length // 2
    await link.say(r2t(command, 0, half, ttt=1))
    await link.take(DataOut)
    await link.reset()
    again = await _returns(play, link)
    await again.login()
    write = await again.take(ScsiCommand, where=writes_blocks, within=10)
    play.check(not write.data or not write.final, "it is not done anew as a whole")
    await again.forward(write)
    ending = await play.ending()
    play.check(ending.how is not How.WRONG_DATA, str(ending))


@scenario(
    "RC-03",
    "A read whose connection was broken off fails, or is done anew and whole.",
    _NEW_TASKS,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    needs={Ability.RECOVERS},
    mutants=("recovery-none",),
)
async def reset_in_a_read(play: Play) -> None:
    link = await play.session()
    await link.see(ScsiCommand, where=reads_blocks)
    data = await link.take(DataIn)
    await link.forward(data, final=False, has_status=False, data=bytes(data.data[:512]))
    await link.reset()
    again = await _returns(play, link)
    await again.login()
    await again.see(ScsiCommand, where=reads_blocks, within=10)
    play.check(True, "")
    ending = await play.ending()
    play.check(ending.how is not How.WRONG_DATA, str(ending))


@scenario(
    "RC-04",
    "An initiator whose connection is gone waits for DefaultTime2Wait before it comes back.",
    _WAITS,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    target={"default_time2wait": _TIME_TO_WAIT},
    needs={Ability.RECOVERS},
    mutants=("recovery-hasty",),
)
async def time_to_wait(play: Play) -> None:
    link = await _busy(play)
    await link.close()
    hasty = "it comes back before DefaultTime2Wait is over"
    play.check(await play.has_no_other(_AT_LEAST), hasty)
    await play.connection(_BACK)


@scenario(
    "RC-05",
    "Where nothing is retained, the TSIH of the session that has failed is not used again.",
    _TSIH,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    target={"default_time2retain": 0},
    needs={Ability.RECOVERS},
    mutants=("recovery-tsih",),
)
async def nothing_is_retained(play: Play) -> None:
    link = await _busy(play)
    await link.close()
    again = await play.expect_connection("it does not come back", _BACK)
    request = await again.see(LoginRequest)
    play.check(request.tsih == 0, f"it comes back with TSIH {request.tsih:#06x}")


@scenario(
    "RC-06",
    "An initiator that comes back while the target is out of resources tries again, not at once.",
    _TRIES,
    Drive.RECOVER,
    needs={Ability.RECOVERS},
    mutants=("recovery-restless",),
)
async def out_of_resources(play: Play) -> None:
    link = await _busy(play)
    await link.close()
    for attempt in range(2):
        again = await play.connection(_BACK)
        request = await again.take(LoginRequest)
        status = divmod(LoginStatus.SERVICE_UNAVAILABLE, 256)
        await again.answer(request, transit=False, status_class=status[0], status_detail=status[1])
        play.inform(await again.is_ended(3), "the refused connection stays")
        if attempt:
            play.inform(await play.has_no_other(0.2), "it tries again at once")
    await play.connection(_BACK)


@scenario(
    "RC-07",
    "An initiator whose session the target does not know any more begins a new one.",
    _TRIES,
    Drive.RECOVER,
    needs={Ability.RECOVERS},
)
async def restarted(play: Play) -> None:
    link = await _busy(play)
    await link.close()
    again = await play.connection(_BACK)
    request = await again.take(LoginRequest)
    if request.tsih:
        status = divmod(LoginStatus.SESSION_DOES_NOT_EXIST, 256)
        await again.answer(request, transit=False, status_class=status[0], status_detail=status[1])
        again = await play.connection(_BACK)
        request = await again.take(LoginRequest)
    play.inform(not request.tsih, "it insists on the old session")
    await again.forward(request)


@scenario(
    "RC-08",
    "An initiator to which nothing comes any more notices it in the end.",
    _NOTICED,
    Drive.PING,
    stimulus=Stimulus.FAULT,
    mutants=("ping-patient",),
)
async def black_hole(play: Play) -> None:
    link = await play.session()
    await link.see(ScsiCommand)
    link.spoil(dropping(Pdu))
    play.inform(await link.is_dropped(12), "it goes on for more than 12 seconds")


@scenario(
    "RC-09",
    "However often a connection is lost, there is one at a time, and one ISID.",
    _SAME_ISID,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    needs={Ability.RECOVERS},
    target={"default_time2wait": 0},
    mutants=("recovery-stranger",),
)
async def many_drops(play: Play) -> None:
    link = await _busy(play)
    for _ in range(5):
        await link.reset()
        again = await _returns(play, link)
        await again.login()
        await again.see(ScsiCommand, within=10)
        others = [other for other in play.links if other.is_open and other is not again]
        play.check(not others, f"{len(others)} other connections are open")
        link = again


@scenario(
    "RC-10",
    "An initiator whose connection the target closes comes back.",
    _RECOVERED,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    needs={Ability.RECOVERS},
    mutants=("recovery-none",),
)
async def closed(play: Play) -> None:
    link = await _busy(play)
    await link.close()
    await _recovers(play, link)


@scenario(
    "RC-11",
    "With a session that takes the place of another, nothing is sent in the old one.",
    Rule("7143-4.4.3-1"),
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    needs={Ability.RECOVERS},
    mutants=("recovery-ghost",),
)
async def half_open(play: Play) -> None:
    link = await _busy(play)
    link.spoil(dropping(Pdu))
    link.half_open = True
    again = await play.connection(_BACK)
    request = await again.see(LoginRequest)
    first = link.known.first_login
    assert first is not None
    if request.isid != first.isid:
        raise NotExercised("it comes back with another ISID, and takes the place of no session")
    response = await again.take(
        LoginResponse, where=lambda pdu: pdu.transit and pdu.nsg == Stage.FULL_FEATURE
    )
    await link.run_for(_ON_ITS_WAY)
    before = link.count
    await again.forward(response)
    play.leave(again)
    await link.run_for(_AFTER)
    play.check(link.count == before, "PDUs come in the old session")
