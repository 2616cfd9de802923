from __future__ import annotations

import pytest

from tests.teaching.conversation import OWN, PEER
from trioscsi.machines import MACHINES, Transition
from trioscsi.pdu import LoginRequest, LoginResponse, LogoutRequest, NopOut, encode
from trioscsi.teaching.telling import Teller, Told


def moved(machine: str, label: str) -> Transition:
    return next(row for row in MACHINES[machine].transitions if row.label == label)


def connected(lines: list[str], **settings: object) -> Told:
    teller = Teller(lines.append, **settings)  # type: ignore[arg-type]
    return teller.connect(PEER, OWN, OWN)


def log_in(told: Told) -> None:
    text = b"MaxBurstLength=65536\0"
    told.received(*encode(LoginRequest(transit=True, csg=1, nsg=3, data=text)))
    told.moved(moved("connection", "T5"))
    answer = encode(LoginResponse(transit=True, csg=1, nsg=3, data=text))
    told.sent(answer, sum(map(len, answer)))


def test_both_sides_and_what_they_lead_to_are_told_in_order() -> None:
    lines: list[str] = []
    log_in(connected(lines))
    assert [line.split(", ITT")[0] for line in lines] == [
        "  -->  Login Request, stage 1 to 3",
        "       connection T5: IN_LOGIN -> LOGGED_IN (RFC 7143 section 8.1)",
        "           The Login Request that ends the login was accepted.",
        "  <--  Login Response, SUCCESS",
    ]


def test_a_pdu_is_told_when_its_last_byte_has_come() -> None:
    lines: list[str] = []
    told = connected(lines)
    log_in(told)
    del lines[:]
    ping = b"".join(encode(NopOut(itt=7, data=b"abcd")))
    told.received(memoryview(ping)[:50])
    assert lines == []
    told.received(memoryview(ping)[50:], b"")
    assert lines == ["  -->  NOP-Out, ITT 0x00000007, CmdSN 0, ExpStatSN 0, 4 bytes"]


def test_of_what_is_sent_only_what_has_gone_is_told() -> None:
    lines: list[str] = []
    told = connected(lines)
    answer = b"".join(encode(LoginResponse()))
    told.sent([answer, answer], len(answer))
    assert len(lines) == 1


def test_what_is_wrong_is_told_below_a_pdu() -> None:
    lines: list[str] = []
    told = connected(lines)
    log_in(told)
    told.received(*encode(LogoutRequest(reason=77)))
    assert lines[-1] == "       wrong: Reason has a reserved value (RFC 7143 section 11.14)"


def test_keys_are_a_table_if_that_is_wanted() -> None:
    lines: list[str] = []
    log_in(connected(lines, keys=True))
    assert any("MaxBurstLength  initiator: 65536  65536" in line for line in lines)


def test_logins_may_be_left_out() -> None:
    lines: list[str] = []
    told = connected(lines, logins=False)
    log_in(told)
    told.moved(moved("connection", "T9"))
    assert lines[0] == "  <->  a login"
    assert lines[1].startswith("       connection T9: ")


@pytest.mark.parametrize(
    ("machines", "expected"), [(["session"], 2), (["connection"], 0), (list(MACHINES), 2)]
)
def test_transitions_are_those_of_the_machines_that_are_wanted(
    machines: list[str], expected: int
) -> None:
    lines: list[str] = []
    told = connected(lines, machines=machines)
    told.moved(moved("session", "N1"))
    told.moved(moved("full_feature", "hear"))
    assert len(lines) == expected


@pytest.mark.parametrize(
    ("broken", "how"), [(False, "closed the connection"), (True, "broken the connection off")]
)
def test_the_end_is_told_once(broken: bool, how: str) -> None:
    lines: list[str] = []
    told = connected(lines)
    told.ended(broken=broken)
    told.ended()
    told.settle()
    told.close()
    assert lines == [f"  -->  the initiator has {how}"]


def test_remarks_are_told_and_later_connections_have_numbers() -> None:
    lines: list[str] = []
    teller = Teller(lines.append)
    teller.connect(PEER, OWN, OWN).note("refused: a")
    second = teller.connect(PEER, OWN, OWN)
    second.note("refused: b")
    second.received(*encode(LoginRequest()))
    assert lines[:2] == ["       (refused: a)", "       (2) (refused: b)"]
    assert lines[2].startswith("  -->  (2) Login Request")


def test_secrets_are_not_told() -> None:
    lines: list[str] = []
    told = connected(lines, keys=True)
    text = b"CHAP_N=anna\0CHAP_R=0x1234abcd\0"
    told.received(*encode(LoginRequest(transit=True, csg=0, nsg=3, data=text)))
    answer = encode(LoginResponse(transit=True, csg=0, nsg=3))
    told.sent(answer, sum(map(len, answer)))
    shown = "\n".join(lines)
    assert "CHAP_R" in shown
    assert "0x00000000" in shown
    assert "1234abcd" not in shown
