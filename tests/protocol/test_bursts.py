from __future__ import annotations

import pytest

from trioscsi.pdu import NO_TASK, DataOut
from trioscsi.protocol.bursts import Incoming, TransferFault
from trioscsi.text import Parameters

PARAMETERS = Parameters(first_burst_length=1024, max_burst_length=512, max_outstanding_r2t=2)


def lend(length: int) -> memoryview:
    return memoryview(bytearray(b"?" * length))


def begin(expected: int, immediate: bytes = b"", more_follows: bool = False) -> Incoming:
    return Incoming.begin(expected, immediate, more_follows, PARAMETERS, lend)


def solicit(incoming: Incoming, ttt: int) -> tuple[int, int]:
    due = incoming.next_r2t()
    assert due is not None
    incoming.make_room()
    incoming.solicit(ttt, *due)
    return due


def out(offset: int, data: bytes, *, ttt: int = NO_TASK, data_sn: int = 0, final: bool = True):
    return DataOut(final=final, ttt=ttt, data_sn=data_sn, buffer_offset=offset, data=data)


def receive(incoming: Incoming, pdu: DataOut) -> None:
    incoming.receive(incoming.sequences[pdu.ttt], pdu)


def test_nothing_is_asked_for_before_the_device_server_wants_it():
    assert begin(4096).next_r2t() is None


def test_an_unsolicited_burst_comes_to_its_end_before_anything_is_asked_for():
    incoming = begin(4096, b"x" * 512, more_follows=True)
    incoming.want(4096)
    assert incoming.next_r2t() is None
    receive(incoming, out(512, b"y" * 512))
    assert incoming.next_r2t() == (1024, 512)


def test_r2ts_are_of_the_maximum_burst_and_no_more_of_them_than_agreed():
    incoming = begin(1300)
    incoming.want(1300)
    assert solicit(incoming, 1) == (0, 512)
    assert solicit(incoming, 2) == (512, 512)
    assert incoming.next_r2t() is None
    receive(incoming, out(0, b"a" * 512, ttt=1))
    assert solicit(incoming, 3) == (1024, 276)
    assert not incoming.complete


def test_no_more_is_wanted_than_the_initiator_means_to_send():
    incoming = begin(100)
    incoming.want(500)
    assert incoming.next_r2t() == (0, 100)


def test_data_beyond_what_is_wanted_is_thrown_away():
    incoming = begin(1024, b"a" * 100, more_follows=True)
    incoming.want(50)
    receive(incoming, out(100, b"b" * 924))
    assert incoming.complete
    assert incoming.next_r2t() is None
    assert bytes(incoming.buffer[:50]) == b"a" * 50


def test_data_is_stored_where_it_belongs():
    incoming = begin(600, b"abc")
    incoming.want(600)
    assert solicit(incoming, 7) == (3, 512)
    assert solicit(incoming, 8) == (515, 85)
    receive(incoming, out(3, b"d" * 300, ttt=7, final=False))
    receive(incoming, out(515, b"f" * 85, ttt=8))
    assert not incoming.complete
    receive(incoming, out(303, b"e" * 212, ttt=7, data_sn=1))
    assert incoming.complete
    assert incoming.fault is None
    assert bytes(incoming.buffer) == b"abc" + b"d" * 300 + b"e" * 212 + b"f" * 85


def broken_by(*pdus: DataOut) -> Incoming:
    incoming = begin(512)
    incoming.want(512)
    solicit(incoming, 1)
    for pdu in pdus:
        receive(incoming, pdu)
    return incoming


def test_a_sequence_that_ends_short_is_a_fault():
    incoming = broken_by(out(0, b"a" * 100, ttt=1))
    assert incoming.fault is TransferFault.INCORRECT_AMOUNT
    assert incoming.complete


