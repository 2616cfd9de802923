"""specs/keys.toml and trioscsi/text/keys.py say the same."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from trioscsi.text import KEYS, Key, Offer, Parameters, Side
from trioscsi.text.rules import parse

SPECIFIED: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "specs" / "keys.toml").read_text()
)


def row(key: Key) -> dict[str, Any]:
    """What keys.toml should say about a key."""
    said: dict[str, Any] = {
        "rfc7143": key.section,
        "kind": key.kind.value,
        "value": key.syntax.value,
        "use": key.use.value,
        "scope": key.scope.value,
    }
    if key.section_3720 is not None:
        said["rfc3720"] = key.section_3720
    if key.default is not None:
        said["default"] = key.default
    if key.maximum:
        said["range"] = [key.minimum, key.maximum]
    if key.any_stage:
        said["any_stage"] = True
    if len(key.senders) == 1:
        (sender,) = key.senders
        said["senders"] = sender.value
    if key.irrelevant:
        said["irrelevant"] = sorted(reason.value for reason in key.irrelevant)
    if key.repeatable:
        said["repeatable"] = True
    return said


def test_every_key_of_the_rfcs_is_in_the_code_and_no_other():
    assert KEYS.keys() == SPECIFIED.keys()


@pytest.mark.parametrize("name", SPECIFIED)
def test_the_code_says_what_the_rfc_says(name):
    specified = dict(SPECIFIED[name])
    specified.pop("defined", None)
    assert row(KEYS[name]) == specified


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_key_that_is_newer_than_rfc_3720_says_where_it_comes_from(name):
    assert KEYS[name].newer == ("defined" in SPECIFIED[name])


@pytest.mark.parametrize(
    "key", [key for key in KEYS.values() if key.parameter], ids=lambda k: k.name
)
def test_a_parameter_starts_from_the_default_of_its_key(key):
    default = key.default and parse(key, key.default)
    expected = {("None",): False, ("RFC3720",): "RFC3720"}.get(default, default)
    for side in key.senders:
        parameter = getattr(Parameters(), key.parameter.format(sender=side.value))
        assert parameter == {"TargetAddress": (), "X#NodeArchitecture": None}.get(
            key.name, expected
        )


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.offer], ids=lambda k: k.name)
def test_every_key_that_is_sent_has_its_place_in_an_offer(key):
    assert hasattr(Offer(), key.offer)


def test_a_parameter_of_both_sides_is_named_after_who_declares_it():
    names = {KEYS["MaxRecvDataSegmentLength"].parameter.format(sender=side.value) for side in Side}
    assert names == {
        "initiator_max_recv_data_segment_length",
        "target_max_recv_data_segment_length",
    }
