from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks
from trioscsi.errors import BackendError
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Outcome,
    Receive,
    Reply,
    ScsiTarget,
)
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_field, invalid_parameter
from trioscsi.scsi.modes.pages import CACHING, CONTROL, CONTROL_EXTENSION, DISK_PAGES
from trioscsi.scsi.modes.pages import INFORMATIONAL_EXCEPTIONS_CONTROL as EXCEPTIONS
from trioscsi.scsi.modes.sense import HEADER_6, HEADER_10

NAME = "iqn.2026-11.example:disk"
CHANGED = AdditionalSense.MODE_PARAMETERS_CHANGED
PF, RTD, SP = 0x10, 0x02, 0x01
NO_HEADER, NO_HEADER_10 = bytes(4), bytes(8)

Select = Callable[..., Outcome]


@pytest.fixture
def storage(unit: LogicalUnit) -> Blocks:
    return Blocks(unit)


@pytest.fixture
def select(unit: LogicalUnit, nexus: Nexus, storage: Blocks) -> Select:
    """How MODE SELECT ends with this parameter list."""

    def run(data: bytes, flags: int = PF, *, long: bool = False) -> Outcome:
        length = len(data).to_bytes(2, "big")
        cdb = (
            bytes((0x55, flags, *bytes(5), *length, 0))
            if long
            else bytes((0x15, flags, 0, *length, 0))
        )
        return storage.perform(unit.execute(cdb, nexus), data)

    return run


def control(unit: LogicalUnit, **values: int) -> bytes:
    return CONTROL.encode({**CONTROL.defaults(unit), **values}, saveable=False)


def test_a_parameter_list_changes_what_it_says(select: Select, unit: LogicalUnit) -> None:
    assert select(NO_HEADER + control(unit, d_sense=1, qerr=1)) == Done()
    assert (unit.modes.d_sense, unit.modes.qerr) == (1, 1)
    assert select(NO_HEADER_10 + control(unit, tst=1), long=True) == Done()
    assert (unit.modes.d_sense, unit.modes.qerr, unit.modes.tst) == (0, 0, 1)


def test_several_pages_may_come_and_subpages_too(select: Select, unit: LogicalUnit) -> None:
    caching = CACHING.encode({**CACHING.defaults(unit), "wce": 0}, saveable=False)
    extension = CONTROL_EXTENSION.encode({"tcmos": 1, "scsip": 0, "ialuae": 1}, saveable=False)
    assert select(NO_HEADER + caching + extension + control(unit, tas=1)) == Done()
    assert (unit.modes.wce, unit.modes.scsip, unit.modes.tas) == (0, 0, 1)


@pytest.mark.parametrize("long", [False, True])
def test_what_mode_sense_told_can_be_sent_back(
    select: Select, unit: LogicalUnit, nexus: Nexus, long: bool
) -> None:
    unit.keeps_state = True
    cdb = "5a 10 3f ff 000000 ffff 00" if long else "1a 00 3f 00 ff 00"
    told = unit.execute(bytes.fromhex(cdb), nexus)
    assert isinstance(told, Reply)
    assert select(told.data, long=long) == Done()


def test_the_other_initiators_hear_of_a_change_and_only_of_one(
    unit: LogicalUnit, select: Select, nexus: Nexus
) -> None:
    target, other = ScsiTarget(NAME, [unit]), Nexus("other", "target")
    for each in (nexus, other):
        target.attach(each)
        each.take(0)
    select(NO_HEADER + control(unit))
    assert other.pending == {}
    select(NO_HEADER + control(unit, d_sense=1))
    assert (nexus.pending, other.pending) == ({}, {0: [CHANGED]})


def test_a_test_of_informational_exceptions_may_be_an_attention_of_all(
    unit: LogicalUnit, select: Select, nexus: Nexus
) -> None:
    target, other = ScsiTarget(NAME, [unit]), Nexus("other", "target")
    for each in (nexus, other):
        target.attach(each)
        each.take(0)
    page = EXCEPTIONS.encode({"test": 1, "mrie": 2}, saveable=False)
    assert select(NO_HEADER + page) == Done()
    predicted = AdditionalSense.FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE
    assert nexus.pending == {0: [predicted]}
    assert other.pending == {0: [CHANGED, predicted]}


# What is written protects and what is cached.


