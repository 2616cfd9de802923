"""A small target that recovers errors at all levels, and a way to it on which PDUs are lost.

It reads and writes a bytearray, by pieces of a few bytes, keeps what was not acknowledged, and goes
on with commands on other connections.  `trioscsi.protocol`, which is no test, has level 0 alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from tests.initiator.scripts import End, Talk
from tests.protocol.peer import READ
from trioscsi.initiator.intent import Intent
from trioscsi.pdu import (
    DataIn,
    DataOut,
    LoginRequest,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
)
from trioscsi.serial import less

PIECE = 8
"""Bytes of a Data-In, and of what an R2T asks for."""


@attrs.define(eq=False)
class Job:
    """A command that the target has."""

    command: ScsiCommand
    end: End | None
    """The connection that it belongs to; None: it waits to be reassigned."""
    offset: int
    length: int
    come: int = 0
    """Bytes that were written."""
    r2t_sn: int = 0

    @property
    def reads(self) -> bool:
        return self.command.cdb[0] == READ


class Careful(Talk):
    """The session of an initiator with such a target.

    ``loses`` says of each PDU whether it is lost: data, R2Ts and statuses of the target, and
    commands of the initiator.
    """

    def __init__(
        self, wish: Intent, text: bytes, loses: Callable[[Any], bool], **more: Any
    ) -> None:
        super().__init__(wish, text, **more)
        self.store = bytearray(256)
        self.jobs: dict[int, Job] = {}
        self._loses = loses
        self._early: dict[int, tuple[End, Any]] = {}
        self._statuses: dict[End, dict[int, Any]] = {}
        self._done: dict[End, int] = {}
        """How many of the PDUs that came by each connection were heard."""
        self._todo: list[tuple[End, Any]] = []

    def run(self) -> None:
        """Let both sides say what they have to, until nothing is left."""
        moved = True
        while moved:
            moved = False
            for end in list(self.ends):
                end.hear()
                place = self._done.get(end, 0)
                self._done[end] = len(end.heard)
                for pdu in end.heard[place:]:
                    moved = True
                    if not end.connection.closed:
                        self._hear(end, pdu)
            while self._todo:
                moved = True
                self._send(*self._todo.pop(0))

    def settle(self) -> None:
        """Have all that was lost noticed, and made good: time passes, and the target speaks."""
        for _ in range(40):
            self.run()
            if not self.session.requests and not self.session.waiting:
                return
            for end in self.ends:
                if end.connection.full_feature:
                    self._say(end, NopIn())
                    self._ask_again(end)
            self.run()
            self.pass_time(3)

    def cut_off(self, end: End) -> None:
        """A connection is lost; its commands wait to be reassigned."""
        self._todo = [(each, pdu) for each, pdu in self._todo if each is not end]
        end.cut("cut")
        self._leave(end)

    def come_back(self, old: Any) -> None:
        """The initiator opens a connection in the place of a lost one."""
        self.reconnect(old)

    # What the target hears.

    def _hear(self, end: End, pdu: Any) -> None:
        match pdu:
            case LoginRequest():
                pass  # `Talk` answers it
            case SnackRequest():
                self._hear_snack(end, pdu)
            case DataOut():
                self._hear_data(end, pdu)
            case _ if pdu.immediate:
                self._execute(end, pdu)
            case ScsiCommand() if self._loses(pdu):
                pass
            case _:
                if not less(pdu.cmd_sn, self.expected):
                    self._early[pdu.cmd_sn] = end, pdu
                while self.expected in self._early:
                    self._execute(*self._early.pop(self.expected))

    def _execute(self, end: End, pdu: Any) -> None:
        if not pdu.immediate:
            self.expected += 1
        match pdu:
            case ScsiCommand():
                offset, length = (int.from_bytes(pdu.cdb[place : place + 4]) for place in (1, 5))
                job = self.jobs[pdu.itt] = Job(pdu, end, offset, length)
                self._work(job, 0)
            case NopOut() if pdu.itt != 0xFFFFFFFF:
                self._say(end, NopIn(itt=pdu.itt))
            case TaskManagementRequest():
                self._manage(end, pdu)
            case LogoutRequest():
                for other in self.ends:
                    if other.connection.cid == pdu.cid and other is not end:
                        self._leave(other)
                self._say(end, LogoutResponse(itt=pdu.itt))

    def _leave(self, end: End) -> None:
        """What was held for its order is forgotten, and commands wait (section 11.14)."""
        for cmd_sn, (by, _) in list(self._early.items()):
            if by is end:
                del self._early[cmd_sn]
        for job in self.jobs.values():
            if job.end is end:
                job.end = None

    def _manage(self, end: End, pdu: TaskManagementRequest) -> None:
        job = self.jobs.get(pdu.referenced_task_tag)
        if job is None or pdu.function != TaskFunction.TASK_REASSIGN:
            self._say(end, TaskManagementResponse(itt=pdu.itt, response=1))
            return
        assert job.end is None, "it was still allegiant"
        job.end = end
        self._say(end, TaskManagementResponse(itt=pdu.itt))
        self._work(job, pdu.exp_data_sn)

    def _work(self, job: Job, first: int) -> None:
        """Send all data of a read from one DataSN on, or ask for the next data of a write."""
        assert job.end is not None
        if not job.reads:
            self._ask(job)
            return
        for pdu in self._data(job)[first:]:
            self._say(job.end, pdu)
        self._finish(job, len(self._data(job)))

    def _data(self, job: Job) -> list[DataIn]:
        data = bytes(self.store[job.offset : job.offset + job.length])
        places = range(0, job.length, PIECE)
        return [
            DataIn(
                itt=job.command.itt,
                data_sn=number,
                buffer_offset=place,
                data=data[place : place + PIECE],
                final=place + PIECE >= job.length,
            )
            for number, place in enumerate(places)
        ]

    def _ask(self, job: Job) -> None:
        assert job.end is not None
        length = min(PIECE, job.length - job.come)
        if not length:
            self._finish(job, 0)
            return
        r2t = ReadyToTransfer(
            itt=job.command.itt,
            ttt=job.r2t_sn + 1,
            r2t_sn=job.r2t_sn,
            buffer_offset=job.come,
            desired_data_transfer_length=length,
        )
        job.r2t_sn += 1
        self._say(job.end, r2t)

    def _ask_again(self, end: End) -> None:
        """Data do not come: the R2T may have been lost (section 7.1.4.1)."""
        for job in list(self.jobs.values()):
            if job.end is end and not job.reads and job.come < job.length:
                self._ask(job)

    def _hear_data(self, end: End, pdu: DataOut) -> None:
        job = self.jobs.get(pdu.itt)
        if job is None or job.end is not end or pdu.buffer_offset != job.come:
            return
        start = job.offset + pdu.buffer_offset
        self.store[start : start + len(pdu.data)] = bytes(pdu.data)
        job.come += len(pdu.data)
        if pdu.final:
            self._ask(job)

    def _hear_snack(self, end: End, pdu: SnackRequest) -> None:
        if pdu.type == SnackType.STATUS:
            for number in range(pdu.beg_run, pdu.beg_run + pdu.run_length):
                self._todo.append((end, self._statuses[end][number]))
            return
        job = self.jobs.get(pdu.itt)
        assert pdu.type == SnackType.DATA_OR_R2T, pdu
        assert job is not None, "a SNACK for a command whose status was acknowledged"
        if job.reads:
            for each in self._data(job)[pdu.beg_run : pdu.beg_run + pdu.run_length]:
                self._say(end, each)

    # What the target says.

    def _finish(self, job: Job, data_ins: int) -> None:
        assert job.end is not None
        self._say(job.end, ScsiResponse(itt=job.command.itt, exp_data_sn=data_ins))

    def _say(self, end: End, pdu: Any) -> None:
        self._todo.append((end, pdu))

    def _send(self, end: End, pdu: Any) -> None:
        known = self._statuses.setdefault(end, {})
        again = known.get(pdu.stat_sn) is pdu
        if not again and isinstance(pdu, ScsiResponse | TaskManagementResponse | LogoutResponse):
            known[end.stat_sn] = pdu
        if self._loses(pdu):
            if not again and isinstance(pdu, ScsiResponse):
                pdu.stat_sn = end.stat_sn
                end.stat_sn += 1
            return
        if end.connection.closed:
            return
        if again:
            number, end.stat_sn = end.stat_sn, pdu.stat_sn
            end.put(pdu)
            end.stat_sn = number
        else:
            end.put(pdu)
