"""Words about logins: one that is held before its end, and what is said in it.

::

    held = await hold(play)
    answers = await held.propose({"MaxBurstLength": "65536"})
    play.check("MaxBurstLength" in answers, "the key is not answered")
    await held.finish()
    await expect_use(play, held.link, "the login fails")
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import attrs

from trioscsi.conformance.bench.cast import DriverEnded
from trioscsi.conformance.bench.faults import saying
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play, Stop
from trioscsi.conformance.bench.words import answer_to
from trioscsi.conformance.verdicts import Rule
from trioscsi.errors import PeerError
from trioscsi.pdu import (
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    NopOut,
    ScsiCommand,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.text import KEYS, Pair, Side, Stage, decode_number, encode
from trioscsi.text.key import Kind

T = TypeVar("T")
Keys = Mapping[str, str | None]

_USES = (ScsiCommand, TextRequest, LogoutRequest, NopOut, TaskManagementRequest)
_NOTHING: Keys = {}
_ANSWERED = Rule("7143-6.2.2-3")
_LIST_ANSWERED = Rule("7143-6.2.1-1")
_OPERATIONAL_KEYS = (
    "MaxBurstLength",
    "DataPDUInOrder",
    "DataSequenceInOrder",
    "DefaultTime2Retain",
    "TaskReporting",
)
_PROPOSALS = {"TaskReporting": "RFC3720,ResponseFence"}
_PATIENCE = 4
"""Exchanges without a T bit."""


@attrs.define
class Held:
    """A login before the response that ends a stage; the target behind is further on already.

    ``response`` is what the target has said, ``request`` what the initiator waits for.
    """

    play: Play
    link: Link
    response: LoginResponse
    request: LoginRequest
    _pending: bytes
    """The text of the target that was not sent yet."""

    @property
    def said(self) -> dict[str, str]:
        """All keys that the initiator has said so far."""
        return dict(said(self.link))

    async def propose(
        self, keys: Keys, breach: str = "the login does not go on", rule: Rule | None = None
    ) -> dict[str, str]:
        """Say these keys in a response that does not end the stage; what comes back to it."""
        await self.say(keys, transit=False)
        return await self.hear(breach, rule)

    async def answered(self, name: str, value: str) -> str:
        """What a proposal is answered with; that it is answered is judged by the way."""
        rule = answering(name)
        answer = (await self.propose({name: value}, rule=rule)).get(name, "")
        self.play.check(answer, f"{name} is not answered", rule)
        return answer

    async def hear(
        self, breach: str = "the login does not go on", rule: Rule | None = None
    ) -> dict[str, str]:
        """The keys of the initiator's next text, which may take several requests."""
        data = b""
        while True:
            self.request = await self.play.expect(self.link, LoginRequest, breach=breach, rule=rule)
            data += bytes(self.request.data)
            if not self.request.continue_:
                return dict(pairs_of(data))
            await self.link.answer(self.request, transit=False)

    async def say(self, keys: Keys = _NOTHING, **fields: Any) -> None:
        """Answer the request: as the target has, with other values of keys and fields."""
        await self.link.say(self.made(keys, **fields))

    async def finish(self, keys: Keys = _NOTHING, **fields: Any) -> None:
        """End the stage, as soon as the initiator asks for that."""
        for _ in range(_PATIENCE):
            if self.request.transit:
                await self.say(keys, **fields)
                return
            await self.propose({})
        raise NotExercised("it does not ask for the next stage any more")

    async def unsaid(self, *names: str) -> str:
        """The first of these keys that the initiator has not said; NotExercised without one."""
        for name in names:
            if name not in self.said:
                return name
        return await self.excuse(f"it says {' and '.join(names)} by itself")

    async def proposal(self) -> tuple[str, str]:
        """A key that the initiator has not said, and a value that it has to answer."""
        name = await self.unsaid(*_OPERATIONAL_KEYS)
        return name, _PROPOSALS.get(name, KEYS[name].default or "")

    async def proposed(self, *names: str) -> str:
        """The first of these keys that the initiator has said; NotExercised without one."""
        for name in names:
            if name in self.said:
                return name
        return await self.excuse(f"it does not propose {' or '.join(names)}")

    async def excuse(self, why: str) -> NoReturn:
        """Let the login go on, and say why it cannot be judged: raises NotExercised."""
        await self.finish()
        raise NotExercised(why)

    def made(self, keys: Keys = _NOTHING, **fields: Any) -> LoginResponse:
        """What `say` would send; its numbers are not set."""
        transit = fields.get("transit", self.request.transit)
        values: dict[str, Any] = {
            "tsih": self.response.tsih if transit else self.request.tsih,
            "data": self._pending,
        }
        if transit:
            values["nsg"] = self.response.nsg
        made: LoginResponse = answer_to(self.request, **(values | fields))
        self._pending = b""
        if keys:
            made.data = saying(keys)(made)
        return made


