from __future__ import annotations

from trioscsi.machines.transfer import Effect, machine


def transfer(*causes):
    running = machine.start()
    return running, [getattr(running, cause)() for cause in causes]


def test_a_sequence_is_complete_with_its_last_pdu():
    running, effects = transfer("data_arrived", "data_arrived", "last_data_arrived")
    assert running.state == "COMPLETE"
    assert effects == [(Effect.STORE,), (Effect.STORE,), (Effect.STORE, Effect.END_SEQUENCE)]


def test_one_pdu_can_be_a_sequence():
    running, _ = transfer("last_data_arrived")
    assert running.state == "COMPLETE"


def test_a_sequence_that_ends_short_keeps_what_came_and_notes_the_fault():
    running, effects = transfer("data_arrived", "ended_short")
    assert running.state == "FAILED"
    assert effects[-1] == (Effect.STORE, Effect.NOTE_FAULT, Effect.END_SEQUENCE)


def test_after_a_fault_nothing_is_stored_until_the_sequence_ends():
    running, effects = transfer("data_arrived", "fault_found", "data_arrived", "last_data_arrived")
    assert running.state == "FAILED"
    assert effects[1:] == [(Effect.NOTE_FAULT,), (), (Effect.END_SEQUENCE,)]


def test_every_sequence_ends_once():
    for row in machine.transitions:
        ends = row.target in {"COMPLETE", "FAILED"}
        assert (Effect.END_SEQUENCE in row.effects) is ends