def test_data_out_of_order_is_a_fault_and_the_sequence_is_waited_for():
    incoming = broken_by(out(0, b"a" * 100, ttt=1, data_sn=1, final=False))
    assert incoming.fault is TransferFault.INCORRECT_AMOUNT
    assert not incoming.complete
    receive(incoming, out(100, b"a" * 100, ttt=1, data_sn=2, final=False))
    receive(incoming, out(200, b"a" * 312, ttt=1, data_sn=3))
    assert incoming.complete


def test_an_offset_that_leaves_a_hole_is_a_fault():
    assert broken_by(out(8, b"a" * 100, ttt=1, final=False)).fault is not None


def test_data_beyond_the_sequence_is_a_fault():
    incoming = broken_by(out(0, b"a" * 513, ttt=1))
    assert incoming.fault is TransferFault.INCORRECT_AMOUNT
    assert incoming.complete
    assert len(incoming.buffer) == 512


def test_a_complete_sequence_without_the_f_bit_is_a_fault():
    incoming = broken_by(out(0, b"a" * 512, ttt=1, final=False))
    assert incoming.fault is TransferFault.INCORRECT_AMOUNT
    assert not incoming.complete


def test_a_bad_digest_outweighs_another_fault():
    incoming = broken_by(out(8, b"a", ttt=1, final=False))
    incoming.spoil(incoming.sequences[1], out(0, b"", ttt=1, final=False))
    assert not incoming.complete
    incoming.spoil(incoming.sequences[1], out(0, b"", ttt=1))
    assert incoming.complete
    assert incoming.fault is TransferFault.DIGEST


def test_nothing_more_is_asked_for_after_a_fault():
    incoming = begin(2048)
    incoming.want(2048)
    solicit(incoming, 1)
    receive(incoming, out(0, b"short", ttt=1))
    assert incoming.next_r2t() is None
    assert incoming.complete


def test_making_room_keeps_what_has_come():
    incoming = begin(4096, b"here")
    incoming.make_room()
    assert bytes(incoming.buffer) == b"here"
    incoming.want(4096)
    incoming.make_room()
    assert len(incoming.buffer) == 4096
    assert incoming.buffer[:4] == b"here"


def test_a_window_takes_what_is_asked_for_and_what_has_come():
    incoming = begin(512, b"here")
    incoming.want(512)
    incoming.window = window = lend(512)
    solicit(incoming, 1)
    receive(incoming, out(4, b"-" * 508, ttt=1))
    assert window == b"here" + b"-" * 508


def test_data_is_stored_where_it_was_received():
    incoming = begin(512)
    incoming.want(512)
    solicit(incoming, 1)
    for data_sn, offset in enumerate((0, 256)):
        pdu = out(offset, b"", ttt=1, data_sn=data_sn, final=offset == 256)
        place = incoming.destination(pdu, 256)
        assert place is not None
        place[:] = b"%d" % data_sn * 256
        pdu.data = place
        receive(incoming, pdu)
    assert incoming.complete
    assert incoming.buffer == b"0" * 256 + b"1" * 256


@pytest.mark.parametrize(
    ("pdu", "length"),
    [
        (out(512, b"", ttt=1), 100),
        (out(512, b"", ttt=3), 100),
        (out(4, b"", ttt=1, data_sn=1), 100),
        (out(5, b"", ttt=1), 100),
        (out(4, b"", ttt=1), 513),
    ],
    ids=["another sequence", "no sequence", "another DataSN", "a hole", "too much"],
)
def test_data_out_of_place_has_no_destination(pdu: DataOut, length: int):
    incoming = begin(1024, b"here")
    incoming.want(1024)
    solicit(incoming, 1)
    solicit(incoming, 2)
    assert incoming.destination(pdu, length) is None


def test_data_has_no_destination_after_a_fault():
    incoming = broken_by(out(8, b"a", ttt=1, final=False))
    assert incoming.destination(out(0, b"", ttt=1), 100) is None


def test_an_unsolicited_burst_has_no_destination_as_its_buffer_will_move():
    incoming = begin(4096, more_follows=True)
    assert incoming.destination(out(0, b""), 100) is None
