from __future__ import annotations

import math

import click
import pytest

from trioscsi.cli.conformance import conformance
from trioscsi.cli.numbers import Number
from trioscsi.cli.probe import probe
from trioscsi.cli.watch import watch


@pytest.mark.parametrize(("text", "number"), [("1", 1.0), ("2.5", 2.5), ("inf", math.inf)])
def test_a_number_in_the_range_is_taken(text: str, number: float) -> None:
    assert Number(min=1).convert(text, None, None) == number


@pytest.mark.parametrize("text", ["nan", "-NaN", "0.5", "-inf", "one", ""])
def test_what_is_not_in_the_range_or_no_number_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not"):
        Number(min=1).convert(text, None, None)


@pytest.mark.parametrize("command", [conformance.commands["run"], probe, watch])
def test_no_option_takes_what_is_no_number(command: click.Command) -> None:
    types = [each.type for each in command.params]
    floats = [each for each in types if isinstance(each, click.types.FloatParamType)]
    assert floats
    assert all(isinstance(each, Number) for each in floats)