async def hold(play: Play, link: Link | None = None, stage: Stage = Stage.OPERATIONAL) -> Held:
    """The next login (or that of a connection) before the response that ends this stage.

    Raises NotExercised for an initiator that leaves the stage out.
    """
    link = await play.connection() if link is None else link
    response = await link.take(
        LoginResponse, where=lambda pdu: pdu.csg > stage or (pdu.csg == stage and pdu.transit)
    )
    if response.csg != stage or (stage is not Stage.SECURITY and response.nsg != _END):
        await link.forward(response)
        raise NotExercised(f"it has no {stage.name.lower()} negotiation")
    request = next(pdu for pdu in reversed(link.heard) if isinstance(pdu, LoginRequest))
    return Held(play, link, response, request, bytes(response.data))


_END = Stage.FULL_FEATURE


async def each_login(
    play: Play,
    values: Sequence[T],
    act: Callable[[T, Link], Awaitable[None]],
    at_least: int | None = None,
) -> None:
    """Do something with one login after the other, each with a value.

    Raises NotExercised if the initiator makes too few logins: for all values, unless
    ``at_least`` so many are enough.
    """
    enough = len(values) if at_least is None else at_least
    for number, value in enumerate(values):
        try:
            link = await play.connection()
        except DriverEnded:
            if number < enough:
                raise NotExercised(f"it logs in {number} times, and not {enough}") from None
            return
        await act(value, link)


async def expect_use(play: Play, link: Link, breach: str, rule: Rule | None = None) -> None:
    """The rule asks that the login succeeds: the initiator goes on to use the session.

    Raises NotExercised for one that does neither that nor leave: it has logged in, as far as can be
    seen.
    """
    try:
        await link.see(*_USES, within=10)
    except (Left, Silence) as what:
        if isinstance(what, Left) and what.side is Side.TARGET:
            raise
        if isinstance(what, Silence) and link.known.logged_in:
            raise NotExercised("it has logged in, and then says nothing more") from None
        play.check(False, f"{breach} ({what})", rule)
        raise Stop from None
    play.check(True, breach, rule)


async def demand_end(play: Play, link: Link, breach: str, within: float = 3.0) -> None:
    """As `Play.expect_end`; if the initiator stays, the scenario is over (Stop)."""
    if not await play.expect_end(link, breach, within):
        raise Stop
    await link.close()


async def refuse(link: Link, request: LoginRequest, status: int, keys: Iterable[Pair] = ()) -> None:
    """Answer a login with a status (class and detail) that ends it."""
    await link.answer(
        request,
        transit=False,
        csg=0,
        status_class=status >> 8,
        status_detail=status & 0xFF,
        data=encode(keys),
    )


def answering(name: str) -> Rule:
    """The rule that a proposal of this key is answered."""
    key = KEYS.get(name)
    return _LIST_ANSWERED if key is not None and key.kind is Kind.LIST else _ANSWERED


def said(link: Link) -> list[Pair]:
    """All keys of the initiator's Login Requests, in their order."""
    data = b"".join(bytes(pdu.data) for pdu in link.heard if isinstance(pdu, LoginRequest))
    return pairs_of(data)


def number_said(keys: Mapping[str, str], name: str) -> int | None:
    """The number that a key has; None if it is not said, or has another value."""
    try:
        return decode_number(keys.get(name, ""))
    except PeerError:
        return None


def pairs_of(data: bytes) -> list[Pair]:
    """The keys of a text, whether or not they are as they should be."""
    items = data.decode(errors="replace").split("\0")
    parted = (item.partition("=") for item in items if item)
    return [(name, value) for name, _, value in parted]
