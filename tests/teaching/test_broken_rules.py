from __future__ import annotations

import enum
from collections.abc import Mapping

import pytest

from trioscsi.pdu import CLASSES, LoginRequest, LoginStatus, RejectReason, TaskResult
from trioscsi.scsi import SenseKey, Status
from trioscsi.teaching.broken_rules import LOGIN, REJECT, SENSE, STATUS, TASKS, Rule
from trioscsi.teaching.fields import places
from trioscsi.text import KEYS

TABLES = pytest.mark.parametrize(
    "table",
    [LOGIN, REJECT, TASKS, STATUS, SENSE],
    ids=["login", "reject", "tasks", "status", "sense"],
)


@pytest.mark.parametrize(
    ("codes", "table", "others"),
    [
        (LoginStatus, LOGIN, [LoginStatus.SUCCESS]),
        (RejectReason, REJECT, []),
        (TaskResult, TASKS, [TaskResult.COMPLETE, TaskResult.SUCCEEDED]),
        (Status, STATUS, [Status.GOOD, Status.CONDITION_MET, Status.CHECK_CONDITION]),
        (
            SenseKey,
            SENSE,
            [
                SenseKey.NO_SENSE,
                SenseKey.RECOVERED_ERROR,
                SenseKey.UNIT_ATTENTION,
                SenseKey.VENDOR_SPECIFIC,
                SenseKey.VOLUME_OVERFLOW,
                SenseKey.COMPLETED,
            ],
        ),
    ],
)
def test_every_code_that_refuses_has_its_rule(
    codes: type[enum.IntEnum],
    table: Mapping[enum.IntEnum, Rule],
    others: list[enum.IntEnum],
) -> None:
    assert set(table) == set(codes) - set(others)


@TABLES
def test_a_rule_is_a_sentence_about_fields_and_keys_that_there_are(
    table: Mapping[enum.IntEnum, Rule],
) -> None:
    known = {name for cls in CLASSES.values() for name, _ in places(cls)}
    for rule in table.values():
        assert rule.says[0].isupper()
        assert rule.says.endswith(".")
        assert set(rule.fields) <= known
        assert set(rule.keys) <= KEYS.keys()


def test_what_is_said_of_logins_is_about_login_requests() -> None:
    known = {name for name, _ in places(LoginRequest)}
    for rule in LOGIN.values():
        assert set(rule.fields) <= known


@pytest.mark.parametrize("table", [TASKS, STATUS, SENSE])
def test_what_the_servers_log_does_not_tell_has_its_advice_here(
    table: Mapping[enum.IntEnum, Rule],
) -> None:
    assert all(rule.advice for rule in table.values())
