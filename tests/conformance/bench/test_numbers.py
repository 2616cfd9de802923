from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioscsi.conformance.bench.numbers import Numbers
from trioscsi.pdu import (
    LoginRequest,
    LoginResponse,
    NopIn,
    ScsiCommand,
    ScsiResponse,
    TaskManagementRequest,
)
from trioscsi.serial import add

NUMBER = st.integers(0, 2**32 - 1)


def logged_in(cmd_sn: int = 5, stat_sn: int = 0) -> Numbers:
    """Numbers after a login of one request and one response."""
    numbers = Numbers()
    numbers.heard(LoginRequest(cmd_sn=cmd_sn))
    passed(numbers, LoginResponse(stat_sn=stat_sn, exp_cmd_sn=cmd_sn, max_cmd_sn=add(cmd_sn, 7)))
    return numbers


def passed(numbers: Numbers, pdu):
    """An answer of the target goes through."""
    numbers.outward(pdu)
    numbers.said(pdu)
    return pdu


def own(numbers: Numbers, pdu):
    """The scenario says something."""
    numbers.own(pdu)
    numbers.said(pdu)
    return pdu


def through(numbers: Numbers, pdu):
    """A request goes through."""
    numbers.heard(pdu)
    numbers.inward(pdu)
    return pdu


@given(cmd_sn=NUMBER, stat_sn=NUMBER)
def test_where_nothing_is_touched_numbers_stay_what_they_are(cmd_sn: int, stat_sn: int):
    numbers = logged_in(cmd_sn, stat_sn)
    assert through(numbers, ScsiCommand(cmd_sn=cmd_sn)).cmd_sn == cmd_sn
    answer = passed(numbers, ScsiResponse(stat_sn=add(stat_sn), exp_cmd_sn=add(cmd_sn)))
    assert (answer.stat_sn, answer.exp_cmd_sn) == (add(stat_sn), add(cmd_sn))
    assert not numbers.shifted


@given(cmd_sn=NUMBER, stat_sn=NUMBER)
def test_a_command_that_the_scenario_answers_is_one_that_the_target_never_sees(
    cmd_sn: int, stat_sn: int
):
    numbers = logged_in(cmd_sn, stat_sn)
    kept = ScsiCommand(cmd_sn=cmd_sn)
    numbers.heard(kept)
    numbers.kept(kept)
    assert own(numbers, ScsiResponse()).stat_sn == add(stat_sn)
    assert through(numbers, ScsiCommand(cmd_sn=add(cmd_sn))).cmd_sn == cmd_sn
    answer = passed(numbers, ScsiResponse(stat_sn=add(stat_sn), exp_cmd_sn=add(cmd_sn)))
    assert (answer.stat_sn, answer.exp_cmd_sn) == (add(stat_sn, 2), add(cmd_sn, 2))


def test_a_command_that_was_kept_goes_on_behind_the_others():
    numbers = logged_in(5)
    kept = ScsiCommand(cmd_sn=5)
    numbers.heard(kept)
    numbers.kept(kept)
    assert through(numbers, ScsiCommand(cmd_sn=6)).cmd_sn == 5
    numbers.returned(kept)
    numbers.inward(kept)
    assert kept.cmd_sn == 6
    assert through(numbers, ScsiCommand(cmd_sn=7)).cmd_sn == 7


def test_what_the_target_says_before_it_knows_of_such_a_command_counts_it_all_the_same():
    numbers = logged_in(5)
    kept = [ScsiCommand(cmd_sn=5), ScsiCommand(cmd_sn=6)]
    for each in kept:
        numbers.heard(each)
        numbers.kept(each)
    through(numbers, ScsiCommand(cmd_sn=7))
    for each in kept:
        numbers.returned(each)
        numbers.inward(each)
    assert [each.cmd_sn for each in kept] == [6, 7]
    for said in (6, 7, 8):
        answer = passed(numbers, ScsiResponse(stat_sn=said - 5, exp_cmd_sn=said))
        assert answer.exp_cmd_sn == 8


