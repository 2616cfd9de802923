from __future__ import annotations

import re
from functools import cache
from xml.etree import ElementTree as ET

import pytest

from trioscsi.machines import MACHINES
from trioscsi.teaching.picture import figure, svg

EVERY_MACHINE = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
SVG = "{http://www.w3.org/2000/svg}"


@cache
def text_of(machine):
    return svg(machine)


@cache
def picture(machine):
    return ET.fromstring(text_of(machine))


@cache
def drawn(machine):
    return figure(machine)


def texts(root, style):
    return [text.text for text in root.iter(f"{SVG}text") if text.get("class") == style]


@EVERY_MACHINE
def test_every_state_is_a_box_with_its_sentence(machine):
    root = picture(machine)
    tips = [title.text for title in root.iter(f"{SVG}title")]
    for state in machine.states:
        assert state.name in texts(root, "name")
        assert state.symbol in texts(root, "symbol")
        assert state.sentence in tips


@EVERY_MACHINE
def test_every_label_and_every_cause_can_be_read(machine):
    root = picture(machine)
    assert {row.label for row in machine.transitions} == set(texts(root, "label"))
    assert set(machine.inputs) <= set(texts(root, None))


@EVERY_MACHINE
def test_every_cause_and_every_effect_is_told_in_a_sentence(machine):
    tips = "\n".join(title.text for title in picture(machine).iter(f"{SVG}title"))
    for row in machine.transitions:
        assert f"{row.label}: {machine.inputs[row.cause]}" in tips
        for effect in row.effects:
            assert f"{effect.name}: {effect.value}" in tips


@EVERY_MACHINE
def test_the_picture_is_the_same_each_time(machine):
    assert svg(machine) == text_of(machine)


def test_a_machine_that_ends_where_it_began_shows_that_state_twice():
    assert texts(picture(MACHINES["connection"]), "name").count("FREE") == 2
    assert texts(picture(MACHINES["cleanup"]), "name").count("CLEANUP_WAIT") == 1


def test_what_leaves_many_states_alike_is_drawn_once():
    root = picture(MACHINES["login"])
    assert texts(root, "label").count("refuse") == 1
    assert "any state" in texts(root, "symbol")
    assert "but NEW" in texts(picture(MACHINES["task"]), "symbol")


def test_a_picture_suits_light_and_dark_pages():
    text = svg(MACHINES["session"])
    assert "prefers-color-scheme: dark" in text
    assert set(re.findall(r"var\((--\w+)\)", text)) == set(re.findall(r"(--\w+):", text))


# What a page needs.


def classed(root, style):
    return [group for group in root.iter(f"{SVG}g") if group.get("class") == style]


@EVERY_MACHINE
def test_every_state_and_every_transition_can_be_found_in_a_figure(machine):
    root = ET.fromstring(drawn(machine))
    assert root.get("data-machine") == machine.name
    assert {box.get("data-state") for box in classed(root, "state")} == {
        state.name for state in machine.states
    }
    for style in ("arrow", "words"):
        found = [
            (source, cause, group.get("data-to"))
            for group in classed(root, style)
            for source in group.get("data-from").split()
            for cause in group.get("data-on").split()
        ]
        # One that leaves many states alike is drawn for all of them together.
        assert {(row.source, row.cause, row.target) for row in machine.transitions} <= set(found)


@EVERY_MACHINE
def test_a_figure_has_labels_but_no_causes_and_no_style_of_its_own(machine):
    root = ET.fromstring(drawn(machine))
    shown = ", ".join(texts(root, "label")).split(", ")
    assert set(shown) == {row.label for row in machine.transitions}
    assert texts(root, None) == []
    assert root.find(f"{SVG}style") is None
    assert f'id="head-{machine.name}"' in drawn(machine)
    assert "url(#head)" not in drawn(machine)


@EVERY_MACHINE
def test_a_figure_is_smaller_than_the_picture(machine):
    size = ET.fromstring(drawn(machine)).get("viewBox").split()[2:]
    whole = picture(machine).get("viewBox").split()[2:]
    assert all(float(small) < float(large) for small, large in zip(size, whole, strict=True))