def test_software_write_protection_is_that_of_a_read_only_disk(
    select: Select, unit: LogicalUnit, storage: Blocks
) -> None:
    assert select(NO_HEADER + control(unit, swp=1)) == Done()
    assert unit.write_protected
    assert storage.steps == ["flush"]
    assert select(NO_HEADER + control(unit, swp=0)) == Done()
    assert not unit.write_protected
    unit.read_only = True
    select(NO_HEADER + control(unit, swp=1))
    select(NO_HEADER + control(unit, swp=0))
    assert unit.write_protected
    unit.read_only = False
    assert not unit.write_protected


def test_a_cache_that_is_switched_off_is_empty_before_that_is_answered(
    select: Select, unit: LogicalUnit, storage: Blocks
) -> None:
    off = CACHING.encode({"wce": 0}, saveable=False)
    assert select(NO_HEADER + off) == Done()
    assert storage.steps == ["flush"]
    storage.fails.add("flush")
    unit.modes.reset()
    with pytest.raises(BackendError):
        select(NO_HEADER + off)
    assert unit.modes.wce == 1


# Saving.


def test_values_are_saved_if_the_unit_keeps_state(
    select: Select, unit: LogicalUnit, storage: Blocks
) -> None:
    assert select(NO_HEADER + control(unit, d_sense=1), PF | SP) == Failed(invalid_field(1, 0))
    assert unit.modes.d_sense == 0
    unit.keeps_state = True
    assert select(NO_HEADER + control(unit, d_sense=1), PF | SP) == Done()
    assert storage.steps == ["save"]
    unit.reset()
    assert unit.modes.d_sense == 1


def test_without_a_list_the_current_values_are_saved(
    select: Select, unit: LogicalUnit, storage: Blocks
) -> None:
    unit.keeps_state = True
    select(NO_HEADER + control(unit, d_sense=1))
    assert select(b"", PF | SP) == Done()
    assert storage.steps == ["save"]
    unit.reset()
    assert unit.modes.d_sense == 1


def test_what_cannot_be_saved_is_not_changed(
    select: Select, unit: LogicalUnit, storage: Blocks
) -> None:
    unit.keeps_state = True
    storage.fails.add("save")
    with pytest.raises(BackendError):
        select(NO_HEADER + control(unit, d_sense=1), PF | SP)
    assert unit.modes.d_sense == 0


def test_all_pages_can_be_reverted_to_their_defaults(select: Select, unit: LogicalUnit) -> None:
    select(NO_HEADER + control(unit, d_sense=1, tas=1))
    assert select(b"", PF | RTD) == Done()
    assert (unit.modes.d_sense, unit.modes.tas) == (0, 0)
    assert select(NO_HEADER, PF | RTD) == Failed(invalid_field(1, 1))


# What is wrong with a list.


def test_no_list_is_no_error(select: Select) -> None:
    assert select(b"") == select(b"", 0) == Done()


def test_pages_of_no_standard_are_refused(select: Select) -> None:
    assert select(NO_HEADER, 0) == Failed(invalid_field(1, 4))


@pytest.mark.parametrize("long", [False, True])
def test_a_list_that_ends_too_early_is_refused(
    select: Select, unit: LogicalUnit, long: bool
) -> None:
    header = HEADER_10 if long else HEADER_6
    whole = header.encode(block_descriptor_length=8) + bytes.fromhex("000003e800000200")
    pages = (
        control(unit),
        CONTROL_EXTENSION.encode({"tcmos": 1, "scsip": 1, "ialuae": 1}, saveable=False),
    )
    for page in pages:
        data = whole + page
        good = {len(data), len(whole), 0}
        for length in set(range(len(data) + 1)) - good:
            expected = Failed(PARAMETER_LIST_LENGTH_ERROR)
            assert select(data[:length], long=long) == expected, length
        for length in good:
            assert select(data[:length], long=long) == Done()


def test_an_initiator_that_sends_less_than_it_said_is_refused(
    unit: LogicalUnit, nexus: Nexus, storage: Blocks
) -> None:
    plan = unit.execute(bytes((0x15, PF, 0, 0, 16, 0)), nexus)
    assert isinstance(plan, Receive)
    assert plan.data_out == 16
    assert storage.perform(plan, bytes(3)) == Failed(PARAMETER_LIST_LENGTH_ERROR)


