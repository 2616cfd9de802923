from __future__ import annotations

import pytest

from tests.scsi.copy.world import World
from tests.scsi.store import at_once
from trioscsi.scsi import Failed, Refusal, Sense
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.token import (
    DELETED,
    EXPIRED,
    NO_ROOM,
    REVOKED,
    TOKEN,
    UNKNOWN,
    UNSUPPORTED,
    WRONG_LENGTH,
    Range,
    RodType,
    Token,
    find,
    is_zero,
)
from trioscsi.scsi.inquiry.designation import designators, target_designator

TIMEOUT = 100


def make(world: World, *ranges: Range, lun: int = 0) -> Token:
    unit = world.target.units[lun]
    token = unit.tokens.make(unit, ranges or (Range(8, 8),), TIMEOUT)
    token.watch(world.disks[lun])
    return token


def why_not(token: Token) -> Sense | None:
    """Why a token is worth nothing, or None."""
    try:
        token.check()
    except Refusal as refusal:
        assert isinstance(refusal.plan, Failed)  # noqa: PT017 - None is an answer, too
        return refusal.plan.sense
    return None


def test_a_token_describes_the_unit_and_what_it_stands_for(world: World) -> None:
    unit = world.target.units[1]
    token = make(world, Range(0, 3), Range(10, 2), lun=1)
    fields = TOKEN.decode(token.data)
    assert len(token.data) == 512
    assert fields["rod_type"] == RodType.CHANGE_VULNERABLE
    assert fields["rod_token_length"] == 504
    assert fields["number_of_bytes_represented"] == token.length == 5 * 4096
    assert fields["logical_block_length"] == 4096
    creator = fields["creator_logical_unit_descriptor"].to_bytes(32, "big")
    assert creator[4:].startswith(designators(unit)[0])
    assert token.data[128:384].rstrip(b"\0") == target_designator(unit).rstrip(b"\0")


def test_two_tokens_of_the_same_blocks_differ_and_cannot_be_guessed(world: World) -> None:
    one, other = make(world), make(world)
    assert one.data != other.data
    secrets = {TOKEN.decode(token.data)["secret"] for token in (one, other)}
    assert len(secrets) == 2


def test_a_token_is_found_at_any_unit(world: World) -> None:
    token = make(world, lun=1)
    for unit in world.target.units.values():
        assert find(unit, token.data) is token


@pytest.mark.parametrize("byte", [4, 8, 16, 60, 200, 511])
def test_other_bytes_are_no_token(world: World, byte: int) -> None:
    token = make(world)
    data = bytearray(token.data)
    data[byte] ^= 1
    with pytest.raises(Refusal) as refusal:
        find(token.unit, bytes(data))
    assert refusal.value.plan == Failed(UNKNOWN)


@pytest.mark.parametrize(("byte", "sense"), [(3, UNSUPPORTED), (0, UNSUPPORTED), (7, WRONG_LENGTH)])
def test_a_token_of_another_kind_is_refused(world: World, byte: int, sense: Sense) -> None:
    token = make(world)
    data = bytearray(token.data)
    data[byte] ^= 0x10
    with pytest.raises(Refusal) as refusal:
        find(token.unit, bytes(data))
    assert refusal.value.plan == Failed(sense)


def test_the_zero_token_is_known_to_everybody() -> None:
    assert is_zero(bytes.fromhex("ffff0001 0000 01f8") + bytes(504))
    assert not is_zero(bytes(512))


@pytest.mark.parametrize("method", ["zero", "unmap"])
@pytest.mark.parametrize(
    ("lba", "blocks", "valid"), [(0, 8, True), (0, 9, False), (15, 1, False), (16, 1, True)]
)
def test_a_change_of_its_blocks_revokes_a_token(
    world: World, method: str, lba: int, blocks: int, valid: bool
) -> None:
    token = make(world)
    at_once(getattr(world.disks[0], method)(lba, blocks))
    assert why_not(token) == (None if valid else REVOKED)
    assert len(world.disks[0].watches) == valid


def test_writing_revokes_a_token(world: World) -> None:
    token, other = make(world, Range(0, 1), Range(8, 8)), make(world, Range(100, 1))
    at_once(world.disks[0].write(9, bytes(512)))
    assert why_not(token) == REVOKED
    assert why_not(other) is None
    assert [(lba, count) for lba, count, _ in world.disks[0].watches] == [(100, 1)]


def test_a_unit_that_shrinks_takes_its_tokens_along(world: World) -> None:
    token = make(world, Range(998, 2))
    world.target.resize(0, 999)
    assert why_not(token) == REVOKED


def test_a_token_that_nobody_uses_expires(world: World) -> None:
    token = make(world)
    world.now = TIMEOUT - 1
    assert why_not(token) is None
    world.now = TIMEOUT
    assert why_not(token) == EXPIRED
    assert world.disks[0].watches == []
    world.now = 0
    assert why_not(token) == EXPIRED


def test_a_token_in_use_does_not_expire(world: World) -> None:
    token = make(world)
    token.users = 1
    world.now = 10 * TIMEOUT
    assert why_not(token) is None


def test_a_token_stays_as_it_ended(world: World) -> None:
    token = make(world)
    token.finish(DELETED)
    world.now = TIMEOUT
    assert why_not(token) == DELETED


def test_there_are_so_many_tokens_of_a_unit(world: World) -> None:
    tokens = [make(world) for _ in range(bounds.TOKENS)]
    with pytest.raises(Refusal) as refusal:
        make(world)
    assert refusal.value.plan == Failed(NO_ROOM)
    tokens[5].finish(DELETED)
    make(world)
    with pytest.raises(Refusal) as refusal:
        find(tokens[5].unit, tokens[5].data)
    assert refusal.value.plan == Failed(UNKNOWN)


def test_tokens_stand_for_so_many_ranges_of_a_unit(world: World) -> None:
    many = [Range(lba, 1) for lba in range(bounds.RANGES)]
    for _ in range(bounds.TOKEN_RANGES // bounds.RANGES):
        make(world, *many)
    with pytest.raises(Refusal) as refusal:
        make(world)
    assert refusal.value.plan == Failed(NO_ROOM)
    world.now = TIMEOUT
    make(world, *many)
    assert len(world.disks[0].watches) == bounds.RANGES


def test_a_token_that_has_expired_lets_writes_go_without_being_asked_for(world: World) -> None:
    tokens = world.target.units[0].tokens
    assert not tokens.expire()
    make(world)
    world.now = TIMEOUT - 1
    assert tokens.expire()
    world.now = TIMEOUT
    assert not tokens.expire()
    assert world.disks[0].watches == []


def test_what_ended_is_remembered_while_there_is_room(world: World) -> None:
    token = make(world)
    token.finish(DELETED)
    make(world)
    with pytest.raises(Refusal) as refusal:
        find(token.unit, token.data)
    assert refusal.value.plan == Failed(DELETED)
