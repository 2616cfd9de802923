from __future__ import annotations

from typing import get_args

from trioscsi.protocol import Task, events


def test_every_event_is_one_of_the_events_and_says_what_it_is():
    classes = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and value.__module__ == events.__name__
    }
    assert {*classes, Task} == set(get_args(events.Event))
    assert all(cls.__doc__ for cls in classes)
