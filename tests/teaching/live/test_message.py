from __future__ import annotations

from trioscsi.teaching.live.message import ALWAYS, DETAIL, TYPES, Filter, Told


def test_the_words_for_types_agree():
    assert TYPES >= DETAIL | ALWAYS


def test_a_filter_without_words_admits_everything():
    assert all(Filter().admits(Told({"type": kind})) for kind in TYPES)


def test_hello_and_what_was_dropped_pass_every_filter():
    nothing = Filter(types=[], connections=[], pdus=[])
    admitted = {kind for kind in TYPES if nothing.admits(Told({"type": kind, "connection": 1}))}
    assert admitted == ALWAYS
