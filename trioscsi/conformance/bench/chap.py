"""Words about authentication by CHAP: a challenge that is held, and what answers it.

The target behind the stage has its own challenge answered, whatever was sent instead of it.
"""

from __future__ import annotations

import binascii

import attrs

from trioscsi.conformance.bench.faults import saying
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.logins import Keys, pairs_of
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.pdu import LoginRequest, LoginResponse
from trioscsi.protocol import Secret
from trioscsi.text import encode_binary


@attrs.define
class Challenge:
    """The second step of CHAP before the initiator has it (section 12.1.3)."""

    play: Play
    link: Link
    response: LoginResponse
    keys: dict[str, str]
    """What the target says in it."""

    @property
    def algorithm(self) -> int:
        return int(self.keys["CHAP_A"])

    @property
    def identifier(self) -> int:
        return int(self.keys["CHAP_I"])

    @property
    def challenge(self) -> bytes:
        return binary(self.keys["CHAP_C"])

    def proof(self, identifier: int, challenge: bytes) -> bytes:
        """What the initiator has to respond to a challenge."""
        secret = Secret(self.play.secret.encode())
        return secret.proof(self.algorithm, identifier, challenge)

    async def send(self, keys: Keys = {}) -> None:  # noqa: B006 - nobody changes it
        """Let the challenge go on, with other values of these keys."""
        await self.link.forward(self.response, data=saying(keys)(self.response))

    async def answer(self, breach: str = "the challenge is not answered") -> LoginRequest:
        """The initiator's next request; it does not go on."""
        return await self.play.expect(self.link, LoginRequest, breach=breach)

    async def correct(self, request: LoginRequest) -> None:
        """Let an answer go on as the answer to what the target has really said."""
        response = encode_binary(self.proof(self.identifier, self.challenge))
        await self.link.forward(request, data=saying({"CHAP_R": response})(request))


async def challenged(play: Play, link: Link | None = None) -> Challenge:
    """The challenge of the next login; NotExercised for an initiator that goes without."""
    link = await play.connection() if link is None else link
    response = await link.take(
        LoginResponse, where=lambda pdu: b"CHAP_C=" in bytes(pdu.data) or pdu.transit
    )
    keys = dict(pairs_of(bytes(response.data)))
    if "CHAP_C" not in keys:
        await link.forward(response)
        raise NotExercised("it does not authenticate itself by CHAP")
    return Challenge(play, link, response, keys)


async def proven(play: Play, link: Link | None = None) -> tuple[Challenge, LoginResponse]:
    """The response with which the target proves who it is, and the challenge before it.

    NotExercised for an initiator that does not ask for that.
    """
    step = await challenged(play, link)
    await step.send()
    response = await step.link.take(
        LoginResponse, where=lambda pdu: b"CHAP_R=" in bytes(pdu.data) or pdu.transit
    )
    if b"CHAP_R=" not in bytes(response.data):
        await step.link.forward(response)
        raise NotExercised("it does not ask the target to prove itself")
    return step, response


def binary(value: str) -> bytes:
    """A binary value as a peer has written it; nothing if it is none."""
    digits = value[2:]
    try:
        if value[:2] in ("0b", "0B"):
            return binascii.a2b_base64(digits)
        return bytes.fromhex(digits.rjust(len(digits) + len(digits) % 2, "0"))
    except ValueError:
        return b""
