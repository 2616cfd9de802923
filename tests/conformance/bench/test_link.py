"""The words of a scenario on one connection, each by itself."""

from __future__ import annotations

import pytest
import trio

from tests.conformance.bench.stage import Stage, on_stage
from trioscsi.conformance.bench.faults import changing, dropping
from trioscsi.conformance.bench.link import Left, Silence
from trioscsi.conformance.bench.words import ping
from trioscsi.pdu import (
    NO_TASK,
    LogoutRequest,
    NopIn,
    NopOut,
    Reject,
    ScsiCommand,
    ScsiResponse,
    encode,
)
from trioscsi.serial import add
from trioscsi.text import Side


def command(cmd_sn: int = 1, **fields: int) -> ScsiCommand:
    return ScsiCommand(**{"itt": cmd_sn, "cmd_sn": cmd_sn, "exp_stat_sn": 11, **fields})


def good(itt: int, stat_sn: int = 11, **fields: int) -> ScsiResponse:
    return ScsiResponse(
        **{"itt": itt, "stat_sn": stat_sn, "exp_cmd_sn": 2, "max_cmd_sn": 9, **fields}
    )


# What a scenario waits for.


def test_what_is_taken_does_not_go_on_and_all_else_does():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(NopOut(itt=5, immediate=True, cmd_sn=1), command())
        taken = await stage.link.take(ScsiCommand)
        assert taken.itt == 1
        assert isinstance(await stage.target.receive(), NopOut)
        await stage.initiator.send(NopOut(itt=6, immediate=True, cmd_sn=2))
        await stage.link.see(NopOut)
        assert (await stage.target.receive()).itt == 6

    on_stage(act)


def test_what_is_seen_goes_on_as_well():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(command())
        seen = await stage.link.see(ScsiCommand)
        assert (await stage.target.receive()).itt == seen.itt

    on_stage(act)


def test_a_condition_says_which_pdu_is_waited_for():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(command(1), command(2))
        taken = await stage.link.take(ScsiCommand, where=lambda pdu: pdu.cmd_sn == 2)
        assert taken.itt == 2
        assert (await stage.target.receive()).itt == 1

    on_stage(act)


def test_what_does_not_come_in_time_is_silence():
    async def act(stage: Stage) -> None:
        before = trio.current_time()
        with pytest.raises(Silence, match="no NopOut or ScsiCommand within 3 seconds"):
            await stage.link.take(NopOut, ScsiCommand, within=3)
        assert trio.current_time() - before >= 3

    on_stage(act)


@pytest.mark.parametrize("side", list(Side))
def test_whoever_closes_is_told_of_by_name_and_both_sides_end(side: Side):
    async def act(stage: Stage) -> None:
        ends = {Side.INITIATOR: stage.initiator, Side.TARGET: stage.target}
        await ends[side].close()
        with pytest.raises(Left, match=f"the {side.value} has closed the connection") as left:
            await stage.link.take(NopOut)
        assert left.value.side is side
        assert not stage.link.is_open
        assert await ends[side.other].receive() == b""
        assert stage.watcher.told[-1] == (side, "the end")
        with pytest.raises(Left):
            await stage.link.say(ping())
        with pytest.raises(Left):
            await stage.link.write(b"bytes")

    on_stage(act)


def test_who_has_logged_out_is_told_of_by_that():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(LogoutRequest(itt=1, cmd_sn=1))
        await stage.initiator.close()
        with pytest.raises(Left, match="the initiator has logged out"):
            await stage.link.take(NopOut)

    on_stage(act)


def test_a_login_goes_through_to_what_was_agreed():
    async def act(stage: Stage) -> None:
        await stage.log_in(MaxBurstLength="65536")
        assert stage.link.parameters.max_burst_length == 65536
        assert stage.link.known.logged_in

    on_stage(act, logged_in=False)


def test_all_goes_through_for_so_many_seconds():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(command())
        before = trio.current_time()
        await stage.link.run_for(2)
        assert trio.current_time() - before >= 2
        assert (await stage.target.receive()).itt == 1

    on_stage(act)


