from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.server.control.caller import REQUESTS
from trioscsi.server.control.requests import BadRequest, Request, parse

KINDS = {name: kind for name, (kind, _) in REQUESTS.items()}


def heard(said: object) -> Request:
    return parse(json.dumps(said).encode(), KINDS)


def refused(line: bytes | str) -> str:
    with pytest.raises(BadRequest) as caught:
        parse(line.encode() if isinstance(line, str) else line, KINDS)
    return str(caught.value)


def test_a_request_has_a_name_an_id_and_arguments():
    request = heard({"id": 7, "request": "explain", "connection": 1, "number": 2})
    assert request == Request(7, "explain", {"connection": 1, "number": 2})
    assert heard({"id": "a", "request": "snapshot"}).id == "a"
    assert heard({"request": "snapshot"}).id is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "this is no JSON: Expecting value"),
        ("{", "this is no JSON: Expecting property name enclosed in double quotes"),
        (b"\xff", "this is no JSON: not UTF-8"),
        ("[" * 60_000, "this is nested too deeply"),
        ("1" * 60_000, "this has a number of too many digits"),
        ("[]", "a request is a JSON object"),
        ('{"id":[]}', "the id has to be a number or at most 64 characters"),
        ('{"id":true}', "the id has to be a number or at most 64 characters"),
        ('{"id":1e999}', "the id has to be a number or at most 64 characters"),
        ("{}", "no request: there are explain, snapshot, subscribe, unsubscribe"),
        ('{"request":1}', "no request: there are explain, snapshot, subscribe, unsubscribe"),
        (
            '{"request":"stop"}',
            "'stop' is no request: there are explain, snapshot, subscribe, unsubscribe",
        ),
        ('{"request":"explain","connection":1}', "explain needs number"),
        (
            '{"request":"explain","connection":0,"number":1}',
            "connection has to be a number from 1",
        ),
        (
            '{"request":"explain","connection":true,"number":1}',
            "connection has to be a number from 1",
        ),
        ('{"request":"snapshot","all":1}', "snapshot has no 'all'"),
        (
            '{"request":"subscribe","types":"pdu"}',
            "types has to be a list of at most 1024 strings",
        ),
        ('{"request":"subscribe","types":["x"]}', "types names no type of message with 'x'"),
        ('{"request":"subscribe","pdus":[1]}', "pdus has to be a list of at most 1024 strings"),
        (
            '{"request":"subscribe","connections":[-1]}',
            "connections has to be a list of at most 1024 numbers from 1",
        ),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: bytes | str, reason: str):
    assert refused(line) == reason


def test_a_refusal_has_the_id_of_its_request():
    with pytest.raises(BadRequest) as caught:
        heard({"id": 3, "request": "explain"})
    assert caught.value.id == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "request", "types", "connections", "pdus", "connection", "x"]),
            inner | st.sampled_from(sorted(KINDS)),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=99) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_a_request_or_is_refused(line: bytes):
    with suppress(BadRequest):
        assert parse(line, KINDS).name in KINDS
