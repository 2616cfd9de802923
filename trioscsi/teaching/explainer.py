"""A trace that explains each refusal as it happens: what ``serve --explain-refusals`` shows."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from time import monotonic, time_ns
from typing import TypeAlias

from trioscsi.capture.packets import Address
from trioscsi.limits import REFUSALS_EXPLAINED, REFUSALS_INTERVAL
from trioscsi.machines import Transition
from trioscsi.pdu import LoginStatus, Opcode, RejectReason
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.teaching.broken_rules import Rule
from trioscsi.teaching.explanation import address, printable
from trioscsi.teaching.fields import explain
from trioscsi.teaching.negotiated import MOST_KEYS, pairs_in
from trioscsi.teaching.onlooker import Connection, Said
from trioscsi.teaching.refusals import Refused, lines, refusal
from trioscsi.teaching.splitting import Cut, Splitter
from trioscsi.teaching.story import Talk

Buffer: TypeAlias = bytes | bytearray | memoryview
Tell: TypeAlias = Callable[[str], None]
Advice: TypeAlias = Mapping[IntEnum, str]

_REMEMBERED = 256
"""Requests of a connection whose answers may refuse them."""
_REMARK = re.compile(
    r"(?:refused: )?(.*) \(RFC 7143 section ([\d.]+)(, answered \w+)?\)", re.DOTALL
)
"""How a connection speaks of a broken rule: see `trioscsi.errors.PeerError`."""
_REQUESTS = {Opcode.SCSI_COMMAND, Opcode.TASK_MANAGEMENT_REQUEST}
_ANSWERS = {
    Opcode.LOGIN_RESPONSE,
    Opcode.REJECT,
    Opcode.SCSI_RESPONSE,
    Opcode.TASK_MANAGEMENT_RESPONSE,
}
_DROPPED = Rule("A peer that breaks the protocol in this way gets no answer.")


class Explainer:
    """Tells of refusals on all connections; see `trioscsi.server.tracing.Trace`.

    ``tell`` is called with each line; ``advice`` is what can be done about a login status or a
    Reject reason.  At most ``REFUSALS_EXPLAINED`` are told in ``REFUSALS_INTERVAL`` seconds, so
    that a peer which errs without end fills no log.
    """

    def __init__(
        self, tell: Tell, advice: Advice, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._tell, self._advice, self._clock = tell, advice, clock
        self._began = -REFUSALS_INTERVAL
        self._told = self._left_out = 0

    def connect(self, peer: Address, own: Address, portal: Address) -> ExplainingTap:
        """A connection has come in."""
        return ExplainingTap(self, peer, own)

    def explain(self, refused: Refused, who: str) -> None:
        """Tell of a refusal, unless there were too many of late."""
        now = self._clock()
        if now - self._began >= REFUSALS_INTERVAL:
            self.pause()
            self._began, self._told = now, 0
        if self._told >= REFUSALS_EXPLAINED:
            self._left_out += 1
            return
        self._told += 1
        # Codes of different tables are equal as numbers.
        known = isinstance(refused.code, LoginStatus | RejectReason)
        advice = self._advice.get(refused.code, "") if known and refused.code else ""
        for line in lines(refused, who, advice):
            self._tell(printable(line))

    def pause(self) -> None:
        """Tell how many refusals were not explained, if that was not said of late."""
        if self._left_out and self._clock() - self._began >= REFUSALS_INTERVAL:
            self._tell(f"refused: {self._left_out} more, too many to explain them all")
            self._left_out = 0


class ExplainingTap:
    """One connection; see `trioscsi.server.tracing.Tap`."""

    def __init__(self, explainer: Explainer, peer: Address, own: Address) -> None:
        self._explainer = explainer
        self._peer = address(peer)
        self._connection, self._talk = Connection(1, peer, own), Talk()
        digests = self._connection.digests
        self._splitters = {True: Splitter(digests), False: Splitter(digests)}
        """The two directions; the key is whether it comes from the initiator."""
        self._requests: OrderedDict[bytes, Cut] = OrderedDict()
        self._last: Cut | None = None
        self._keys: dict[str, str] = {}
        self._reasons: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
        """Why the next refusals will go out, and the sections of the rules."""

    def received(self, *buffers: Buffer) -> None:
        """Bytes have come from the initiator."""
        for buffer in buffers:
            for cut in self._splitters[True].receive(bytes(buffer)):
                self._heard(cut)

    def sent(self, buffers: Sequence[Buffer], count: int) -> None:
        """The first ``count`` bytes of these have gone to the initiator."""
        for cut in self._splitters[False].receive(b"".join(buffers)[:count]):
            self._answered(cut)

    def moved(self, transition: Transition) -> None:
        """Transitions refuse nothing."""

    def note(self, text: str) -> None:
        """What was refused and why; without an answer, it is told at once."""
        remark = _REMARK.fullmatch(text)
        if remark is None:
            return
        because, section, answered = remark.groups()
        if answered:
            self._reasons.append((because, section))
            return
        none = "none: the connection is dropped"
        self._explain(Refused(none, because, section, _DROPPED, request=self._last))

    def settle(self) -> None:
        """Nothing waits for that."""

    def ended(self, *, broken: bool = False) -> None:
        """To go is no refusal."""

    def close(self) -> None:
        """The connection is closed on both sides."""
        self._explainer.pause()

    def _heard(self, cut: Cut) -> None:
        self._last = cut
        opcode = cut.header[0] & OPCODE_BITS
        if opcode in _REQUESTS:
            self._requests[cut.header[16:20]] = Cut(cut.header, b"", 0, wrong=cut.wrong)
            while len(self._requests) > _REMEMBERED:
                self._requests.popitem(last=False)
        elif opcode == Opcode.LOGIN_REQUEST:
            pairs, _ = pairs_in(cut.data)
            self._keys.update(pairs[: MOST_KEYS - len(self._keys)])
            self._understand(cut, from_initiator=True)

    def _answered(self, cut: Cut) -> None:
        opcode = cut.header[0] & OPCODE_BITS
        request = self._requests.pop(cut.header[16:20], None)
        if opcode == Opcode.LOGIN_RESPONSE:
            self._understand(cut, from_initiator=False)
            request = self._last
        if opcode not in _ANSWERS:
            return
        because = section = ""
        if self._reasons and (opcode == Opcode.REJECT or _refuses_login(cut.header)):
            because, section = self._reasons.popleft()
        refused = refusal(
            explain(cut.header, cut.data),
            cut,
            request=request,
            keys=self._keys,
            because=because,
            section=section,
        )
        if refused is not None:
            self._explain(refused)

    def _understand(self, cut: Cut, *, from_initiator: bool) -> None:
        """Follow the login, which settles whether there will be digests."""
        for _ in self._talk.hear(self._connection, Said(time_ns(), from_initiator, cut)):
            pass

    def _explain(self, refused: Refused) -> None:
        name = self._keys.get("InitiatorName", "")
        self._explainer.explain(refused, f"{name} at {self._peer}" if name else self._peer)


def _refuses_login(header: bytes) -> bool:
    return header[0] & OPCODE_BITS == Opcode.LOGIN_RESPONSE and header[36:37] not in (b"", b"\0")
