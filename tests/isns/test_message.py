from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.errors import NameServiceError
from trioscsi.isns import Flag, Function, Message, Reader, Status, Tag, decode_number, decode_text
from trioscsi.isns.message import address, empty, number, text

LIMIT = 2**20

attributes = st.lists(
    st.tuples(
        st.integers(0, 2**32 - 1), st.binary(max_size=40).map(lambda b: b + bytes(-len(b) % 4))
    )
).map(tuple)
messages = st.builds(
    lambda function, transaction, attributes, status: Message(
        function | (0 if status is None else 0x8000), transaction, attributes, Flag.CLIENT, status
    ),
    st.integers(0, 0x7FFF),
    st.integers(0, 0xFFFF),
    attributes,
    st.none() | st.integers(0, 30),
)


@given(st.lists(messages, max_size=4), st.integers(1, 50))
def test_messages_are_read_as_they_were_written_however_they_are_cut(
    sent: list[Message], step: int
) -> None:
    stream = b"".join(message.encode() for message in sent)
    reader = Reader(LIMIT)
    read: list[Message] = []
    for start in range(0, len(stream), step):
        read += reader.receive(stream[start : start + step])
    assert read == sent


@given(st.binary(max_size=200))
def test_noise_is_refused_or_waited_for_and_nothing_else(noise: bytes) -> None:
    with suppress(NameServiceError):
        for message in Reader(LIMIT).receive(noise):
            assert message.encode() in noise


def test_a_header_is_as_the_rfc_draws_it() -> None:
    message = Message(Function.DEVICE_ATTRIBUTE_QUERY, 7, (number(Tag.PORTAL_PORT, 3260),))
    assert message.encode().hex(" ", 2) == (
        "0001 0002 000c 8c00 0007 0000 0000 0011 0000 0004 0000 0cbc"
    )


def test_a_long_message_leaves_in_parts_that_are_put_together_again() -> None:
    message = Message(1, 9, tuple((tag, bytes(40_000)) for tag in range(5)))
    data = message.encode()
    assert len(data) > 3 * 65_532
    assert Reader(LIMIT).receive(data) == [message]


def test_a_message_that_is_too_long_is_refused_before_it_is_stored() -> None:
    message = Message(1, 9, tuple((tag, bytes(40_000)) for tag in range(5)))
    with pytest.raises(NameServiceError, match="more than 100000 bytes"):
        Reader(100_000).receive(message.encode())


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("0002 0001 0000 8c00 0001 0000", "version 2"),
        ("0001 0001 0000 8800 0001 0001", "out of its turn"),
        ("0001 8001 0000 8c00 0001 0000", "without a status"),
        ("0001 0001 0004 8c00 0001 0000 00000011", "cut off"),
        ("0001 0001 000c 8c00 0001 0000 00000011 00000003 00000000", "of 3 bytes"),
        ("0001 0001 0008 8c00 0001 0000 00000011 00000004", "of 4 bytes"),
    ],
)
def test_what_cannot_be_is_refused(header: str, reason: str) -> None:
    with pytest.raises(NameServiceError, match=reason):
        Reader(LIMIT).receive(bytes.fromhex(header))


def test_the_answer_to_a_request_has_its_transaction() -> None:
    request = Message(Function.ENTITY_STATUS_INQUIRY, 5, (empty(Tag.DELIMITER),))
    answer = request.answer(*request.attributes)
    assert (answer.function, answer.transaction) == (0x800D, 5)
    assert answer.status == Status.SUCCESSFUL
    assert answer.is_response
    assert not request.is_response


def test_texts_are_ended_and_filled_up() -> None:
    assert text(Tag.ISCSI_ALIAS, "abc") == (34, b"abc\0")
    assert text(Tag.ISCSI_ALIAS, "abcd") == (34, b"abcd\0\0\0\0")
    assert decode_text(b"abcd\0\0\0\0") == "abcd"
    assert decode_text(b"\xff\0") == "\ufffd"


def test_addresses_have_the_length_of_ipv6() -> None:
    assert address(Tag.PORTAL_IP_ADDRESS, "192.0.2.1")[1].hex() == "0" * 20 + "ffffc0000201"
    assert address(Tag.PORTAL_IP_ADDRESS, "fe80::1%eth0")[1].hex() == "fe80" + "0" * 27 + "1"


def test_numbers_have_four_bytes() -> None:
    assert decode_number(b"\0\0\1\0") == 256
    with pytest.raises(NameServiceError, match="a number of 2 bytes"):
        decode_number(b"\0\1")


def test_the_first_of_several_values_is_found() -> None:
    message = Message(1, 1, (number(Tag.PORTAL_PORT, 1), number(Tag.PORTAL_PORT, 2)))
    assert message.first(Tag.PORTAL_PORT) == b"\0\0\0\1"
    assert message.first(Tag.ESI_PORT) is None
