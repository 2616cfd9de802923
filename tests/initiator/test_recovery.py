from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import requirement
from trioscsi.initiator.recovery import Policy, Recovery
from trioscsi.initiator.rules import Rule, Rules


def recovery(*broken: Rule, **policy: float) -> Recovery:
    return Recovery(Policy(**policy), Rules(frozenset(broken)), now=0.0)


def up(*broken: Rule, **policy: float) -> Recovery:
    one = recovery(*broken, **policy)
    one.logged_in(-100.0)
    assert one.up
    return one


def test_the_target_is_left_in_peace_for_the_time_that_it_wants():
    one = up()
    one.session_failed("lost", 7, now=100.0)
    assert (one.up, one.due) == (False, 107.0)
    one.log_in()
    assert one.due is None
    one.logged_in(108.0)
    assert one.up


def test_each_login_that_fails_makes_the_next_wait_longer():
    one = up(delay=1, longest_delay=5)
    one.session_failed("lost", 0, now=0.0)
    waits = []
    for _ in range(5):
        one.log_in()
        one.login_failed("busy", 0x0301, now=10.0)
        assert one.due is not None
        waits.append(one.due - 10)
    assert waits == [1, 2, 4, 5, 5]
    one.log_in()
    one.logged_in(10.0)
    one.session_failed("lost", 0, now=20.0)
    one.log_in()
    one.login_failed("nobody there", None, now=20.0)
    assert one.due == 21.0


@requirement("7143-11.13.5-5")
@pytest.mark.parametrize("status", [0x0201, 0x0203, 0x020A])
def test_a_refusal_of_class_2_is_final(status: int):
    one = recovery()
    one.login_failed("refused", status, now=0.0)
    assert (one.down, one.status, one.due) == ("refused", status, None)


def test_patience_has_an_end():
    one = up(patience=10)
    one.session_failed("lost", 2, now=0.0)
    one.log_in()
    one.login_failed("busy", 0x0301, now=9.5)
    assert one.down == "busy"


def test_sessions_that_do_not_last_make_the_next_wait_longer_and_have_an_end():
    one = up(delay=1, patience=10)
    one.session_failed("lost", 0, now=0.0)
    now, waits = 0.0, []
    while one.due is not None:
        waits.append(one.due - now)
        now = one.due
        one.log_in()
        one.logged_in(now)
        one.session_failed("lost again", 0, now)
    assert waits == [0, 1, 2, 4, 8]
    assert one.down == "lost again"


def test_what_is_closed_does_not_come_back():
    one = up()
    one.close()
    one.close()
    one.session_failed("lost", 0, now=0.0)
    assert (one.due, one.down) == (None, "the session is closed")


def test_each_rule_can_be_broken():
    one = up(Rule.TIME2WAIT)
    one.session_failed("lost", 7, now=0.0)
    assert one.due == 0.0
    one = recovery(Rule.BACK_OFF)
    one.login_failed("busy", 0x0301, now=0.0)
    assert one.due == 0.0
    one = recovery(Rule.FINAL_REFUSAL)
    one.login_failed("refused", 0x0201, now=0.0)
    assert one.due == 1.0


EVENTS = st.sampled_from(["logged_in", "failed", "refused", "lost", "closed"])


@given(st.lists(st.tuples(EVENTS, st.floats(0, 50)), max_size=30))
def test_whatever_happens_it_is_up_or_will_log_in_or_is_down(events: list[tuple[str, float]]):
    one, now = recovery(), 0.0
    logging_in = True
    for event, wait in events:
        now += wait
        if one.due is not None and one.due <= now:
            one.log_in()
            logging_in = True
        if event == "logged_in" and logging_in:
            one.logged_in(now)
        elif event in ("failed", "refused") and logging_in:
            one.login_failed(event, 0x0301 if event == "failed" else 0x0200, now)
        elif event == "lost":
            one.session_failed(event, wait, now)
        elif event == "closed":
            one.close()
        logging_in = logging_in and not (one.up or one.down or one.due is not None)
        assert one.up + bool(one.down) + (one.due is not None) + logging_in == 1
