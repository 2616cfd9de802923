from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks, Failing, at_once
from trioscsi.errors import BackendError, UsageError
from trioscsi.scsi import LogicalUnit
from trioscsi.scsi.modes.pages import CACHING, CONTROL, RIGID_DISK_GEOMETRY
from trioscsi.scsi.modes.state import Modes

D_SENSE, SWP = {CONTROL.key: {"d_sense": 1}}, {CONTROL.key: {"swp": 1}}


def test_values_are_those_by_default_until_they_are_changed(unit: LogicalUnit) -> None:
    modes = unit.modes
    assert modes.current(CONTROL.key) == modes.saved(CONTROL.key) == CONTROL.defaults(unit)
    assert (modes.wce, modes.scsip, modes.mrie, modes.d_sense, modes.swp) == (1, 1, 6, 0, 0)


def test_a_change_counts_at_once_and_can_be_undone(unit: LogicalUnit) -> None:
    modes = unit.modes
    before = modes.change({CONTROL.key: {"d_sense": 1, "qerr": 3}, CACHING.key: {"wce": 0}})
    assert (modes.d_sense, modes.qerr, modes.wce) == (1, 3, 0)
    assert modes.current(CONTROL.key)["qerr"] == 3
    modes.change(before)
    assert (modes.d_sense, modes.qerr, modes.wce) == (0, 0, 1)


def test_what_differs_from_the_current_values_is_told(unit: LogicalUnit) -> None:
    assert unit.modes.differ(D_SENSE)
    unit.modes.change(D_SENSE)
    assert not unit.modes.differ(D_SENSE)
    assert not unit.modes.differ({})


def test_whoever_watches_is_told_now_and_after_each_change(unit: LogicalUnit) -> None:
    seen: list[int] = []
    unit.modes.watch(lambda: seen.append(unit.modes.swp))
    unit.modes.change(SWP)
    unit.modes.reset()
    assert seen == [0, 1, 0]


def test_geometry_follows_a_resize(unit: LogicalUnit) -> None:
    unit.blocks = 2**21
    assert unit.modes.current(RIGID_DISK_GEOMETRY.key)["number_of_cylinders"] == 64


def test_a_reset_brings_back_what_was_saved(unit: LogicalUnit) -> None:
    storage = Blocks(unit)
    unit.modes.change(D_SENSE)
    at_once(unit.modes.save(storage))
    unit.modes.change(SWP)
    unit.modes.reset()
    assert (unit.modes.d_sense, unit.modes.swp) == (1, 0)
    assert unit.modes.saved(CONTROL.key)["d_sense"] == 1


def test_what_cannot_be_saved_was_not_saved(unit: LogicalUnit) -> None:
    unit.modes.change(D_SENSE)
    with pytest.raises(BackendError):
        at_once(unit.modes.save(Blocks(unit, fails={"save"})))
    unit.modes.reset()
    assert unit.modes.d_sense == 0


def test_what_cannot_be_saved_takes_nothing_back_that_was_saved_meanwhile(
    unit: LogicalUnit,
) -> None:
    unit.modes.change(D_SENSE)
    first = unit.modes.save(Failing(unit))
    first.send(None)
    at_once(unit.modes.save(Blocks(unit)))
    with pytest.raises(BackendError):
        first.send(None)
    unit.modes.reset()
    assert unit.modes.d_sense == 1


def test_a_restart_finds_what_was_saved(unit: LogicalUnit) -> None:
    storage = Blocks(unit)
    unit.modes.change({**SWP, CACHING.key: {"wce": 0}})
    at_once(unit.modes.save(storage))
    again = LogicalUnit(0, target_name="iqn.x", blocks=1000)
    again.restore("modes", storage.saved["modes"])
    assert (again.modes.swp, again.modes.wce, again.write_protected) == (1, 0, True)


def test_a_disk_that_has_lost_its_cache_forgets_how_that_was_switched(unit: LogicalUnit) -> None:
    again = LogicalUnit(0, target_name="iqn.x", blocks=1000, write_cache=False)
    again.restore("modes", b'{"08/00": {"wce": 1}}')
    assert again.modes.wce == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"1",
        b'{"3f/00": {}}',
        b'{"0a/00": []}',
        b'{"0a/00": {"d_sense": 1.0}}',
        b'{"0a/00": {"d_sense": 2}}',
        b'{"0a/00": {"d_sense": []}}',
        b'{"0a/00": {"no_field": 1}}',
        b'{"0a/00": {"gltsd": 1}}',
    ],
)
def test_what_was_never_saved_is_not_taken_back(unit: LogicalUnit, data: bytes) -> None:
    with pytest.raises(UsageError, match="LUN 0: the modes that were saved: "):
        unit.restore("modes", data)
    assert unit.modes.current(CONTROL.key) == CONTROL.defaults(unit)


def test_a_unit_without_such_pages_has_zeroes(unit: LogicalUnit) -> None:
    modes = Modes(unit, {})
    assert (modes.wce, modes.d_sense, modes.mrie) == (0, 0, 0)
    modes.restore(b"{}")


@given(
    st.fixed_dictionaries(
        {n: st.sampled_from(CONTROL.settings[n].takes) for n in ("tst", "qerr", "tas")}
    )
)
def test_whatever_is_saved_is_found_again(values: dict[str, int]) -> None:
    unit, again = (LogicalUnit(0, target_name="iqn.x", blocks=1000) for _ in range(2))
    storage = Blocks(unit)
    unit.modes.change({CONTROL.key: values})
    at_once(unit.modes.save(storage))
    again.modes.restore(storage.saved["modes"])
    assert again.modes.current(CONTROL.key) == unit.modes.current(CONTROL.key)