def test_rest_lasts_until_it_is_interrupted():
    async def act(stage: Stage) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.link.rest)
            await stage.initiator.send(command())
            assert (await stage.target.receive()).itt == 1
            stage.link.interrupt()
        await stage.initiator.send(command(2))
        assert (await stage.link.take(ScsiCommand)).itt == 2

    on_stage(act)


def test_rest_lasts_until_a_side_closes():
    async def act(stage: Stage) -> None:
        await stage.initiator.close()
        await stage.link.rest()
        assert not stage.link.is_open

    on_stage(act)


def test_an_end_is_an_end_without_one_more_pdu():
    async def act(stage: Stage) -> None:
        await stage.target.send(good(7))
        await stage.initiator.close()
        assert await stage.link.is_ended()

    on_stage(act)


def test_who_says_one_word_more_has_not_ended():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(LogoutRequest(itt=1, cmd_sn=1))
        await stage.initiator.close()
        assert not await stage.link.is_ended()
        assert isinstance(await stage.target.receive(), LogoutRequest)

    on_stage(act)


def test_who_stays_has_neither_ended_nor_dropped_nor_given_up():
    async def act(stage: Stage) -> None:
        assert not await stage.link.is_ended(1)
        assert not await stage.link.is_dropped(1)
        assert not await stage.link.is_given_up(1)

    on_stage(act)


@pytest.mark.parametrize("wait", ["is_ended", "is_dropped", "is_given_up"])
def test_with_patience_all_is_waited_for_longer(wait: str):
    async def act(stage: Stage) -> None:
        stage.link.patience = 3.0
        began = trio.current_time()
        assert not await getattr(stage.link, wait)(2)
        assert 6 <= trio.current_time() - began < 7

    on_stage(act)


def test_with_patience_silence_is_longer():
    async def act(stage: Stage) -> None:
        stage.link.patience = 3.0
        began = trio.current_time()
        with pytest.raises(Silence, match="within 2 seconds"):
            await stage.link.take(NopOut, within=2)
        assert 6 <= trio.current_time() - began < 7

    on_stage(act)


def test_a_logout_gives_the_connection_up_but_does_not_drop_it():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(LogoutRequest(itt=1, cmd_sn=1))
        assert await stage.link.is_given_up()
        assert not await stage.link.is_dropped()

    on_stage(act)


def test_who_closes_without_a_logout_has_dropped_the_connection():
    async def act(stage: Stage) -> None:
        await stage.initiator.send(command())
        await stage.initiator.close()
        assert await stage.link.is_dropped()

    on_stage(act)


def test_an_end_of_the_target_is_none_of_the_initiator():
    async def act(stage: Stage) -> None:
        await stage.target.close()
        assert not await stage.link.is_given_up()

    on_stage(act)


def test_what_was_sent_since_a_moment_can_be_looked_up():
    async def act(stage: Stage) -> None:
        link = stage.link
        before = link.count
        assert link.since(before) == []
        await stage.initiator.send(command(1), command(2))
        told: list[int] = []
        link.on_request = lambda pdu: told.append(pdu.itt)
        await link.see(ScsiCommand, where=lambda pdu: pdu.itt == 2)
        assert [pdu.itt for pdu in link.since(before)] == told == [1, 2]
        assert link.last_raw[:1] == b"\x01"

    on_stage(act)


# What it says.


def test_what_was_taken_goes_on_with_what_was_changed():
    async def act(stage: Stage) -> None:
        link = stage.link
        await stage.initiator.send(command())
        await link.forward(await link.take(ScsiCommand), lun=3)
        assert (await stage.target.receive()).lun == 3
        await stage.target.send(good(1))
        await link.forward(await link.take(ScsiResponse), status=8)
        assert (await stage.initiator.receive()).status == 8

    on_stage(act)


def test_what_is_said_has_the_numbers_that_are_due():
    async def act(stage: Stage) -> None:
        await stage.link.say(ping(), NopIn(itt=NO_TASK, ttt=NO_TASK))
        first, second = await stage.initiator.receive(), await stage.initiator.receive()
        assert (first.stat_sn, second.stat_sn) == (11, 11)
        assert (first.exp_cmd_sn, first.max_cmd_sn) == (1, 8)

    on_stage(act)