@pytest.mark.parametrize(
    ("data", "byte", "bit"),
    [
        pytest.param("00 01 00 00", 1, 7, id="medium type"),
        pytest.param("00 00 01 00", 2, 0, id="reserved bit of the header"),
        pytest.param("00 00 00 10", 3, 7, id="long descriptor in a short header"),
        pytest.param("00 00 00 07 00000000000000", 3, 7, id="descriptor length"),
        pytest.param("00 00 00 08 000003e7 00000200", 4, 7, id="another capacity"),
        pytest.param("00 00 00 08 000003e8 01000200", 8, 0, id="reserved byte"),
        pytest.param("00 00 00 08 000003e8 00001000", 9, 7, id="another block length"),
        pytest.param("00 00 00 00 05 00", 4, 5, id="no such page"),
        pytest.param("00 00 00 00 4a 07 0000", 5, 7, id="no such subpage"),
        pytest.param("00 00 00 00 4a 00 000a", 5, 7, id="subpage zero"),
        pytest.param("00 00 00 00 0a 0b", 5, 7, id="page length"),
        pytest.param("00 00 00 00 4a 01 001d", 6, 7, id="subpage length"),
    ],
)
def test_what_cannot_be_in_a_list_is_pointed_at(
    select: Select, data: str, byte: int, bit: int
) -> None:
    assert select(bytes.fromhex(data)) == Failed(invalid_parameter(byte, bit))


def test_a_long_descriptor_is_checked_like_a_short_one(select: Select) -> None:
    header = "0000 00 00 01 00 0010"
    good = header + "00000000000003e8 00000000 00000200"
    assert select(bytes.fromhex(good), long=True) == Done()
    assert select(bytes.fromhex(header.replace("10", "08")), long=True) == Failed(
        invalid_parameter(6, 7)
    )
    bad = header + "00000000000003e8 00000000 00001000"
    assert select(bytes.fromhex(bad), long=True) == Failed(invalid_parameter(20, 7))


@pytest.mark.parametrize("blocks", [0, 1000, 0xFFFFFFFF])
def test_a_descriptor_may_leave_the_capacity_as_it_is(select: Select, blocks: int) -> None:
    descriptor = blocks.to_bytes(4, "big") + bytes.fromhex("00000200")
    assert select(bytes.fromhex("00000008") + descriptor) == Done()


def test_a_list_that_is_wrong_at_its_end_changes_nothing(select: Select, unit: LogicalUnit) -> None:
    data = NO_HEADER + control(unit, d_sense=1) + control(unit, rlec=1)
    assert select(data) == Failed(invalid_parameter(4 + 12 + 2, 0))
    assert unit.modes.d_sense == 0


pages = st.sampled_from(list(DISK_PAGES.values())).flatmap(
    lambda page: (
        st.binary(min_size=page.layout.length, max_size=page.layout.length)
        .map(lambda noise: noise if noise[0] & 1 else bytes(len(noise)))
        .map(
            lambda noise, page=page: (
                page.encode({}, saveable=False)[: page.header] + noise[page.header :]
            )
        )
    )
)
likely = st.builds(
    lambda changes, noise: (changes, noise),
    st.dictionaries(st.sampled_from(["d_sense", "swp", "tas", "tst", "rlec"]), st.integers(0, 1)),
    st.lists(pages, max_size=2),
)


@given(likely | st.tuples(st.none(), st.lists(st.binary(max_size=40), max_size=2)), st.booleans())
def test_any_list_changes_all_that_it_says_or_nothing(
    contents: tuple[dict[str, int] | None, list[bytes]], long: bool
) -> None:
    unit, nexus = LogicalUnit(0, target_name=NAME, blocks=1000), Nexus("initiator", "target")
    changes, noise = contents
    first = b"" if changes is None else control(unit, **changes)
    data = (NO_HEADER_10 if long else NO_HEADER) + first + b"".join(noise)
    length = len(data).to_bytes(2, "big")
    cdb = bytes((0x55, PF, *bytes(5), *length, 0)) if long else bytes((0x15, PF, 0, *length, 0))
    before = {key: unit.modes.current(key) for key in DISK_PAGES}
    outcome = Blocks(unit).perform(unit.execute(cdb, nexus), data)
    after = {key: unit.modes.current(key) for key in DISK_PAGES}
    if isinstance(outcome, Failed):
        assert after == before
    else:
        assert outcome == Done()
        last = {
            (page[0] & 0x3F, page[1] if page[0] & 0x40 else 0): page
            for page in (first, *noise)
            if page
        }
        for key, page in last.items():
            assert DISK_PAGES[key].encode(after[key], saveable=False)[2:] == page[2:]
