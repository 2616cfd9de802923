"""The words in which mutants are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from trioscsi.initiator.deviations import Alter, Deviation, Rule, changing
from trioscsi.pdu import (
    BHS_LENGTH,
    FROM_INITIATOR,
    NO_TASK,
    DataOut,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    ScsiCommand,
    SnackRequest,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.pdu.digest import digest
from trioscsi.serial import add
from trioscsi.text import Pair, encode

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection

NUMBERED = tuple(cls for cls in FROM_INITIATOR if cls not in (DataOut, SnackRequest))
ACKNOWLEDGING = tuple(cls for cls in FROM_INITIATOR if cls is not LoginRequest)
REQUESTS = (ScsiCommand, TaskManagementRequest, TextRequest, LogoutRequest)


def operational(pdu: Any) -> bool:
    return bool(pdu.csg)


def empty(pdu: Any) -> bool:
    return not pdu.data


def solicited(pdu: Any) -> bool:
    return bool(pdu.ttt != NO_TASK)


def unsolicited(pdu: Any) -> bool:
    return not solicited(pdu)


def counted(pdu: Any) -> bool:
    return not pdu.immediate


def reads(pdu: Any) -> bool:
    return bool(pdu.read)


def writes(pdu: Any) -> bool:
    return bool(pdu.write)


def plus(name: str, count: int = 1) -> Callable[[Any], int]:
    return lambda pdu: add(getattr(pdu, name), count)


def cut(count: int) -> Callable[[Any], bytes]:
    return lambda pdu: bytes(pdu.data)[: max(len(pdu.data) - count, 0)]


def choking(when: Callable[[Any], bool]) -> Alter:
    """Hear a refusal in such a Login Response."""
    return changing(LoginResponse, when=when, status_class=3)


def brings(*texts: str) -> Callable[[Any], bool]:
    """Whether a PDU of the target has one of these in its text."""
    return lambda pdu: any(text.encode() in bytes(pdu.data) for text in texts)


def lacking(*texts: str) -> Callable[[Any], bytes]:
    """The text of a PDU without the keys that have one of these in them."""

    def rest(pdu: Any) -> bytes:
        items = bytes(pdu.data).split(b"\0")
        return b"\0".join(each for each in items if not any(t.encode() in each for t in texts))

    return rest


def all_again(pdu: Any, connection: InitiatorConnection) -> Iterable[Any]:
    """Say all keys of the login again where there is nothing to say."""
    if isinstance(pdu, LoginRequest) and not pdu.data:
        pdu.data = encode((s.name, s.value) for s in connection.said if s.side == "initiator")
    return (pdu,)


def mirror(pdu: Any, connection: InitiatorConnection) -> Iterable[Any]:
    """Challenge a target by its own challenge."""
    theirs = [s.value for s in connection.said if s.side == "target" and s.name == "CHAP_C"]
    if isinstance(pdu, LoginRequest) and theirs and b"CHAP_C=" in bytes(pdu.data):
        start, _, rest = bytes(pdu.data).partition(b"CHAP_C=")
        end = rest.partition(b"\0")[2]
        pdu.data = start + b"CHAP_C=" + theirs[-1].encode() + b"\0" + end
    return (pdu,)


def last_digest(name: str, value: str) -> Iterable[Pair]:
    """Answer lists that begin and end otherwise by their last value."""
    chosen = {"HeaderDigest": "CRC32C", "DataDigest": "None"}
    return [(name, chosen.get(name, value))]


def key(name: str, *instead: Pair) -> Callable[[str, str], Iterable[Pair]]:
    """Say something else where a key is due, or nothing."""
    return lambda said, value: instead if said == name else [(said, value)]


def besides(name: str, *more: Pair) -> Callable[[str, str], Iterable[Pair]]:
    """Say more behind a key."""
    return lambda said, value: [(said, value), *(more if said == name else ())]


def flip(place: int) -> Callable[[bytes, Any], bytes]:
    """Change one bit of what was encoded; negative places count from the end."""

    def damage(data: bytes, _pdu: Any) -> bytes:
        changed = bytearray(data)
        changed[place] ^= 1
        return bytes(changed)

    return damage


def flip_data_digest(data: bytes, pdu: Any) -> bytes:
    padded = bytes(pdu.data) + bytes(-len(pdu.data) % 4)
    return flip(-1)(data, pdu) if padded and data.endswith(padded + digest(padded)) else data


def flip_header_digest(data: bytes, pdu: Any) -> bytes:
    header = data[:BHS_LENGTH]
    return flip(BHS_LENGTH)(data, pdu) if data.startswith(header + digest(header)) else data


def pad_with_ones(data: bytes, pdu: Any) -> bytes:
    """Padding that is not zero, where no digest is behind it."""
    count = -len(pdu.data) % 4
    return data[:-count] + b"\xff" * count if count and data.endswith(bytes(count)) else data


def digest_without_ahs(data: bytes, pdu: Any) -> bytes:
    """A header digest over the basic header segment alone."""
    end = BHS_LENGTH + 4 * data[4]
    if end == BHS_LENGTH or data[end : end + 4] != digest(data[:end]):
        return data
    return data[:end] + digest(data[:BHS_LENGTH]) + data[end + 4 :]


def row(
    name: str,
    section: str,
    says: str,
    how: Alter | Rule | frozenset[Rule] | None = None,
    **more: Any,
) -> Deviation:
    """One mutant; some faults take several checks that are left out."""
    if isinstance(how, Rule):
        how = frozenset({how})
    if isinstance(how, frozenset):
        return Deviation(id=name, section=section, says=says, breaks=how, **more)
    return Deviation(id=name, section=section, says=says, alter=how, **more)
