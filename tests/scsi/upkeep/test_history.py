from __future__ import annotations

import pytest

from trioscsi.scsi import Nexus, Refusal
from trioscsi.scsi.complaints import COMMAND_SEQUENCE_ERROR, OPERATION_IN_PROGRESS
from trioscsi.scsi.plan import Failed
from trioscsi.scsi.upkeep.history import DIRECTORY, ENTRY, History

OTHER = Nexus("other", "target")


@pytest.fixture
def history() -> History:
    history = History()
    history.add(1.5, "first")
    return history


def directory(
    history: History, nexus: Nexus, *, fresh: bool = False, take_over: bool = False
) -> int:
    """The length of the lines, as the directory says it."""
    data = history.directory("ACME", nexus, fresh=fresh, take_over=take_over)
    assert data[:8] == b"ACME    "
    assert DIRECTORY.decode(data)["directory_length"] == len(data) - 32 == 8
    entry = ENTRY.decode(data[32:])
    assert entry["supported_buffer_id"] == History.LINES
    return entry["maximum_available_length"]


def refusal(call: object) -> Failed:
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.plan


def test_errors_are_lines_of_seconds_and_text(history: History, nexus: Nexus) -> None:
    assert directory(history, nexus) == len("1.500 first\n")
    assert history.read(nexus) == b"1.500 first\n"


def test_the_oldest_errors_give_way(nexus: Nexus) -> None:
    history = History()
    for number in range(70):
        history.add(number, "error")
    directory(history, nexus)
    lines = history.read(nexus).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (64, b"6.000 error", b"69.000 error")


def test_a_snapshot_stays_until_a_new_one_is_asked_for(history: History, nexus: Nexus) -> None:
    before = directory(history, nexus)
    history.add(2, "second")
    assert directory(history, nexus) == before
    assert history.read(nexus) == b"1.500 first\n"
    assert directory(history, nexus, fresh=True) > before
    assert history.read(nexus) == b"1.500 first\n2.000 second\n"


def test_without_a_directory_there_is_nothing_to_read(history: History, nexus: Nexus) -> None:
    assert refusal(lambda: history.read(nexus)) == Failed(COMMAND_SEQUENCE_ERROR)


def test_one_nexus_reads_at_a_time_but_another_may_take_over(
    history: History, nexus: Nexus
) -> None:
    directory(history, nexus)
    busy = Failed(OPERATION_IN_PROGRESS)
    assert refusal(lambda: directory(history, OTHER)) == busy
    assert refusal(lambda: history.read(OTHER)) == busy
    assert refusal(lambda: history.release(OTHER, snapshot=True)) == busy
    directory(history, OTHER, take_over=True)
    assert history.read(OTHER)
    assert refusal(lambda: history.read(nexus)) == busy


@pytest.mark.parametrize("snapshot", [False, True])
def test_whoever_has_read_enough_lets_others_read(
    history: History, nexus: Nexus, snapshot: bool
) -> None:
    before = directory(history, nexus)
    history.add(2, "second")
    history.release(nexus, snapshot=snapshot)
    assert refusal(lambda: history.read(nexus)) == Failed(COMMAND_SEQUENCE_ERROR)
    assert (directory(history, OTHER) > before) is snapshot


def test_a_nexus_that_is_lost_reads_no_more(history: History, nexus: Nexus) -> None:
    directory(history, nexus)
    history.forget(OTHER)
    assert history.read(nexus)
    history.forget(nexus)
    directory(history, OTHER)
