from __future__ import annotations

import pytest

from trioscsi.errors import PeerError
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.text import Breach


def test_all_rules_are_kept_that_are_not_broken():
    rules = Rules(frozenset({Rule.WINDOW}))
    assert {rule for rule in Rule if not rules.keep(rule)} == {Rule.WINDOW}


def test_a_target_that_breaks_a_rule_is_told_so_unless_nobody_looks():
    with pytest.raises(PeerError, match="an R2T for nothing") as caught:
        Rules().insist(Rule.R2T_LENGTH, False, "an R2T for nothing", "11.8.4")
    assert caught.value.section == "11.8.4"
    Rules().insist(Rule.R2T_LENGTH, True, "", "11.8.4")
    Rules(frozenset({Rule.R2T_LENGTH})).insist(Rule.R2T_LENGTH, False, "", "11.8.4")


def test_each_breach_in_a_negotiation_can_be_overlooked():
    assert Rules().overlooked == frozenset()
    assert Rules(frozenset(Rule)).overlooked == frozenset(Breach)


def test_each_rule_is_one_sentence():
    for rule in Rule:
        assert rule.value.endswith(".")
        assert rule.value[0].isupper()
