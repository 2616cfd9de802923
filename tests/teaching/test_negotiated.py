from __future__ import annotations

import pytest

from trioscsi.teaching.negotiated import COLUMNS, MOST_KEYS, Table, alone
from trioscsi.text import KEYS, Side

I, T = Side.INITIATOR, Side.TARGET  # noqa: E741 - as tables have it


def rows(*said: tuple[Side, str, str]) -> list[dict[str, str]]:
    table = Table()
    for side, name, value in said:
        table.hear(side, name, value)
    head, *lines = table.rows
    assert head == COLUMNS
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines]


def test_an_offer_and_its_answer_are_one_line() -> None:
    (row,) = rows((I, "MaxBurstLength", "262144"), (T, "MaxBurstLength", "65536"))
    assert row == {
        "key": "MaxBurstLength",
        "offered": "initiator: 262144",
        "answered": "65536",
        "rule": "the smaller one",
        "result": "65536",
        "section": "13.13",
    }


def test_both_sides_may_declare_the_same_key() -> None:
    name = "MaxRecvDataSegmentLength"
    found = rows((I, name, "8192"), (T, name, "65536"))
    assert [(row["offered"], row["result"]) for row in found] == [
        ("initiator: 8192", "8192"),
        ("target: 65536", "65536"),
    ]


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ([(I, "InitialR2T", "No")], "no answer"),
        ([(I, "InitialR2T", "Yes")], "Yes"),
        ([(I, "ImmediateData", "No")], "No"),
        ([(I, "ImmediateData", "Yes")], "no answer"),
        ([(I, "InitialR2T", "No"), (T, "InitialR2T", "Irrelevant")], "as it was"),
        ([(I, "InitialR2T", "Yes"), (T, "InitialR2T", "No")], "wrong: No is no answer to Yes"),
        ([(I, "HeaderDigest", "None"), (T, "HeaderDigest", "CRC32C")], "wrong: CRC32C is no"),
        ([(I, "MaxBurstLength", "1")], "wrong: MaxBurstLength cannot be '1'"),
        ([(I, "InitialR2T", "No"), (T, "InitialR2T", "perhaps")], "wrong: InitialR2T cannot be"),
        ([(T, "InitiatorName", "iqn.a:b")], "wrong: no target sends it"),
        ([(I, "InitialR2T", "Reject")], "wrong: Reject is an answer"),
        ([(I, "X-com.example.key", "1"), (T, "X-com.example.key", "NotUnderstood")], "not neg"),
        ([(I, "OFMarkInt", "1~2"), (T, "OFMarkInt", "Reject")], ""),
        ([(I, "CHAP_N", "me")], ""),
    ],
)
def test_the_result_says_what_became_of_a_key(
    said: list[tuple[Side, str, str]], result: str
) -> None:
    assert rows(*said)[-1]["result"].startswith(result)


def test_a_key_that_is_sent_twice_is_wrong() -> None:
    found = rows((I, "InitialR2T", "No"), (I, "InitialR2T", "No"))
    assert found[-1]["result"] == "wrong: sent twice"


@pytest.mark.parametrize("name", KEYS)
def test_every_key_has_a_rule_and_a_section(name: str) -> None:
    (row,) = rows((I, name, "1"))
    assert row["rule"]
    assert row["section"] == KEYS[name].section


def test_long_values_and_many_keys_are_bounded() -> None:
    table = Table()
    for number in range(MOST_KEYS + 5):
        table.hear(I, f"X-{number}", "a" * 1000)
    assert len(table.rows) == 1 + MOST_KEYS
    assert table.left_out == 5
    assert max(len(cell) for row in table.rows for cell in row) == 60


def test_a_target_may_name_itself_to_those_who_ask() -> None:
    found = rows(
        (I, "SendTargets", "All"), (T, "TargetName", "iqn.a:b"), (T, "TargetName", "iqn.c:d")
    )
    assert [row["result"] for row in found] == ["", "iqn.a:b", "iqn.c:d"]


def test_no_key_is_no_table() -> None:
    assert Table().rows == []


def test_what_one_pdu_says_alone_is_neither_offer_nor_answer() -> None:
    said = [("HeaderDigest", "None"), ("iSCSIProtocolLevel", "NotUnderstood"), ("X-a", "b" * 99)]
    table, wrong = alone(T, said)
    assert table == [
        ("key", "value", "rule", "section"),
        ("HeaderDigest", "None", "the first offered that both know", "13.1"),
        (
            "iSCSIProtocolLevel",
            "NotUnderstood",
            "the smaller one",
            KEYS["iSCSIProtocolLevel"].section,
        ),
        ("X-a", "b" * 57 + "...", "unknown key", ""),
    ]
    assert wrong == []


def test_what_is_wrong_in_one_pdu_alone_is_told() -> None:
    said = [("InitiatorName", "iqn.a:b"), ("MaxBurstLength", "512"), ("MaxBurstLength", "512")]
    _, wrong = alone(T, said)
    assert wrong == ["InitiatorName: no target sends it", "MaxBurstLength: sent twice"]
    assert alone(T, []) == ([], [])
