from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioscsi.initiator import pages
from trioscsi.scsi.complaints import INVALID_COMMAND_OPERATION_CODE


def test_standard_inquiry_data():
    data = bytes([0, 0, 6, 2, 31, 0, 0, 2]) + b"VENDOR  PRODUCT         1.0 "
    fields = dict(pages.standard(data))
    assert fields["type"] == "disk"
    assert (fields["vendor"], fields["product"], fields["revision"]) == ("VENDOR", "PRODUCT", "1.0")
    assert (fields["version"], fields["cmdque"]) == ("0x06", "1")


def test_what_a_terminal_would_obey_is_not_printed():
    data = bytes(8) + b"\x1b[2J    " + bytes(20)
    assert dict(pages.standard(data))["vendor"] == "?[2J"


def test_the_list_of_pages():
    data = bytes([0, 0, 0, 3, 0x00, 0x83, 0xC5])
    assert pages.pages(data) == [0x00, 0x83, 0xC5]
    assert pages.page(data) == [
        ("00h", "supported VPD pages"),
        ("83h", "device identification"),
        ("C5h", "vendor specific"),
    ]


def test_designators():
    naa = bytes([0x01, 0x03, 0, 8]) + bytes.fromhex("3000000000000001")
    name = bytes([0x53, 0xA8, 0, 8]) + b"iqn.a:b\0"
    data = bytes([0, 0x83, 0, len(naa + name)]) + naa + name
    assert pages.page(data) == [
        ("logical unit, NAA", "3000000000000001"),
        ("target device, SCSI name", "iqn.a:b"),
    ]


def test_fields_of_a_page_that_is_laid_out():
    data = bytes([0, 0xB0, 0, 60, 1, 7]) + bytes(58)
    fields = dict(pages.page(data))
    assert (fields["wsnz"], fields["maximum_compare_and_write_length"]) == ("1", "7")


def test_an_unknown_page_is_shown_as_it_is():
    assert pages.page(bytes([0, 0xC0, 0, 2, 0xAB, 0xCD, 0xEF])) == [("content", "abcd")]
    assert pages.page(b"\0") == [("content", "00")]


def test_operation_codes():
    entries = bytes([0x28, 0, 0, 0, 0, 0, 0, 10]) + bytes([0x9E, 0, 0, 0x10, 0, 1, 0, 16])
    data = len(entries).to_bytes(4) + entries
    assert pages.operation_codes(data) == ["28 READ(10)", "9E/10 READ CAPACITY(16)"]


def test_sense_data_in_both_formats():
    sense = INVALID_COMMAND_OPERATION_CODE
    said = "ILLEGAL REQUEST, INVALID COMMAND OPERATION CODE"
    assert pages.sense(sense.encode()) == said
    assert pages.sense(sense.encode(descriptor=True)) == said
    assert pages.sense(b"") == "no sense data"
    assert pages.sense(bytes([0x70, 0, 0xF]) + bytes(9) + b"\x99\x88") == "COMPLETED, 99h/88h"


@given(st.binary(max_size=200))
def test_no_content_raises(data: bytes):
    pages.standard(data)
    pages.page(data)
    pages.pages(data)
    pages.operation_codes(data)
    pages.sense(data)
    for code in pages.PAGE_NAMES:
        pages.page(bytes([0, code]) + data)
