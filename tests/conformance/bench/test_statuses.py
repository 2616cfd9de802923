from __future__ import annotations

from trioscsi.conformance.bench.statuses import checked, descriptor, failed, fixed
from trioscsi.pdu import ScsiCommand

READ = ScsiCommand(itt=3, read=True, expected_data_transfer_length=512)


def test_sense_data_have_their_codes_where_they_belong():
    data = fixed(0x0B, 0x47, 0x05)
    assert (data[0], data[2], data[7], data[12:14], len(data)) == (0x70, 0x0B, 10, b"\x47\x05", 18)
    assert descriptor(0x0B, 0x47, 0x05) == bytes([0x72, 0x0B, 0x47, 0x05, 0, 0, 0, 0])


def test_sense_data_of_fixed_format_may_be_longer():
    data = fixed(6, 0x29, 0, 252)
    assert (data[7], len(data)) == (244, 252)


def test_a_read_that_has_failed_lacks_all_its_data():
    response = failed(READ, 6, 0x29, 0)
    assert (response.itt, response.status) == (3, 2)
    assert (response.underflow, response.residual_count) == (True, 512)
    assert bytes(response.sense) == fixed(6, 0x29, 0)


def test_a_command_without_data_lacks_none():
    response = checked(ScsiCommand(itt=3), descriptor(6, 0x29, 0))
    assert not response.underflow
