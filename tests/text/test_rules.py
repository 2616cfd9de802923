from __future__ import annotations

import pytest

from tests.requirements import requirement
from trioscsi.errors import PeerError
from trioscsi.text.key import Kind, SessionType, Syntax
from trioscsi.text.keys import KEYS
from trioscsi.text.rules import RULES, parse, write


@pytest.mark.parametrize(
    ("kind", "proposed", "ours", "selected"),
    [
        (Kind.MINIMUM, 512, 1024, 512),
        (Kind.MINIMUM, 1024, 512, 512),
        (Kind.MINIMUM, 512, 512, 512),
        (Kind.MAXIMUM, 0, 2, 2),
        (Kind.MAXIMUM, 3600, 2, 3600),
        (Kind.AND, False, False, False),
        (Kind.AND, False, True, False),
        (Kind.AND, True, False, False),
        (Kind.AND, True, True, True),
        (Kind.OR, False, False, False),
        (Kind.OR, False, True, True),
        (Kind.OR, True, False, True),
        (Kind.OR, True, True, True),
        (Kind.LIST, ("CRC32C", "None"), ("None", "CRC32C"), ("CRC32C",)),
        (Kind.LIST, ("X-foo", "None"), ("None", "CRC32C"), ("None",)),
        (Kind.LIST, ("X-foo",), ("None",), None),
    ],
)
def test_what_is_selected_from_a_proposal(kind, proposed, ours, selected):
    rule = RULES[kind]
    assert rule.select(proposed, ours) == selected
    assert selected is None or rule.admits(proposed, selected)


@pytest.mark.parametrize(
    ("kind", "proposed", "selected"),
    [
        (Kind.MINIMUM, 512, 513),
        (Kind.MAXIMUM, 2, 1),
        (Kind.AND, False, True),
        (Kind.OR, True, False),
        (Kind.LIST, ("None",), ("CRC32C",)),
        (Kind.LIST, ("None", "CRC32C"), ("None", "CRC32C")),
    ],
)
def test_what_a_proposal_does_not_admit(kind, proposed, selected):
    assert not RULES[kind].admits(proposed, selected)


def test_only_two_proposals_decide_the_result_by_themselves():
    assert RULES[Kind.AND].decided(False)
    assert not RULES[Kind.AND].decided(True)
    assert RULES[Kind.OR].decided(True)
    assert not RULES[Kind.OR].decided(False)
    assert not any(RULES[kind].decided(0) for kind in (Kind.MINIMUM, Kind.MAXIMUM, Kind.LIST))


NUMBERS = [key for key in KEYS.values() if key.syntax is Syntax.NUMBER]


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.name)
def test_a_number_is_taken_at_both_ends_of_its_range_and_not_beyond(key):
    assert parse(key, str(key.minimum)) == key.minimum
    assert parse(key, hex(key.maximum)) == key.maximum
    for beyond in (key.minimum - 1, key.maximum + 1):
        with pytest.raises(PeerError):
            parse(key, str(beyond))


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("ImmediateData", "Yes", True),
        ("ImmediateData", "No", False),
        ("HeaderDigest", "None,CRC32C", ("None", "CRC32C")),
        ("AuthMethod", "CHAP", ("CHAP",)),
        ("SessionType", "Discovery", SessionType.DISCOVERY),
        ("TargetPortalGroupTag", "0", 0),
        ("TargetPortalGroupTag", "0xffff", 65_535),
        ("TargetPortalGroupTag", "0bAQI=", 258),
        ("TargetAlias", "", ""),
        ("InitiatorAlias", "Größe 1", "Größe 1"),
        ("InitiatorName", "a" * 255, "a" * 255),
        ("TargetAddress", "[::1]:3260", "[::1]:3260"),
        ("CHAP_N", "me", "me"),
        ("CHAP_C", "0x00ff", b"\x00\xff"),
        ("CHAP_A", "7,5", ("7", "5")),
    ],
)
def test_a_value_becomes_what_its_syntax_stands_for(name, value, parsed):
    assert parse(KEYS[name], value) == parsed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ImmediateData", "yes"),
        ("ImmediateData", ""),
        ("SessionType", "normal"),
        ("TargetPortalGroupTag", "65536"),
        ("TargetPortalGroupTag", "0bAQID"),
        ("InitiatorName", ""),
        ("InitiatorName", "a" * 256),
        ("InitiatorAlias", "ö" * 128),
        ("HeaderDigest", "None," + "a" * 256),
        ("X#NodeArchitecture", "a" * 256),
        ("TargetAddress", ""),
        ("CHAP_C", "0x" + "00" * 1025),
        ("CHAP_I", "256"),
    ],
)
@requirement("7143-13.26.1-2")
def test_a_value_that_its_key_cannot_have_is_refused(name, value):
    with pytest.raises(PeerError):
        parse(KEYS[name], value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "Yes"),
        (False, "No"),
        (8192, "8192"),
        (("None", "CRC32C"), "None,CRC32C"),
        ("disk", "disk"),
        (SessionType.DISCOVERY, "Discovery"),
    ],
)
def test_values_are_written_as_the_rfc_spells_them(value, written):
    assert write(value) == written
