"""Each cell of specs/scsi/reservations.toml, tried on a unit."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.scsi.hosts import IGNORE, MOVE, REGISTER, RESERVE, Host, House
from trioscsi.scsi import Done, Failed
from trioscsi.scsi.complaints import RESERVATIONS_LOST
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.layout import Layout
from trioscsi.scsi.reservations import persistent_in, persistent_order, transport_id
from trioscsi.scsi.reservations.registrations import Type
from trioscsi.scsi.reservations.state import CONFLICT

TABLE: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "specs" / "scsi" / "reservations.toml").read_text()
)
COMMANDS = TABLE["command"]
OUT = TABLE["out"]

ALONE = [Type.WRITE_EXCLUSIVE, Type.EXCLUSIVE_ACCESS]
SHARED = [kind for kind in Type if kind.shared]

KEY, OTHER_KEY = 1, 2
EVERYTHING = {"thin": True, "atomic": True, "keeps_state": True}
"""A unit has all commands."""


@attrs.frozen
class Situation:
    """Who holds what, and whether the one that asks is registered."""

    column: int
    kind: Type | None
    registered: bool

    def __str__(self) -> str:
        held = "reserve" if self.kind is None else self.kind.name.lower()
        return f"{self.column}-{held}-{'registered' if self.registered else 'stranger'}"

    def arrange(self) -> tuple[Host, Host]:
        """The host that has reserved, and another."""
        house = House(EVERYTHING)
        holder, other = house.host("holder"), house.host("other")
        if self.registered:
            other.order(IGNORE, 0, OTHER_KEY)
        if self.kind is None:
            assert holder.do("160000000000") == Done()
        else:
            holder.order(IGNORE, 0, KEY)
            assert holder.order(RESERVE, KEY, type=self.kind) == Done()
        return holder, other


SITUATIONS = [
    Situation(1, None, registered=False),
    *(
        Situation(2 + kind.exclusive_access, kind, registered=registered)
        for kind in ALONE
        for registered in (False, True)
    ),
    *(Situation(4, kind, registered=True) for kind in SHARED),
    *(Situation(5 + kind.exclusive_access, kind, registered=False) for kind in SHARED),
]
CELLS = pytest.mark.parametrize("situation", SITUATIONS, ids=str)


def cdb(row: dict[str, Any]) -> bytes:
    """A command of this row, which need not be one that can be performed."""
    if "cdb" in row:
        return bytes.fromhex(row["cdb"])
    action = row.get("service_action", 0)
    if row["opcode"] == 0x7F:
        return bytes((0x7F, 0, 0, 0, 0, 0, 0, 24)) + action.to_bytes(2, "big") + bytes(22)
    return bytes((row["opcode"], action)).ljust(16, b"\0")


def plan(host: Host, command: bytes) -> object:
    return host.house.unit.execute(command, host.nexus)


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    rows = {(row["opcode"], row.get("service_action")) for row in COMMANDS}
    rows |= {(0x5F, row["service_action"]) for row in OUT}
    assert {(command.opcode, command.service_action) for command in DISK} == rows


def answered(host_of: Callable[[], Host], answer: object) -> set[str]:
    """The rows whose command has this answer for a host, who is in the same situation for each."""
    return {row["name"] for row in COMMANDS if plan(host_of(), cdb(row)) == answer}


def conflicting(host_of: Callable[[], Host]) -> set[str]:
    return answered(host_of, CONFLICT)


@CELLS
def test_commands_conflict_where_the_table_says_so(situation: Situation) -> None:
    letters = {row["name"]: row["row"].replace(" ", "") for row in COMMANDS}
    assert set("".join(row[:-1] for row in letters.values())) == {"A", "C"}
    assert conflicting(lambda: situation.arrange()[1]) == {
        name for name, row in letters.items() if row[situation.column - 1] == "C"
    }


@CELLS
def test_the_holder_is_allowed_everything(situation: Situation) -> None:
    own = {row["name"] for row in COMMANDS if row.get("own", False)}
    conflicts = own if situation.column == 1 else set()
    assert conflicting(lambda: situation.arrange()[0]) == conflicts


def test_without_a_reservation_nothing_conflicts() -> None:
    assert conflicting(lambda: House(EVERYTHING).host("alone")) == set()


@CELLS
@pytest.mark.parametrize("row", OUT, ids=lambda row: row["name"])
def test_persistent_reserve_out_conflicts_where_the_table_says_so(
    row: dict[str, Any], situation: Situation
) -> None:
    holder, other = situation.arrange()
    action = row["service_action"]
    key = OTHER_KEY if situation.registered and action != IGNORE else 0
    rest = transport_id.encode("iqn.x:new,i,0x000000000001") if action == MOVE else b""
    new_key = 9 if action in (REGISTER, IGNORE, MOVE) else OTHER_KEY
    answer = other.order(action, key, new_key, type=situation.kind or 1, rest=rest)
    if situation.kind is None:
        assert answer == holder.order(action, 0, new_key, rest=rest) == CONFLICT
        return
    if situation.registered and situation.kind.all_registrants:
        # Whoever is registered is a holder, but not one that could move what all hold.
        assert (answer == CONFLICT) is (action == MOVE)
        return
    letter = row["registered" if situation.registered else "not_registered"]
    assert (answer == CONFLICT) is (letter == "C")


# When it is lost what was reserved.


def lost() -> Host:
    """A host that has come to a unit which has lost it."""
    house = House(EVERYTHING)
    assert house.unit.lose("reservations")
    return house.host("any")


def test_what_is_performed_although_reservations_are_lost_is_what_the_table_says() -> None:
    letters = {row["name"]: row["row"][-1] for row in COMMANDS}
    assert set(letters.values()) == {"A", "L"}
    refused = answered(lost, Failed(RESERVATIONS_LOST))
    assert refused == {name for name, letter in letters.items() if letter == "L"}
    assert conflicting(lost) == set()


@pytest.mark.parametrize("row", OUT, ids=lambda row: row["name"])
def test_which_persistent_reserve_out_is_performed_then_is_what_the_table_says(
    row: dict[str, Any],
) -> None:
    host, action = lost(), row["service_action"]
    rest = transport_id.encode("iqn.x:new,i,0x000000000001") if action == MOVE else b""
    answer = host.order(action, 0, KEY, type=1, rest=rest)
    assert answer == (Done() if row["lost"] == "A" else Failed(RESERVATIONS_LOST))


# The records.

RECORDS = {
    "PERSISTENT RESERVE IN parameter data header": persistent_in.HEADER,
    "READ RESERVATION parameter data": persistent_in.RESERVATION,
    "REPORT CAPABILITIES parameter data": persistent_in.CAPABILITIES,
    "Full status descriptor": persistent_in.FULL_STATUS,
    "PERSISTENT RESERVE OUT parameter list": persistent_order.PARAMETER_LIST,
    "REGISTER AND MOVE parameter list": persistent_order.MOVE_PARAMETER_LIST,
    "TransportID header": transport_id.HEADER,
}


def fields(layout: Layout) -> dict[str, list[int]]:
    return {name: [f.byte, f.bit, f.width] for name, f in layout.fields.items()}


def test_every_record_has_the_fields_of_its_row() -> None:
    assert {name: (layout.length, fields(layout)) for name, layout in RECORDS.items()} == {
        row["name"]: (row["length"], row["fields"]) for row in TABLE["record"]
    }


def test_the_types_are_those_of_the_table() -> None:
    assert {kind.name: kind.value for kind in Type} == TABLE["types"]
