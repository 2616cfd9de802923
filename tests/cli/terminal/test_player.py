from __future__ import annotations

from math import inf

from tests.cli.terminal.script import Script, session
from trioscsi.cli.terminal.player import SPEEDS, Player


def player(**options: object) -> tuple[Player, Script]:
    script = Script(*session())
    return Player(script, **options), script


def test_while_it_plays_what_is_there_is_shown():
    playing, script = player(speed=0.5)
    count = script.waiting
    assert len(playing.tick(0.1)) == count
    assert script.passed == 0.05
    assert playing.tick(0.1) == []


def test_as_fast_as_it_can_be_is_faster_than_any_time():
    playing, script = player(speed=inf)
    playing.tick(0)
    assert script.passed > 1e6


def test_a_pause_shows_nothing_and_keeps_everything():
    playing, script = player()
    count = script.waiting
    playing.paused = True
    assert playing.tick(10) == []
    assert playing.waiting == count
    assert script.passed == 0
    playing.paused = False
    assert len(playing.tick(0.1)) == count


def test_a_step_shows_one_thing_and_pauses():
    playing, _ = player()
    first = playing.step()
    assert [message["type"] for message in first] == ["hello", "connection"]
    assert playing.paused
    kinds = []
    while step := playing.step():
        *before, last = (message["type"] for message in step)
        assert not {"pdu", "transition", "note", "closed", "connection"} & set(before)
        kinds.append(last)
    assert kinds.count("pdu") == 9
    assert kinds[-1] == "closed"


def test_after_steps_it_goes_on_where_it_was():
    playing, script = player()
    count = script.waiting
    shown = len(playing.step()) + len(playing.step())
    playing.paused = False
    assert shown + len(playing.tick(0.1)) == count


def test_a_step_lets_the_source_go_forward_if_nothing_is_there():
    playing, script = player()
    later, script.messages = script.messages, []
    script.forward = lambda: bool(later) and not script.messages.append(later.pop(0))
    assert [message["type"] for message in playing.step()] == ["hello", "connection"]


def test_speeds_go_up_and_down_to_their_ends():
    playing, _ = player(speed=1.0)
    playing.faster()
    assert playing.speed == 2
    for _ in SPEEDS:
        playing.faster()
    assert playing.speed == inf
    for _ in range(20):
        playing.slower()
    assert playing.speed == SPEEDS[0]


def test_all_messages_come_and_in_between_it_naps():
    playing, script = player()
    count = script.waiting
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            script.over = "the end"

    assert len(list(playing.all(clock=lambda: 0.0, nap=nap))) == count
    assert len(naps) == 3
    assert playing.over == "the end"
