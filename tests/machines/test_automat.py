from __future__ import annotations

import enum

import pytest
from automat import NoTransition
from hypothesis import given, settings
from hypothesis import strategies as st

from trioscsi.errors import UndefinedTransition
from trioscsi.machines import MACHINES, connection
from trioscsi.machines._automat import Effects, Rows, Running, automat_state

EVERY_MACHINE = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
CELLS = [
    pytest.param(machine, state.name, cause, id=f"{machine.name}-{state.name}-{cause}")
    for machine in MACHINES.values()
    for state in machine.states
    for cause in machine.inputs
]


def path_to(machine, state):
    """The shortest sequence of inputs that leads a new machine to ``state``."""
    paths = {machine.initial: ()}
    queue = [machine.initial]
    for reached in queue:
        for row in machine.transitions:
            if row.source == reached and row.target not in paths:
                paths[row.target] = (*paths[reached], row.cause)
                queue.append(row.target)
    return paths[state]


def in_state(machine, state):
    """The machine twice in ``state``: run from its table, and run by Automat."""
    pair = machine.start(), machine.automat(object())
    for cause in path_to(machine, state):
        for running in pair:
            getattr(running, cause)()
    return pair


@pytest.mark.parametrize(("machine", "state", "cause"), CELLS)
def test_the_table_and_automat_do_the_same_with_every_input_in_every_state(machine, state, cause):
    ours, automat = in_state(machine, state)
    assert ours.state == automat_state(automat) == state
    try:
        expected = getattr(automat, cause)()
    except NoTransition:
        assert not ours.hears(cause)
        with pytest.raises(UndefinedTransition) as refusal:
            getattr(ours, cause)()
        assert (refusal.value.machine, refusal.value.state) == (machine.name, state)
        assert (refusal.value.cause, refusal.value.section) == (cause, machine.section)
        assert f"section {machine.section}" in str(refusal.value)
    else:
        assert ours.hears(cause)
        assert getattr(ours, cause)() == expected
    assert ours.state == automat_state(automat)


@EVERY_MACHINE
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_table_and_automat_walk_the_same_way(machine, data):
    ours, automat = machine.start(), machine.automat(object())
    for cause in data.draw(st.lists(st.sampled_from(sorted(machine.inputs)), max_size=30)):
        if ours.hears(cause):
            assert getattr(ours, cause)() == getattr(automat, cause)()
            assert ours.state == automat_state(automat)


@EVERY_MACHINE
def test_a_watcher_sees_each_transition_and_no_refusal(machine):
    seen = []
    for row in machine.transitions:
        running = machine.start(seen.append)
        running.state = row.source
        assert getattr(running, row.cause)() == row.effects
        assert running.state == row.target
    assert seen == list(machine.transitions)

    for state in machine.states:
        for cause in machine.inputs:
            running = machine.start(seen.append)
            running.state = state.name
            if not running.hears(cause):
                with pytest.raises(UndefinedTransition):
                    getattr(running, cause)()
    assert len(seen) == len(machine.transitions)


@EVERY_MACHINE
def test_every_state_can_be_reached_and_every_input_heard_somewhere(machine):
    for state in machine.states:
        path_to(machine, state.name)
    assert {row.cause for row in machine.transitions} == set(machine.inputs)


@EVERY_MACHINE
def test_states_inputs_and_effects_have_a_sentence(machine):
    effects = {effect for row in machine.transitions for effect in row.effects}
    sentences = [machine.sentence, *(state.sentence for state in machine.states)]
    sentences += [effect.value for effect in effects]
    sentences += machine.inputs.values()
    for sentence in sentences:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "\n" not in sentence


@EVERY_MACHINE
def test_every_effect_is_used(machine):
    effects = {effect for row in machine.transitions for effect in row.effects}
    for kind in {type(effect) for effect in effects}:
        assert effects >= set(kind)


@EVERY_MACHINE
def test_symbols_are_not_given_twice(machine):
    assert len({state.symbol for state in machine.states}) == len(machine.states)


def test_a_machine_starts_in_its_first_state():
    assert connection.machine.initial == "FREE"
    assert connection.machine.start().state == "FREE"


def test_machines_do_not_share_a_state():
    one, other = connection.machine.start(), connection.machine.start()
    one.transport_connected()
    assert (one.state, other.state) == ("XPT_UP", "FREE")


class Lamp(Running):
    def push(self) -> Effects:
        """Somebody pushes the button."""


class Light(enum.Enum):
    ON = "Let there be light."


def test_two_states_of_one_name_are_refused():
    rows = Rows("lamp", Lamp, section="1", sentence="A lamp.")
    rows.state("DARK", "D", "No light.")
    with pytest.raises(ValueError, match="lamp has two states named DARK"):
        rows.state("DARK", "E", "Still no light.")


def test_two_transitions_for_one_input_are_refused():
    rows = Rows("lamp", Lamp, section="1", sentence="A lamp.")
    dark = rows.state("DARK", "D", "No light.")
    bright = rows.state("BRIGHT", "B", "Light.")
    rows.rfc("on", dark.upon(Lamp.push).to(bright), Light.ON)
    with pytest.raises(ValueError, match="already have transition"):
        rows.rfc("again", dark.upon(Lamp.push).to(dark))
