"""The rules of persistent reservations (SPC-4 section 5.12), as values: what is, and what becomes.

A registrant is an I_T nexus, whether it is there or not: who is registered stays so after a logout.
What a command does is a `Change`; nothing here happens to a unit.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Mapping

import attrs

from trioscsi.scsi.command import Access
from trioscsi.scsi.reservations.transport_id import name_of
from trioscsi.scsi.sense import AdditionalSense


class Type(enum.IntEnum):
    """What a persistent reservation allows to whom (SPC-4 section 6.15.3.4)."""

    WRITE_EXCLUSIVE = 0x1
    EXCLUSIVE_ACCESS = 0x3
    WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 0x5
    EXCLUSIVE_ACCESS_REGISTRANTS_ONLY = 0x6
    WRITE_EXCLUSIVE_ALL_REGISTRANTS = 0x7
    EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 0x8

    @property
    def exclusive_access(self) -> bool:
        """Whether it keeps others from reading, too."""
        return "EXCLUSIVE_ACCESS" in self.name

    @property
    def shared(self) -> bool:
        """Whether all registrants may do what the holder may."""
        return self.name.endswith("REGISTRANTS_ONLY") or self.all_registrants

    @property
    def all_registrants(self) -> bool:
        """Whether every registrant is a holder."""
        return self.name.endswith("ALL_REGISTRANTS")


@attrs.frozen
class Registrant:
    """An I_T nexus: an initiator port (or a whole initiator), and a target port.

    ``target_port`` is the relative target port identifier.
    """

    initiator: str
    target_port: int

    def by_name(self) -> Registrant:
        """The same, whichever of its ports the initiator uses."""
        return Registrant(name_of(self.initiator), self.target_port)


@attrs.frozen
class Reservation:
    """A persistent reservation; of one for all registrants nobody is ``holder`` before others."""

    type: Type
    holder: Registrant | None


@attrs.frozen
class Registrations:
    """Who is registered with which key, in the order of their registration, and the reservation.

    ``aptpl``: it is to survive a loss of power. ``generation`` counts the changes of keys.
    """

    keys: Mapping[Registrant, int] = attrs.field(factory=dict)
    reservation: Reservation | None = None
    aptpl: bool = False
    generation: int = 0

    def holds(self, who: Registrant) -> bool:
        """Whether this one holds the reservation."""
        if self.reservation is None:
            return False
        if self.reservation.type.all_registrants:
            return who in self.keys
        return who == self.reservation.holder

    def conflicts(self, access: Access, who: Registrant) -> bool:
        """Whether the reservation keeps this one from such an access (SPC-4 table 66)."""
        reservation = self.reservation
        if reservation is None or access not in (Access.READ, Access.WRITE):
            return False
        if who in self.keys if reservation.type.shared else who == reservation.holder:
            return False
        return access is Access.WRITE or reservation.type.exclusive_access

    def is_held_with(self, key: int) -> bool:
        """Whether a PREEMPT of this key is one of the reservation (SPC-4 section 5.12.11.2)."""
        if self.reservation is None:
            return False
        if self.reservation.holder is None:
            return key == 0
        return self.keys[self.reservation.holder] == key

    def by_name(self) -> Registrations:
        """The same, with initiators known by their names alone: the holder counts, or the first."""
        held = self.reservation
        first = [held.holder] if held and held.holder else []
        keys: dict[Registrant, int] = {}
        for each in [*first, *self.keys]:
            keys.setdefault(each.by_name(), self.keys[each])
        reservation = held and Reservation(held.type, held.holder and held.holder.by_name())
        return attrs.evolve(self, keys=keys, reservation=reservation)

    # What becomes of it.

    def register(self, registrants: Collection[Registrant], key: int) -> Change:
        """These are registered with ``key``, whether or not they were with another."""
        return self._counted({**self.keys, **dict.fromkeys(registrants, key)}, self.reservation)

    def unregister(self, registrants: Collection[Registrant]) -> Change:
        """These are registered no more; what one of them held alone is released."""
        return self._without(registrants)

    def reserve(self, who: Registrant, kind: Type) -> Change:
        """This one holds a reservation."""
        return Change(self, attrs.evolve(self, reservation=_reservation(who, kind)))

    def release(self, who: Registrant) -> Change:
        """The reservation is held no more; others hear of it if they could use the unit."""
        shared = self.reservation is not None and self.reservation.type.shared
        told = self.keys.keys() - {who} if shared else ()
        return Change(
            self,
            attrs.evolve(self, reservation=None),
            dict.fromkeys(told, AdditionalSense.RESERVATIONS_RELEASED),
        )

    def clear(self, who: Registrant) -> Change:
        """Nobody is registered, and nothing reserved."""
        told = dict.fromkeys(self.keys.keys() - {who}, AdditionalSense.RESERVATIONS_PREEMPTED)
        return attrs.evolve(self._counted({}, None), told=told)

    def preempt_registrations(self, who: Registrant, key: int) -> Change:
        """Whoever is registered with ``key`` is so no more."""
        victims = {each for each, theirs in self.keys.items() if theirs == key}
        change = self._without(victims)
        told = change.told | dict.fromkeys(victims, AdditionalSense.REGISTRATIONS_PREEMPTED)
        told.pop(who, None)
        return attrs.evolve(change, told=told, preempted=victims)

    def preempt_reservation(self, who: Registrant, key: int, kind: Type) -> Change:
        """This one takes the reservation, and those with ``key`` (or 0: all) lose theirs."""
        assert self.reservation is not None, "there is something to take"
        victims = {each for each, theirs in self.keys.items() if key in (0, theirs)} - {who}
        left = {each: theirs for each, theirs in self.keys.items() if each not in victims}
        told = dict.fromkeys(victims, AdditionalSense.REGISTRATIONS_PREEMPTED)
        if kind is not self.reservation.type:
            told |= dict.fromkeys(left.keys() - {who}, AdditionalSense.RESERVATIONS_RELEASED)
        change = self._counted(left, _reservation(who, kind))
        return attrs.evolve(change, told=told, preempted=victims)

    def move(self, who: Registrant, to: Registrant, key: int, *, unregister: bool) -> Change:
        """The reservation of ``who`` becomes that of another, who is registered with ``key``."""
        assert self.reservation is not None, "there is something to move"
        keys = {**self.keys, to: key}
        if unregister:
            del keys[who]
        return self._counted(keys, Reservation(self.reservation.type, to))

    def replace_lost(self, who: Registrant, key: int, kind: Type) -> Change:
        """Of all that is lost, nothing is left; this one begins anew, and nobody hears of it."""
        return self._counted({who: key}, _reservation(who, kind))

    def _without(self, victims: Collection[Registrant]) -> Change:
        left = {each: key for each, key in self.keys.items() if each not in victims}
        reservation = self.reservation
        told: Collection[Registrant] = ()
        if reservation is not None:
            if reservation.holder in victims:
                told, reservation = left.keys() if reservation.type.shared else (), None
            elif not left:
                reservation = None
        released = dict.fromkeys(told, AdditionalSense.RESERVATIONS_RELEASED)
        return attrs.evolve(self._counted(left, reservation), told=released)

    def _counted(self, keys: Mapping[Registrant, int], reservation: Reservation | None) -> Change:
        generation = (self.generation + 1) % 2**32
        return Change(
            self,
            attrs.evolve(self, keys=keys, reservation=reservation, generation=generation),
        )

    # As bytes that a restart reads.

    def encode(self) -> bytes:
        """What is to survive a loss of power: nothing at all without ``aptpl``."""
        if not self.aptpl:
            return b""
        held = self.reservation
        return json.dumps(
            {
                "keys": [
                    [each.initiator, each.target_port, key] for each, key in self.keys.items()
                ],
                "type": held and held.type,
                "holder": held and held.holder and attrs.astuple(held.holder),
            }
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> Registrations:
        """What was encoded; raises ValueError if it cannot be read."""
        if not data:
            return cls()
        try:
            kept = json.loads(data)
            keys = {Registrant(name, port): key for name, port, key in kept["keys"]}
            holder = kept["holder"] and Registrant(*kept["holder"])
            reservation = kept["type"] and Reservation(Type(kept["type"]), holder)
        except (TypeError, KeyError) as error:
            raise ValueError(f"they are not what we save: {error!r}") from None
        of_one = bool(reservation and not reservation.type.all_registrants)
        if of_one is not (holder in keys) or (holder and not of_one):
            raise ValueError("the reservation is held by nobody")
        return cls(keys, reservation, aptpl=True)


@attrs.frozen
class Change:
    """What a command makes of the registrations.

    ``told`` are those who hear of it, and how; the tasks of ``preempted`` can be aborted.
    """

    before: Registrations
    after: Registrations
    told: dict[Registrant, AdditionalSense] = attrs.field(factory=dict)
    preempted: Collection[Registrant] = ()


def _reservation(who: Registrant, kind: Type) -> Reservation:
    return Reservation(kind, None if kind.all_registrants else who)
