from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.requirements import requirement
from trioscsi.errors import PeerError
from trioscsi.limits import Limits
from trioscsi.text.codec import (
    Collector,
    decode,
    decode_binary,
    decode_number,
    encode,
    encode_binary,
    split,
)

LIMITS = Limits()

names = st.from_regex(r"[A-Z][A-Za-z0-9.+@_-]{0,62}", fullmatch=True)
values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
texts = st.lists(st.tuples(names, values), max_size=8)


def collect(*segments: bytes, limits: Limits = LIMITS):
    collector = Collector(limits)
    for segment in segments[:-1]:
        assert collector.add(segment, more=True) is None
    return collector.add(segments[-1], more=False)


def test_every_pair_ends_with_a_null():
    pairs = [("InitialR2T", "No"), ("TargetAlias", "")]
    assert encode(pairs) == b"InitialR2T=No\0TargetAlias=\0"


def test_a_value_may_hold_an_equals_sign():
    assert decode(b"X-com.example=a=b\0") == [("X-com.example", "a=b")]


def test_an_empty_text_has_no_keys():
    assert collect(b"") == []


def test_an_alias_is_utf8():
    assert decode("TargetAlias=Größe 1\0".encode()) == [("TargetAlias", "Größe 1")]


@pytest.mark.parametrize("name", ["X#NodeArchitecture", "iSCSIProtocolLevel", "A" * 63])
def test_key_names_of_the_rfcs_are_understood(name):
    assert decode(f"{name}=1\0".encode()) == [(name, "1")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"InitialR2T=No", "end with a null"),
        (b"InitialR2T=No\0Imm", "end with a null"),
        (b"InitialR2T\0", "equals sign"),
        (b"InitialR2T=No\0\0", "equals sign"),
        (b"\0", "equals sign"),
        (b"=No\0", "not a key name"),
        (b"1a=No\0", "not a key name"),
        (b"Initial R2T=No\0", "not a key name"),
        (b"A" * 64 + b"=1\0", "not a key name"),
        (b"TargetAlias=\xff\0", "not UTF-8"),
        ("Größe=1\0".encode(), "not a key name"),
    ],
)
@requirement("7143-6.1-10")
def test_malformed_text_is_refused(text, reason):
    with pytest.raises(PeerError, match=reason) as caught:
        collect(text)
    assert caught.value.section == "6.1"
    assert caught.value.answer is None


def test_a_text_longer_than_the_limit_is_refused_before_it_is_complete():
    limits = Limits(text=8192)
    collector = Collector(limits)
    collector.add(bytes(8000).replace(b"\0", b"a"), more=True)
    with pytest.raises(PeerError, match="longer than 8192"):
        collector.add(b"a" * 193, more=True)


def test_a_text_of_8192_bytes_is_accepted():
    text = b"X-a=" + b"a" * 8187 + b"\0"
    assert collect(text[:4096], text[4096:], limits=Limits(text=8192)) == [("X-a", "a" * 8187)]


def test_the_keys_of_a_whole_negotiation_are_counted():
    collector = Collector(Limits(keys=64))
    assert len(collector.add(b"A=\0" * 60, more=False) or []) == 60
    with pytest.raises(PeerError, match="more than 64 keys"):
        collector.add(b"A=\0" * 5, more=True)


def test_a_collector_takes_one_text_after_another():
    collector = Collector(LIMITS)
    assert collector.add(b"A=1\0", more=False) == [("A", "1")]
    assert collector.add(b"B=", more=True) is None
    assert collector.add(memoryview(b"2\0"), more=False) == [("B", "2")]


@given(texts, st.lists(st.integers(0, 4000), max_size=6))
def test_however_a_text_is_cut_its_pairs_are_the_same(pairs, cuts):
    text = encode(pairs)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    segments = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert collect(*segments) == pairs


@given(texts, st.integers(1, 100))
def test_what_is_split_joins_again(pairs, segment):
    parts = split(encode(pairs), segment)
    assert all(len(part) <= segment for part in parts)
    assert collect(*parts) == pairs


@given(st.binary(max_size=300))
@example(b"\x80=\0")
def test_no_bytes_raise_anything_but_peer_error(text):
    try:
        pairs = decode(text)
    except PeerError:
        return
    assert encode(pairs) == text


# --- Numbers


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("262144", 262_144),
        ("0x10000", 65_536),
        ("0X1aF", 431),
        ("0x00000000000000000000001", 1),
        ("18446744073709551615", 2**64 - 1),
        ("0xffffffffffffffff", 2**64 - 1),
    ],
)
def test_numbers_are_decimal_or_hexadecimal(value, number):
    assert decode_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        "01",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "1_000",
        "1.0",
        "0x",
        "0xg",
        "x10",
        "٣",
        "18446744073709551616",
        "0x10000000000000000",
        "9" * 10_000,
        "0x" + "f" * 10_000,
    ],
)
def test_nothing_else_is_a_number(value):
    with pytest.raises(PeerError):
        decode_number(value)


# --- Binary values


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("0x00ff", b"\x00\xff"),
        ("0X00FF", b"\x00\xff"),
        ("0xabc", b"\x0a\xbc"),
        ("0bAQ==", b"\x01"),
        ("0BAQID", b"\x01\x02\x03"),
    ],
)
def test_binary_values_are_hexadecimal_or_base64(value, data):
    assert decode_binary(value, 1024) == data


@pytest.mark.parametrize(
    "value",
    ["", "0x", "0b", "17", "0xzz", "0b=", "0bA", "0bAQ", "0bAQ=", "0bAQ==AQ==", "0bA*==", "0b===="],
)
def test_malformed_binary_values_are_refused(value):
    with pytest.raises(PeerError):
        decode_binary(value, 1024)


@given(st.binary(min_size=1, max_size=80), st.booleans())
@requirement("7143-6.1-9")
def test_binary_values_survive_the_round_trip(data, base64):
    value = encode_binary(data, base64=base64)
    assert value[:2] in ("0x", "0b")
    assert decode_binary(value, len(data)) == data
    with pytest.raises(PeerError, match=f"more than {len(data) - 1} bytes"):
        decode_binary(value, len(data) - 1)


@given(st.text("0xXbBAaf=+/9Gg", max_size=20))
def test_no_binary_value_raises_anything_but_peer_error(value):
    try:
        data = decode_binary(value, 1024)
    except PeerError:
        return
    assert data
