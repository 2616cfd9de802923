from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import requirement
from trioscsi.errors import UsageError
from trioscsi.protocol.names import MAXIMUM_LENGTH, normalise


@pytest.mark.parametrize(
    "name",
    [
        "iqn.2001-04.com.example",
        "iqn.2001-04.com.example:storage.disk2:sys1",
        "iqn.2001-04.com.example:b\u00fcro",
        "eui.02004567a425678d",
        "iqn.2001-04.com.example:" + "x" * (MAXIMUM_LENGTH - 24),
        "naa.52004567ba64678d",
        "naa.62004567ba64678d0123456789abcdef",
    ],
)
@requirement("7143-4.2.7.1-1")
def test_names_of_each_type_are_names(name: str):
    assert normalise(name) == name


def test_names_are_compared_without_case_and_in_one_form_of_unicode():
    assert normalise("IQN.2001-04.com.Example:Disk") == "iqn.2001-04.com.example:disk"
    assert normalise("eui.02004567A425678D") == "eui.02004567a425678d"
    assert normalise("iqn.2001-04.com.example:bu\u0308ro") == "iqn.2001-04.com.example:b\u00fcro"
    assert normalise("iqn.2001-04.com.example:di\u00adsk") == "iqn.2001-04.com.example:disk"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "disk",
        "iqn.",
        "iqn.2001-13.com.example",
        "iqn.2001-04.",
        "iqn.2001-04.com.example:",
        "iqn.2001-04.com.example:a b",
        "iqn.2001-04.com.example:a_b",
        "iqn.2001-04.com.example:a\x85b",
        "iqn.2001-04.com.example:\x9b31m",
        "iqn.2001-04.com.example:a\u2028b",
        "iqn.2001-04.com.example:\u202eb",
        "iqn.2001-04.com.example:\ue000",
        "eui.02004567A425678",
        "naa.52004567ba64678d0",
        "iqn.2001-04.com.example:" + "x" * MAXIMUM_LENGTH,
        "iqn.2001-04.com.example:" + "\u00fc" * 100,
        "iqn.2001-04.com.example:\udcff",
    ],
)
def test_what_is_no_name_is_refused(name: str):
    with pytest.raises(UsageError):
        normalise(name)


@given(st.text(max_size=30).map("iqn.2001-04.com.example:".__add__))
def test_the_form_of_comparison_is_a_name_of_that_form(name: str):
    try:
        folded = normalise(name)
    except UsageError:
        return
    assert normalise(folded) == folded
