from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan, Receive, Reply
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_field, invalid_parameter
from trioscsi.scsi.upkeep.self_test import Code, SelfTest

Ask = Callable[[str], Plan]
PF = 0x10
SUPPORTED = "00 00 0002 00 40"


def translate(supplied: int, wanted: int, address: str, length: int = 10) -> str:
    return f"40 00 {length:04x} {supplied:02x} {wanted:02x} {address}"


def receive(page: int | None = None, length: int = 0xFFFF) -> str:
    return f"1c {page is not None:02x} {page or 0:02x} {length:04x} 00"


def sent(unit: LogicalUnit, nexus: Nexus, page: str, *, missing: int = 0) -> Plan:
    """The end of a SEND DIAGNOSTIC with a page."""
    data = bytes.fromhex(page)
    plan = unit.execute(bytes.fromhex(f"1d {PF:02x} 00 {len(data):04x} 00"), nexus)
    assert isinstance(plan, Receive)
    assert plan.data_out == len(data)
    return plan.received(data[: len(data) - missing])


@pytest.mark.parametrize(
    ("cdb", "code"),
    [
        ("1d 04 00 0000 00", Code.DEFAULT),
        ("1d 20 00 0000 00", Code.BACKGROUND_SHORT),
        ("1d 40 00 0000 00", Code.BACKGROUND_EXTENDED),
        ("1d a0 00 0000 00", Code.FOREGROUND_SHORT),
        ("1d c3 00 0000 00", Code.FOREGROUND_EXTENDED),
    ],
)
def test_a_self_test_is_one_of_five(ask: Ask, unit: LogicalUnit, cdb: str, code: Code) -> None:
    assert ask(cdb) == SelfTest(unit, code)


@pytest.mark.parametrize(
    ("cdb", "byte", "bit"),
    [
        pytest.param("1d 24 00 0000 00", 1, 7, id="two self-tests"),
        pytest.param("1d 60 00 0000 00", 1, 7, id="a reserved self-test"),
        pytest.param("1d e0 00 0000 00", 1, 7, id="another one"),
        pytest.param("1d 80 00 0000 00", 1, 7, id="abort when no test is running"),
        pytest.param("1d 04 00 0004 00", 3, 7, id="the default self-test with a page"),
        pytest.param("1d 30 00 0004 00", 3, 7, id="a self-test with a page"),
        pytest.param("1d 00 00 0004 00", 1, 4, id="a page that is not as SPC has it"),
        pytest.param("1d 08 00 0000 00", 1, 3, id="a reserved bit"),
        pytest.param(receive(0x01), 2, 7, id="a page that there is not"),
        pytest.param(receive(0x40), 2, 7, id="an answer to what was not sent"),
        pytest.param("1c 00 40 00ff 00", 2, 7, id="a page code without PCV"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_field(
    ask: Ask, cdb: str, byte: int, bit: int
) -> None:
    assert ask(cdb) == Failed(invalid_field(byte, bit))


def test_nothing_to_do_is_done(ask: Ask) -> None:
    assert ask("1d 00 00 0000 00") == Done()
    assert ask("1d 10 00 0000 00") == Done()


def test_the_supported_pages_can_be_had_in_three_ways(
    ask: Ask, unit: LogicalUnit, nexus: Nexus
) -> None:
    pages = Reply(bytes.fromhex(SUPPORTED))
    assert ask(receive()) == pages
    assert ask(receive(0)) == pages
    assert sent(unit, nexus, "00 00 0000") == Done()
    assert ask(receive()) == pages
    assert ask(receive(0, length=5)) == Reply(bytes.fromhex("0000000200"))


@pytest.mark.parametrize(
    ("supplied", "wanted", "address", "answer"),
    [
        (0, 0, "00000007 00000000", "00000007 00000000"),
        (0, 3, "00000007 00000000", "00000000 00000007"),
        (3, 0, "00000000 00000007", "00000007 00000000"),
        (3, 3, "00000000 000003e7", "00000000 000003e7"),
    ],
)
def test_an_address_is_translated_to_itself(
    ask: Ask,
    unit: LogicalUnit,
    nexus: Nexus,
    supplied: int,
    wanted: int,
    address: str,
    answer: str,
) -> None:
    assert sent(unit, nexus, translate(supplied, wanted, address)) == Done()
    page = Reply(bytes.fromhex(translate(supplied, wanted, answer)))
    assert ask(receive()) == page
    assert ask(receive(0x40)) == page


def test_each_nexus_has_its_own_answer(ask: Ask, unit: LogicalUnit, nexus: Nexus) -> None:
    assert sent(unit, nexus, translate(0, 0, "00000007 00000000")) == Done()
    other = Nexus("other", "target")
    assert unit.execute(bytes.fromhex(receive()), other) == Reply(bytes.fromhex(SUPPORTED))
    unit.forget(nexus)
    assert ask(receive()) == Reply(bytes.fromhex(SUPPORTED))


@pytest.mark.parametrize(
    ("page", "byte", "bit"),
    [
        pytest.param("01 00 0000", 0, 7, id="page"),
        pytest.param("00 00 0001 00", 2, 7, id="length of page 00h"),
        pytest.param(translate(0, 0, "00000007 00000000", 8), 2, 7, id="length of page 40h"),
        pytest.param(translate(4, 0, "00000007 00000000"), 4, 2, id="supplied format"),
        pytest.param(translate(0, 5, "00000007 00000000"), 5, 2, id="translate format"),
        pytest.param(translate(3, 0, "00000001 00000000"), 5, 2, id="an address too long for it"),
        pytest.param(translate(0, 0, "000003e8 00000000"), 6, 7, id="beyond the last block"),
    ],
)
def test_a_page_is_refused_by_its_field(
    unit: LogicalUnit, nexus: Nexus, page: str, byte: int, bit: int
) -> None:
    assert sent(unit, nexus, page) == Failed(invalid_parameter(byte, bit))


@pytest.mark.parametrize(
    ("page", "missing"),
    [
        ("00 00 00", 0),
        ("00 00 0000 00", 0),
        ("00 00 0000", 1),
        (translate(0, 0, "00000007 00000000"), 4),
        (translate(0, 0, "00000007 000000"), 0),
    ],
)
def test_a_list_of_another_length_is_refused(
    unit: LogicalUnit, nexus: Nexus, page: str, missing: int
) -> None:
    assert sent(unit, nexus, page, missing=missing) == Failed(PARAMETER_LIST_LENGTH_ERROR)


@given(st.binary(min_size=1, max_size=20) | st.binary(min_size=13, max_size=13).map(b"@".__add__))
def test_whatever_is_sent_is_answered_or_refused(data: bytes) -> None:
    unit, nexus = LogicalUnit(0, target_name="iqn.x", blocks=8), Nexus("initiator", "target")
    end = sent(unit, nexus, data.hex())
    if end == Done():
        answer = unit.execute(bytes.fromhex(receive(data[0])), nexus)
        assert isinstance(answer, Reply)
        assert answer.data[0] == data[0]
    else:
        assert isinstance(end, Failed)