def test_what_the_scenario_says_unasked_moves_statuses_only_if_it_has_one():
    numbers = logged_in(stat_sn=9)
    assert own(numbers, NopIn(ttt=1)).stat_sn == 10
    assert passed(numbers, ScsiResponse(stat_sn=10)).stat_sn == 10
    assert own(numbers, ScsiResponse()).stat_sn == 11
    assert passed(numbers, ScsiResponse(stat_sn=11)).stat_sn == 12


def test_an_answer_that_is_withheld_leaves_no_gap_but_one_that_is_skipped_does():
    numbers = logged_in(stat_sn=0)
    withheld = ScsiResponse(stat_sn=1)
    numbers.outward(withheld)
    numbers.withheld(withheld)
    assert passed(numbers, ScsiResponse(stat_sn=2)).stat_sn == 1
    numbers.skip(3)
    assert passed(numbers, ScsiResponse(stat_sn=3)).stat_sn == 5


def test_a_scenario_may_say_where_statuses_begin():
    numbers = Numbers(stat_sn=2**32 - 1)
    numbers.heard(LoginRequest(cmd_sn=1))
    assert passed(numbers, LoginResponse(stat_sn=0)).stat_sn == 2**32 - 1
    assert passed(numbers, ScsiResponse(stat_sn=1)).stat_sn == 0


def test_the_first_word_may_be_the_scenario_s():
    numbers = Numbers()
    numbers.heard(LoginRequest(cmd_sn=7))
    first = own(numbers, LoginResponse())
    assert (first.stat_sn, first.exp_cmd_sn) == (1, 7)
    assert passed(numbers, LoginResponse(stat_sn=0)).stat_sn == 2


def test_an_acknowledgment_and_a_reference_are_told_in_the_numbers_of_the_target():
    numbers = logged_in(5, 0)
    kept = ScsiCommand(cmd_sn=5)
    numbers.heard(kept)
    numbers.kept(kept)
    own(numbers, ScsiResponse())
    request = through(
        numbers, TaskManagementRequest(immediate=True, cmd_sn=7, exp_stat_sn=2, ref_cmd_sn=6)
    )
    assert (request.cmd_sn, request.exp_stat_sn, request.ref_cmd_sn) == (6, 1, 5)


def test_the_window_is_wide_as_long_as_nobody_has_said_how_wide():
    numbers = Numbers()
    numbers.heard(LoginRequest(cmd_sn=7))
    assert numbers.window_end == 39
    assert logged_in(7).window_end == 14


def test_a_window_that_was_closed_stays_where_it_was():
    numbers = logged_in(7)
    numbers.ceiling = numbers.window_end
    response = ScsiResponse(stat_sn=1, exp_cmd_sn=12, max_cmd_sn=19)
    assert passed(numbers, response).max_cmd_sn == 14
    assert own(numbers, NopIn(ttt=1)).max_cmd_sn == 14
    numbers.ceiling = None
    response = ScsiResponse(stat_sn=2, exp_cmd_sn=12, max_cmd_sn=19)
    assert passed(numbers, response).max_cmd_sn == 19


def test_a_window_that_contradicts_itself_is_not_one_that_was_granted():
    numbers = logged_in(cmd_sn=5)
    numbers.said(NopIn(stat_sn=1, exp_cmd_sn=200, max_cmd_sn=100))
    assert numbers.window_end == 12


def test_an_acknowledgment_is_not_taken_back_when_the_target_knows_of_less():
    numbers = logged_in(cmd_sn=5)
    command = ScsiCommand(cmd_sn=5)
    numbers.heard(command)
    numbers.kept(command)
    numbers.heard(ScsiCommand(cmd_sn=6))
    assert own(numbers, NopIn(ttt=1)).exp_cmd_sn == 7
    assert passed(numbers, NopIn(ttt=2, exp_cmd_sn=5, max_cmd_sn=12)).exp_cmd_sn == 7


def test_a_command_that_was_refused_has_not_come():
    numbers = logged_in(5)
    refused = ScsiCommand(cmd_sn=5)
    numbers.heard(refused)
    numbers.kept(refused)
    numbers.unheard(refused)
    assert own(numbers, NopIn(ttt=1)).exp_cmd_sn == 5
    assert through(numbers, ScsiCommand(cmd_sn=5)).cmd_sn == 5
