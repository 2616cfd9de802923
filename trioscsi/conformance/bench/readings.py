"""Commands that read, and the data that come back, cut as a scenario wants them (section 11.7).

What the target behind the stage says to a command is taken, and said again in other PDUs.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import attrs

from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.pdu import DataIn, ScsiCommand, ScsiResponse

_READS = frozenset({0x08, 0x28, 0x88, 0xA8})


def reads_blocks(pdu: Any) -> bool:
    """Whether a command reads from the medium."""
    return pdu.cdb[0] in _READS


@attrs.define(eq=False)
class Reading:
    """A command that reads, and what the target has answered; the initiator knows nothing of it."""

    link: Link
    command: ScsiCommand
    data: bytes
    response: ScsiResponse

    def piece(self, start: int, end: int, data_sn: int, **fields: Any) -> DataIn:
        """A Data-In with a part of the data."""
        values = {"itt": self.command.itt, "data_sn": data_sn, "buffer_offset": start, **fields}
        return DataIn(**{"data": self.data[start:end], **values})

    def cut(self, *sizes: int) -> list[DataIn]:
        """The data in PDUs: the first ones of these sizes, the others as long as they may be.

        F ends each sequence of MaxBurstLength, and the last one.
        """
        agreed = self.link.parameters
        burst = agreed.max_burst_length
        most = min(agreed.initiator_max_recv_data_segment_length, burst)
        pdus: list[DataIn] = []
        start = sequence = 0
        while start < len(self.data):
            size = sizes[len(pdus)] if len(pdus) < len(sizes) else most
            end = min(start + min(size, most, burst - sequence), len(self.data))
            pdus.append(self.piece(start, end, len(pdus)))
            start, sequence = end, sequence + end - start
            if sequence == burst or end == len(self.data):
                pdus[-1].final, sequence = True, 0
        return pdus

    def cut_into(self, count: int) -> list[DataIn]:
        """The data in about so many PDUs, each of whole words."""
        size = max(len(self.data) // count & ~3, 4)
        return self.cut(*[size] * (count - 1))

    def ask(self, pdu: DataIn, ttt: int) -> None:
        """Have the initiator acknowledge a Data-In, and all before it (section 11.7.2)."""
        pdu.acknowledge, pdu.ttt, pdu.lun = True, ttt, self.command.lun

    def with_status(self, pdu: DataIn) -> DataIn:
        """A last Data-In that ends the command as well."""
        response = self.response
        pdu.final = pdu.has_status = True
        pdu.status, pdu.residual_count = response.status, response.residual_count
        pdu.underflow, pdu.overflow = response.underflow, response.overflow
        return pdu

    def status(self, data_ins: int, **changes: Any) -> ScsiResponse:
        """The response after so many Data-In."""
        response = copy(self.response)
        for name, value in {"exp_data_sn": data_ins, **changes}.items():
            setattr(response, name, value)
        return response

    async def say(self, pdus: list[DataIn], **changes: Any) -> None:
        """Send Data-In PDUs, and the response behind them."""
        await self.link.say(*pdus, self.status(len(pdus), **changes))

    async def goes_on(self) -> None:
        """Say what the target has said, as if nothing were; unless the connection is closed."""
        if self.link.is_open:
            await self.say(self.cut())


async def take_reading(link: Link, command: ScsiCommand) -> Reading:
    """What the target answers to a command that it was given."""
    data = bytearray()
    while True:
        pdu: Any = await link.take(DataIn, ScsiResponse, where=lambda pdu: pdu.itt == command.itt)
        if isinstance(pdu, ScsiResponse):
            return Reading(link, command, bytes(data), pdu)
        data[pdu.buffer_offset :] = pdu.data
        if pdu.has_status:
            response = ScsiResponse(
                itt=pdu.itt,
                status=pdu.status,
                underflow=pdu.underflow,
                overflow=pdu.overflow,
                residual_count=pdu.residual_count,
            )
            return Reading(link, command, bytes(data), response)


async def reading(
    play: Play, at_least: int = 64, where: Callable[[Any], bool] = lambda pdu: True
) -> Reading:
    """The first command of the initiator that brings so much data, whichever it is.

    Raises DriverEnded if there is none.
    """
    while True:
        link = await play.session()
        try:
            return await next_reading(link, at_least, where)
        except Left:
            continue  # it had other things to do on this connection


async def next_reading(
    link: Link, at_least: int = 64, where: Callable[[Any], bool] = lambda pdu: True
) -> Reading:
    """The same, on one connection.  Raises Left if the initiator closes it before."""
    while True:
        command = await link.see(
            ScsiCommand,
            where=lambda pdu: (
                pdu.read
                and not pdu.write
                and pdu.expected_data_transfer_length >= at_least
                and where(pdu)
            ),
        )
        found = await take_reading(link, command)
        if len(found.data) >= at_least and not found.response.status:
            return found
        await found.goes_on()


async def gather(
    link: Link,
    count: int,
    where: Callable[[Any], bool],
    within: float = 2.0,
) -> list[ScsiCommand]:
    """Commands that an initiator gives before it has the answer to any: at most so many.

    Raises NotExercised if it gives one at a time.
    """
    commands = [await link.take(ScsiCommand, where=where)]
    while len(commands) < count:
        try:
            commands.append(await link.take(ScsiCommand, where=where, within=within))
        except Silence:
            break
    if len(commands) < 2:
        await link.forward(commands[0])
        raise NotExercised("it gives one command at a time")
    return commands
