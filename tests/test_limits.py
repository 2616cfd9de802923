from __future__ import annotations

import attrs
import pytest

from trioscsi.limits import LOGIN_SEGMENT, Limits


def test_the_defaults_hold_together():
    limits = Limits()
    assert limits.segment >= LOGIN_SEGMENT
    assert limits.text >= LOGIN_SEGMENT
    assert limits.logins <= limits.connections
    assert limits.transfer <= limits.write_buffers


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("segment", 512, 2**24 - 1),
        ("ahs", 0, 1020),
        ("tasks", 1, 65_535),
        ("logout_time", 0, 65_535),
        ("text_time", 0, 65_535),
    ],
)
def test_a_limit_stays_within_what_the_protocol_allows(name, lowest, highest):
    for value in (lowest, highest):
        assert getattr(Limits(**{name: value}), name) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(ValueError, match=name):
            Limits(**{name: value})


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Limits)])
def test_no_limit_can_be_negative(name):
    with pytest.raises(ValueError, match=name):
        Limits(**{name: -1})


def test_limits_do_not_change():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Limits().segment = 512
