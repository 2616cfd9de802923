"""One connection: what its PDUs and its transitions say, as messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from trioscsi import lun
from trioscsi.capture.packets import Address
from trioscsi.capture.secrets import LoginVeil
from trioscsi.machines import MACHINES, Transition
from trioscsi.machines.cleanup import FREE as CLEAN
from trioscsi.machines.connection import CLEANUP_WAIT
from trioscsi.machines.task import RESPONDED
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    DataIn,
    DataOut,
    LoginRequest,
    LoginResponse,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
    TextRequest,
    TextResponse,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.teaching.live.message import Told
from trioscsi.teaching.live.rates import Counted
from trioscsi.teaching.live.seen import Seen
from trioscsi.teaching.live.tasks import Task
from trioscsi.teaching.negotiated import Line, Table, pairs_in
from trioscsi.teaching.splitting import Cut, Digests
from trioscsi.text import Side

if TYPE_CHECKING:
    from trioscsi.teaching.live.feed import Feed
    from trioscsi.teaching.live.message import Message
    from trioscsi.teaching.live.sessions import Session

HEARD = "hear"
"""The label that the machine of full feature phase has for every PDU that is as it should be."""

_MOST_TEXT = 65_536
_MOST_TASKS = 4096
"""Commands of one connection that are followed at the same time."""
_OF_A_UNIT = {
    TaskFunction.ABORT_TASK_SET,
    TaskFunction.CLEAR_TASK_SET,
    TaskFunction.LOGICAL_UNIT_RESET,
}
_OF_ALL = {
    TaskFunction.TARGET_WARM_RESET,
    TaskFunction.TARGET_COLD_RESET,
    TaskFunction.I_T_NEXUS_RESET,
}
_SHOWN_VALUE = 255
"""Characters of a value of a key."""


def shown(address: Address) -> str:
    """An address as users write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def row(line: Line) -> Message:
    """One key of a negotiation."""
    answered = line.answered
    return {
        "key": line.name,
        "by": line.proposer.value,
        "offered": line.offered[:_SHOWN_VALUE],
        "answered": None if answered is None else answered[:_SHOWN_VALUE],
        "rule": line.rule,
        "result": line.result[:_SHOWN_VALUE],
        "section": "" if line.key is None else line.key.section,
    }


