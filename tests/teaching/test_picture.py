from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from trioscsi.machines import MACHINES
from trioscsi.teaching.picture import svg

EVERY_MACHINE = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
SVG = "{http://www.w3.org/2000/svg}"


def picture(machine):
    return ET.fromstring(svg(machine))


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
    assert svg(machine) == svg(machine)


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