def test_what_is_said_may_have_numbers_of_its_own():
    async def act(stage: Stage) -> None:
        await stage.link.say(ping(stat_sn=77, exp_cmd_sn=1, max_cmd_sn=8), number=False)
        assert (await stage.initiator.receive()).stat_sn == 77

    on_stage(act)


def test_pdus_that_are_said_together_come_at_once():
    async def act(stage: Stage) -> None:
        await stage.link.say(ping(1), ping(2), together=True)
        assert len(await stage.initiator.receive_bytes()) == 96

    on_stage(act)


def test_bytes_may_be_handed_over_in_small_segments():
    async def act(stage: Stage) -> None:
        stage.link.segment = 5
        await stage.link.say(ping(4))
        assert (await stage.initiator.receive()).ttt == 4

    on_stage(act)


def test_an_answer_stands_for_that_of_the_target_whose_numbers_follow():
    async def act(stage: Stage) -> None:
        link = stage.link
        await stage.initiator.send(command(1))
        await link.answer(await link.take(ScsiCommand), status=8)
        answer = await stage.initiator.receive()
        assert (answer.itt, answer.status, answer.stat_sn) == (1, 8, 11)
        await stage.initiator.send(command(2, exp_stat_sn=12))
        await link.see(ScsiCommand)
        request = await stage.target.receive()
        assert (request.cmd_sn, request.exp_stat_sn) == (1, 11)
        await stage.target.send(good(2))
        await link.see(ScsiResponse)
        answer = await stage.initiator.receive()
        assert (answer.stat_sn, answer.exp_cmd_sn) == (12, 3)

    on_stage(act)


def test_a_command_that_is_refused_leaves_its_number_open():
    async def act(stage: Stage) -> None:
        link = stage.link
        await stage.initiator.send(command(1))
        await link.refuse(await link.take(ScsiCommand), 4)
        rejected = await stage.initiator.receive()
        assert isinstance(rejected, Reject)
        assert (rejected.reason, rejected.exp_cmd_sn) == (4, 1)

    on_stage(act)


def test_bytes_go_to_the_initiator_as_they_are():
    async def act(stage: Stage) -> None:
        await stage.link.write(b"no PDU")
        assert await stage.initiator.receive_bytes() == b"no PDU"
        assert stage.watcher.told[-1] == (Side.TARGET, "NoneType")

    on_stage(act)


def test_faults_lie_over_all_that_goes_to_the_initiator_until_it_heals():
    async def act(stage: Stage) -> None:
        link = stage.link
        link.spoil(changing(NopIn, ttt=99))
        link.spoil(dropping(ScsiResponse))
        await link.say(ping(1), good(1), ping(2))
        assert [(await stage.initiator.receive()).ttt for _ in range(2)] == [99, 99]
        link.heal()
        await link.say(ping(3))
        assert (await stage.initiator.receive()).ttt == 3

    on_stage(act)


def test_bytes_may_be_sent_instead_of_a_pdu():
    async def act(stage: Stage) -> None:
        stage.link.spoil(lambda pdu: (b"instead",))
        await stage.link.say(ping())
        assert await stage.initiator.receive_bytes() == b"instead"

    on_stage(act)


def test_damage_is_done_to_bytes():
    async def act(stage: Stage) -> None:
        stage.link.damage(lambda data, pdu: data[:-1])
        await stage.link.say(ping())
        assert len(await stage.initiator.receive_bytes()) == 47

    on_stage(act)


def test_a_window_that_is_closed_stays_so_until_it_is_opened():
    async def act(stage: Stage) -> None:
        link = stage.link
        link.close_window()
        await stage.target.send(good(1, max_cmd_sn=20))
        await link.see(ScsiResponse)
        assert (await stage.initiator.receive()).max_cmd_sn == 8
        link.open_window()
        await stage.target.send(good(1, stat_sn=12, max_cmd_sn=21))
        await link.see(ScsiResponse)
        assert (await stage.initiator.receive()).max_cmd_sn == 21

    on_stage(act)


