from __future__ import annotations

from trioscsi.conformance.bench import faults
from trioscsi.pdu import DataIn, LoginResponse, NopIn, ScsiResponse, encode


def data_in(number: int) -> DataIn:
    return DataIn(data_sn=number, data=b"1234")


def test_fields_of_some_classes_are_changed():
    fault = faults.changing(DataIn, buffer_offset=lambda pdu: pdu.data_sn * 4, ttt=7)
    (changed,) = fault(data_in(2))
    assert (changed.buffer_offset, changed.ttt) == (8, 7)
    assert list(fault(NopIn(ttt=1))) == [NopIn(ttt=1)]


def test_some_are_dropped_and_some_come_twice():
    assert not list(faults.dropping(DataIn)(data_in(0)))
    first, second = faults.repeating(DataIn, data_sn=9)(data_in(0))
    assert (first.data_sn, second.data_sn) == (0, 9)


def test_two_that_follow_each_other_change_places():
    fault = faults.reordering(DataIn)
    assert not list(fault(data_in(0)))
    assert [pdu.data_sn for pdu in fault(data_in(1))] == [1, 0]
    assert not list(fault(data_in(2)))
    assert list(fault(ScsiResponse())) == [data_in(2), ScsiResponse()]


def test_one_becomes_several():
    fault = faults.splitting(DataIn, lambda pdu: (pdu, data_in(pdu.data_sn + 1)))
    assert [pdu.data_sn for pdu in fault(data_in(3))] == [3, 4]


def test_a_fault_that_comes_once_spares_those_before_and_behind_it():
    fault = faults.once(faults.changing(DataIn, ttt=7), after=1)
    seen = [next(iter(fault(data_in(number)))).ttt for number in range(4)]
    assert seen == [0xFFFFFFFF, 7, 0xFFFFFFFF, 0xFFFFFFFF]


def test_a_fault_that_comes_once_waits_for_a_pdu_that_it_changes():
    fault = faults.once(faults.dropping(DataIn))
    assert list(fault(NopIn()))
    assert not list(fault(data_in(0)))
    assert list(fault(data_in(1)))


def test_keys_are_changed_added_and_left_out():
    pdu = LoginResponse(data=b"A=1\0B=2\0")
    assert faults.saying({"A": "3", "B": None, "C": "4"})(pdu) == b"A=3\0C=4\0"


def test_bytes_are_damaged():
    pdu = data_in(0)
    data = b"".join(map(bytes, encode(pdu, header_digest=True, data_digest=True)))
    damaged = faults.bad_header_digest(DataIn)(data, pdu)
    assert [place for place, (a, b) in enumerate(zip(data, damaged, strict=True)) if a != b] == [48]
    damaged = faults.bad_data_digest(DataIn)(data, pdu)
    assert damaged[:-1] == data[:-1]
    assert damaged != data
    assert faults.bad_data_digest(DataIn)(data, DataIn()) == data
    assert faults.truncating(DataIn, 50)(data, pdu) == data[:50]
    assert faults.truncating(NopIn, 50)(data, pdu) == data


def test_damage_may_come_once():
    damage = faults.damaging_once(faults.flipping(DataIn, 0))
    assert damage(b"12", NopIn()) == b"12"
    assert damage(b"12", DataIn()) == b"02"
    assert damage(b"12", DataIn()) == b"12"
