"""A feed, and a connection that is made up PDU by PDU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from trioscsi.machines import MACHINES, Transition
from trioscsi.pdu import LoginRequest, LoginResponse, Pdu, encode, from_initiator
from trioscsi.teaching.live import Feed, Filter, Message, Subscription, Talk
from trioscsi.teaching.splitting import Cut
from trioscsi.text import encode as encode_text

PEER, PORTAL = ("192.0.2.1", 50_000), ("192.0.2.2", 3260)
ISID = b"\x80live\0"
KEYS = {"InitiatorName": "iqn.a:b", "TargetName": "iqn.c:d"}


def cut(pdu: Pdu) -> Cut:
    """A PDU as it is cut out of a stream."""
    header, *rest = map(bytes, encode(pdu))
    return Cut(header, rest[0] if rest else b"", len(rest[0]) if rest else 0)


def transitions(machine: str, *labels: str) -> list[Transition]:
    """The transitions with these labels, each from where the one before has led to."""
    state = MACHINES[machine].initial
    found = []
    for label in labels:
        (row, *_) = (
            row
            for row in MACHINES[machine].transitions
            if (row.source, row.label) == (state, label)
        )
        found.append(row)
        state = row.target
    return found


@attrs.define
class Wire:
    """One connection and those who listen; time is what a test says."""

    now: float = 1000.0
    feed: Feed = attrs.field(init=False)
    talk: Talk = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.feed = Feed(clock=lambda: self.now)
        self.talk = self.feed.open(PEER, PORTAL)

    def listen(self, **wanted: Any) -> Subscription:
        """A subscription that has had its hello."""
        subscription = self.feed.subscribe(Filter(**wanted))
        (hello,) = subscription.take()
        assert hello["type"] == "hello"
        return subscription

    def say(self, *pdus: Pdu) -> None:
        """Each PDU comes from whom it belongs to."""
        for pdu in pdus:
            self.talk.hear(cut(pdu), from_initiator=from_initiator(pdu.opcode))

    def move(self, machine: str, *labels: str) -> None:
        for transition in transitions(machine, *labels):
            self.talk.moved(transition)

    def log_in(
        self, keys: Mapping[str, str] = KEYS, answer: Mapping[str, str] | None = None, tsih: int = 0
    ) -> None:
        """A login in two PDUs."""
        self.say(
            LoginRequest(
                transit=True, csg=1, nsg=3, isid=ISID, tsih=tsih, data=encode_text(keys.items())
            ),
            LoginResponse(
                transit=True,
                csg=1,
                nsg=3,
                isid=ISID,
                tsih=7,
                data=encode_text((answer or {}).items()),
            ),
        )


def of(messages: list[Message], kind: str) -> list[Message]:
    """The messages of one type."""
    return [message for message in messages if message["type"] == kind]