def test_so_many_commands_are_granted_by_a_nop_in():
    async def act(stage: Stage) -> None:
        stage.link.close_window()
        await stage.link.grant(3)
        granted = await stage.initiator.receive()
        assert (granted.itt, granted.ttt, granted.max_cmd_sn) == (NO_TASK, NO_TASK, 11)
        stage.link.open_window()
        await stage.link.grant(1)
        assert (await stage.initiator.receive()).max_cmd_sn == add(11)

    on_stage(act)


def test_statuses_may_be_left_out():
    async def act(stage: Stage) -> None:
        stage.link.skip_status(2)
        await stage.link.say(good(1))
        assert (await stage.initiator.receive()).stat_sn == 13

    on_stage(act)


def test_a_connection_is_closed_on_both_sides_and_once():
    async def act(stage: Stage) -> None:
        await stage.link.close()
        await stage.link.close()
        assert await stage.initiator.receive() == b""
        assert await stage.target.receive() == b""
        assert stage.watcher.told.count((Side.TARGET, "the end")) == 1

    on_stage(act)


def test_who_has_said_all_may_go_on_listening():
    async def act(stage: Stage) -> None:
        await stage.link.half_close()
        assert await stage.initiator.receive() == b""
        await stage.initiator.send(command())
        assert (await stage.link.take(ScsiCommand)).itt == 1

    on_stage(act)


def test_a_half_open_connection_outlives_the_target():
    async def act(stage: Stage) -> None:
        stage.link.half_open = True
        await stage.target.close()
        await stage.link.run_for(1)
        await stage.initiator.send(command())
        assert (await stage.link.take(ScsiCommand)).itt == 1
        await stage.initiator.close()
        with pytest.raises(Left, match="the initiator has closed the connection"):
            await stage.link.take(ScsiCommand)

    on_stage(act)


def test_a_connection_that_is_broken_off_ends_by_an_error():
    async def act(stage: Stage) -> None:
        await stage.link.reset()
        with pytest.raises(trio.BrokenResourceError):
            await stage.initiator.receive()

    on_stage(act)


# How it is done.


@pytest.mark.parametrize("end", ["half_close", "reset"])
def test_what_is_closed_cannot_be_ended_in_another_way(end: str):
    async def act(stage: Stage) -> None:
        await stage.initiator.close()
        await stage.link.run_for(1)
        with pytest.raises(Left, match="the initiator has closed the connection"):
            await getattr(stage.link, end)()

    on_stage(act)


@pytest.mark.parametrize("end", ["half_close", "reset"])
def test_what_both_sides_have_closed_unseen_may_be_ended_all_the_same(end: str):
    async def act(stage: Stage) -> None:
        await stage.initiator.close()
        await stage.target.close()
        await trio.testing.wait_all_tasks_blocked(0.01)
        await getattr(stage.link, end)()

    on_stage(act)


def test_digests_are_those_that_were_agreed():
    async def act(stage: Stage) -> None:
        await stage.log_in(HeaderDigest="CRC32C", DataDigest="CRC32C")
        await stage.link.say(ping())
        assert len(await stage.initiator.receive_bytes()) == 52

    on_stage(act, logged_in=False)


@pytest.mark.parametrize(("place", "whole"), [(48, False), (-1, True)])
def test_what_is_damaged_goes_on_as_it_is_and_is_counted(place: int, *, whole: bool):
    async def act(stage: Stage) -> None:
        await stage.log_in(HeaderDigest="CRC32C", DataDigest="CRC32C")
        pdu = NopOut(itt=1, cmd_sn=1, immediate=True, data=b"data")
        data = bytearray(b"".join(encode(pdu, header_digest=True, data_digest=True)))
        data[place] ^= 1
        await stage.initiator.send_bytes(bytes(data))
        before = stage.link.count
        await stage.link.run_for(1)
        assert await stage.target.receive_bytes() == data
        assert stage.link.damaged == 1
        assert stage.link.count - before == whole
        assert stage.link.last_raw == data

    on_stage(act, logged_in=False)