class Talk:
    """One connection; ``number`` counts those of the feed from 1."""

    def __init__(self, feed: Feed, number: int, peer: Address, portal: Address) -> None:
        self._feed = feed
        self.number, self.peer, self.portal = number, peer, portal
        self.opened = feed.now
        self.session: Session | None = None
        self.cid = 0
        self.states: dict[str, str] = {}
        """The present state of each machine that has taken a transition."""
        self.keys: dict[tuple[str, str], Message] = {}
        """What was negotiated last, by the key and who began."""
        self.tasks: dict[int, Task] = {}
        self.counted = Counted()
        self.commands: Callable[[], int] | None = None
        """How many commands its session has had so far, where that is known from elsewhere."""
        self.digests = Digests(header=False, data=False)
        self.in_login = True
        self.closed = False
        self.pdus = 0
        self._veil = LoginVeil()
        self._table = Table()
        self._text = {True: bytearray(), False: bytearray()}
        self._functions: dict[int, TaskManagementRequest] = {}

    @property
    def described(self) -> Message:
        """It as those see it who begin to listen."""
        return {
            "connection": self.number,
            "peer": shown(self.peer),
            "portal": shown(self.portal),
            "opened": self.opened,
            "session": None if self.session is None else self.session.number,
            "cid": self.cid,
            "closed": self.closed,
            "states": dict(self.states),
            "keys": list(self.keys.values()),
            "tasks": [task.described for task in self.tasks.values()],
        }

    def tell(self, kind: str, /, **values: Any) -> None:
        """Tell subscribers something about this connection."""
        feed = self._feed
        if feed.followed:
            message = {"type": kind, "at": feed.now, "connection": self.number, **values}
            feed.tell(Told(message))

    def take_counted(self) -> Counted:
        """What it has carried since this was asked last."""
        counted, self.counted = self.counted, Counted()
        if self.commands is not None and self.session is not None:
            counted.operations = self.session.advance(self.commands())
        return counted

    # What happens to it.

    def moved(self, transition: Transition) -> None:
        """A machine of this connection, or of its session, has taken a transition."""
        if transition.label == HEARD:
            return
        name = transition.machine
        machine = MACHINES[name]
        if name != "session":
            self.states[name] = transition.target
            if transition.target == CLEANUP_WAIT.name:
                # The cleanup begins where it is, without a transition of its own.
                self.states.setdefault("cleanup", MACHINES["cleanup"].initial)
        elif self.session is not None:
            self.session.state = transition.target
        self.tell(
            "transition",
            machine=name,
            label=transition.label,
            **{"from": transition.source, "to": transition.target},
            cause=transition.cause,
            section=machine.section,
            sentence=machine.inputs[transition.cause],
            effects=[effect.value for effect in transition.effects],
        )
        if name == "session":
            self._tell_session()
        if self.closed:
            self._forget_if_over()

    def note(self, text: str) -> None:
        """Something was refused, or became of the connection."""
        refused = text.startswith("refused: ")
        self.tell("note", refused=refused, text=text.removeprefix("refused: "))

    def close(self, how: str, *, for_good: bool = False) -> None:
        """The transport is gone on both sides; the cleanup may go on, unless it is for good."""
        if not self.closed:
            self.closed = True
            for task in list(self.tasks.values()):
                self.end(task)
            self.tell("closed", how=how)
            self._forget_if_over(for_good=for_good)

    def lose_track(self, size: int) -> None:
        """So many bytes were not looked at."""
        self.tell("dropped", why="there was too much to look at", bytes=size)

    def _forget_if_over(self, *, for_good: bool = False) -> None:
        if for_good or self.states.get("cleanup", CLEAN.name) == CLEAN.name:
            if self.session is not None:
                self._feed.sessions.leave(self.session, self, for_good=for_good)
            self._feed.forget(self)

    # What is said on it.

    def hear(self, cut: Cut, *, from_initiator: bool) -> None:
        """A PDU."""
        header = cut.header
        cls = CLASSES.get(header[0] & OPCODE_BITS) if header else None
        if cls is LoginRequest or cls is LoginResponse:
            cut = self._veiled(cut, from_initiator)
        pdu = None
        if cls is not None and len(header) >= BHS_LENGTH:
            pdu = cls.unpack(header[:BHS_LENGTH], 0, cut.data)
        self.pdus += 1
        feed = self._feed
        if feed.followed:
            feed.see(Seen(self.number, self.pdus, feed.now, from_initiator, pdu, cut))
        handler = _HANDLERS.get(type(pdu))
        if handler is not None:
            handler(self, pdu)

    def _veiled(self, cut: Cut, from_initiator: bool) -> Cut:
        """The PDU without secrets, even of a login that comes when none may."""
        if self._veil.done:
            self._veil = LoginVeil()
        whole = cut.header + cut.data.ljust(cut.data_length + (-cut.data_length & 3), b"\0")
        start = len(cut.header)
        veiled = self._veil.veil(whole, inbound=from_initiator)
        return attrs.evolve(cut, data=veiled[start : start + len(cut.data)])

    def _login_request(self, pdu: LoginRequest) -> None:
        pairs = self._spoken(pdu)
        if pairs is not None and self.session is None:
            said = dict(pairs)
            self.cid = pdu.cid
            self.session = self._feed.sessions.join(
                said.get("InitiatorName", "")[:_SHOWN_VALUE],
                said.get("TargetName", "")[:_SHOWN_VALUE],
                bytes(pdu.isid),
                pdu.tsih,
                said.get("SessionType", "Normal")[:_SHOWN_VALUE],
            )
            self.session.talks.append(self)
            self._tell_session()

    def _login_response(self, pdu: LoginResponse) -> None:
        if self._spoken(pdu) is None:
            return
        self._tell_keys()
        refused = bool(pdu.status_class)
        if refused or (pdu.transit and pdu.nsg == 3):
            self.in_login = False
            self._table = Table()
        if self.in_login or refused:
            return
        self.digests.header = self._settled("HeaderDigest") == "CRC32C"
        self.digests.data = self._settled("DataDigest") == "CRC32C"
        if self.session is not None:
            self.session.tsih = pdu.tsih
            if self.commands is not None:
                self.session.advance(self.commands())
            self._tell_session()

    def _settled(self, key: str) -> str:
        return next((str(row["result"]) for (name, _), row in self.keys.items() if name == key), "")

    def _text_request(self, pdu: TextRequest) -> None:
        self._spoken(pdu)

    def _text_response(self, pdu: TextResponse) -> None:
        if self._spoken(pdu) is not None and pdu.final:
            self._tell_keys()
            self._table = Table()

    def _spoken(self, pdu: Any) -> list[tuple[str, str]] | None:
        """The keys of a whole text; None if it goes on."""
        from_initiator = isinstance(pdu, LoginRequest | TextRequest)
        text = self._text[from_initiator]
        text += pdu.data[: _MOST_TEXT - len(text)]
        if pdu.continue_:
            return None
        pairs, _ = pairs_in(bytes(text))
        text.clear()
        side = Side.INITIATOR if from_initiator else Side.TARGET
        for name, value in pairs:
            self._table.hear(side, name, value)
        return pairs

    def _tell_keys(self) -> None:
        rows = [row(line) for line in self._table.lines]
        if rows:
            for each in rows:
                name = each["key"], each["by"]
                # What answers SendTargets is no negotiation: it adds nothing to the login.
                if self.in_login or name in self.keys:
                    self.keys[name] = each
            self.tell("keys", rows=rows)

    def _tell_session(self) -> None:
        if self.session is not None:
            self.tell("session", **self.session.described)

    def _command(self, pdu: ScsiCommand) -> None:
        self.counted.operations += 1
        if len(self.tasks) < _MOST_TASKS:
            task = self.tasks[pdu.itt] = Task.of(pdu, self._feed.now)
            self._tell_task(task)

    def _data(self, pdu: DataOut | ReadyToTransfer) -> None:
        task = self.tasks.get(pdu.itt)
        if task is not None and task.hear(pdu):
            self._tell_task(task)

    def _data_in(self, pdu: DataIn) -> None:
        if pdu.has_status:
            self._respond(pdu)

    def _respond(self, pdu: ScsiResponse | DataIn) -> None:
        task = self.tasks.pop(pdu.itt, None)
        if task is not None:
            task.respond(pdu.status, self._feed.now)
            if task.began is not None:
                self._feed.meter.latency.note(self._feed.now - task.began)
            self._tell_task(task)

    def _function(self, pdu: TaskManagementRequest) -> None:
        if len(self._functions) < _MOST_TASKS:
            self._functions[pdu.itt] = pdu

    def _function_response(self, pdu: TaskManagementResponse) -> None:
        request = self._functions.pop(pdu.itt, None)
        if request is None or pdu.response != TaskResult.COMPLETE:
            return
        unit = lun.decode(request.lun)
        function, tag = request.function, request.referenced_task_tag
        for talk in [self] if self.session is None else self.session.talks:
            for task in list(talk.tasks.values()):
                if (
                    (function == TaskFunction.ABORT_TASK and task.itt == tag)
                    or (function in _OF_A_UNIT and task.unit == unit)
                    or function in _OF_ALL
                ):
                    talk.end(task)

    def end(self, task: Task) -> None:
        """A task has ended without status."""
        self.tasks.pop(task.itt, None)
        task.abort(self._feed.now)
        self._tell_task(task)

    def found(self, task: Task) -> None:
        """A task that had begun before anybody looked."""
        self.tasks[task.itt] = task
        self._tell_task(task)

    def lost_sight_of(self, task: Task) -> None:
        """A task has ended while nobody looked."""
        self.tasks.pop(task.itt, None)
        task.state = RESPONDED.name
        self._tell_task(task)

    def _tell_task(self, task: Task) -> None:
        if self._feed.followed:
            self.tell("task", **task.described)


_HANDLERS: dict[type, Callable[[Talk, Any], None]] = {
    LoginRequest: Talk._login_request,
    LoginResponse: Talk._login_response,
    TextRequest: Talk._text_request,
    TextResponse: Talk._text_response,
    ScsiCommand: Talk._command,
    DataOut: Talk._data,
    ReadyToTransfer: Talk._data,
    DataIn: Talk._data_in,
    ScsiResponse: Talk._respond,
    TaskManagementRequest: Talk._function,
    TaskManagementResponse: Talk._function_response,
}
