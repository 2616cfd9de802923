"""Messages as a server gives them, and a source that plays them."""

from __future__ import annotations

from tests.teaching.live.wire import PEER, PORTAL, Wire
from trioscsi.lun import encode as encode_lun
from trioscsi.machines import MACHINES, Transition
from trioscsi.pdu import (
    DataIn,
    LogoutRequest,
    LogoutResponse,
    ScsiCommand,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
)
from trioscsi.teaching.live import Message

READ = b"\x28" + bytes(15)


def read(itt: int) -> ScsiCommand:
    return ScsiCommand(
        itt=itt, lun=encode_lun(0), cdb=READ, read=True, expected_data_transfer_length=4096
    )


def session() -> tuple[Wire, list[Message]]:
    """A login, a read, an abort and a logout; another connection that is refused."""
    wire = Wire()
    wire.feed._surroundings = lambda: {
        "portals": [{"address": "192.0.2.2:3260", "group": 1}],
        "targets": [],
    }
    heard = wire.feed.subscribe()
    wire.talk = wire.feed.open(PEER, PORTAL)
    wire.move("connection", "T3")
    wire.log_in()
    wire.move("session", "N1", "N2")
    for label in ("T4", "T5"):
        wire.talk.moved(transition("connection", label))
    wire.now += 0.001
    wire.say(read(1), read(2))
    wire.now += 0.002
    wire.say(DataIn(itt=1, final=True, has_status=True, data=bytes(4096)))
    wire.say(
        TaskManagementRequest(function=TaskFunction.ABORT_TASK, itt=3, referenced_task_tag=2),
        TaskManagementResponse(itt=3),
    )
    wire.talk.counted.bytes_in = 480
    wire.now += 1
    wire.feed.tick()
    other = wire.feed.open(("192.0.2.9", 1), PORTAL)
    other.note("refused: not yours")
    other.lose_track(2048)
    wire.say(LogoutRequest(itt=4), LogoutResponse(itt=4))
    for label in ("T9", "T13"):
        wire.talk.moved(transition("connection", label))
    wire.talk.moved(transition("session", "N3"))
    wire.talk.close("closed by the target")
    return wire, heard.take(9999)


def transition(machine: str, label: str) -> Transition:
    return next(row for row in MACHINES[machine].transitions if row.label == label)


class Script:
    """A source that has all its messages from the beginning, and explains with a feed."""

    def __init__(self, wire: Wire, messages: list[Message], *, at_once: int = 9999) -> None:
        self._wire = wire
        self.messages = list(messages)
        self.over = ""
        self.passed = 0.0
        self._at_once = at_once
        self._answers: list[Message] = []
        self.closed = False

    @property
    def waiting(self) -> int:
        return len(self.messages)

    def take(self, most: int) -> list[Message]:
        count = min(most, self._at_once)
        taken, self.messages = self.messages[:count], self.messages[count:]
        return taken

    def advance(self, seconds: float) -> None:
        self.passed += seconds

    def forward(self) -> bool:
        return False

    def explain(self, connection: int, number: int) -> None:
        found = self._wire.feed.explain(connection, number)
        self._answers.append(found or {"type": "error", "error": "gone"})

    def explained(self) -> list[Message]:
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        self.closed = True
