"""Commands that write, and their data, asked for as a scenario wants it (sections 11.7 and 11.8).

What an initiator writes is asked for by the scenario, and given to the target afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import attrs

from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.statuses import BUSY
from trioscsi.conformance.bench.words import r2t
from trioscsi.pdu import NO_TASK, DataOut, ReadyToTransfer, ScsiCommand, ScsiResponse

TTT = 0x100
"""The Target Transfer Tag of the first R2T of a scenario."""
_WRITES = frozenset({0x0A, 0x2A, 0x8A, 0xAA})


def writes_blocks(pdu: Any) -> bool:
    """Whether a command writes to the medium."""
    return pdu.cdb[0] in _WRITES


@attrs.define(eq=False)
class Writing:
    """A command that writes, which has not gone on, and the data that have come for it so far."""

    link: Link
    command: ScsiCommand
    unasked: list[DataOut]
    """Its unsolicited Data-Out."""
    data: bytearray
    r2t_sn: int = 0
    ttt: int = TTT

    @property
    def length(self) -> int:
        """All bytes that the command writes."""
        return self.command.expected_data_transfer_length

    @property
    def missing(self) -> int:
        """Bytes that have not come."""
        return self.length - len(self.data)

    def r2t(self, offset: int, length: int, **changes: Any) -> ReadyToTransfer:
        """The next R2T; its tag is ``ttt + r2t_sn``."""
        pdu = r2t(self.command, offset, length, self.ttt + self.r2t_sn, self.r2t_sn)
        self.r2t_sn += 1
        for name, value in changes.items():
            setattr(pdu, name, value)
        return pdu

    async def ask(self, offset: int, length: int, **changes: Any) -> ReadyToTransfer:
        """Send the next R2T."""
        pdu = self.r2t(offset, length, **changes)
        await self.link.say(pdu)
        return pdu

    async def burst(self, asked: ReadyToTransfer, within: float = 5.0) -> list[DataOut]:
        """The Data-Out that answer an R2T: until F, or until they are as long as asked for."""
        pdus: list[DataOut] = []
        length = 0
        while length < asked.desired_data_transfer_length:
            pdu = await self.link.take(DataOut, where=self.is_mine, within=within)
            pdus.append(pdu)
            length += len(pdu.data)
            self.put(pdu)
            if pdu.final:
                break
        return pdus

    def is_mine(self, pdu: Any) -> bool:
        """Whether a PDU has the tag of the command."""
        return bool(pdu.itt == self.command.itt)

    def put(self, pdu: DataOut) -> None:
        """Put data in their place."""
        end = min(pdu.buffer_offset + len(pdu.data), self.length)
        if end > len(self.data):
            self.data.extend(bytes(end - len(self.data)))
        self.data[pdu.buffer_offset : end] = pdu.data[: max(end - pdu.buffer_offset, 0)]

    async def abandon(self) -> None:
        """Have the initiator do the command once more, unless the connection is closed."""
        if self.link.is_open:
            await self.link.answer(self.command, status=BUSY)

    async def ask_for_rest(self) -> None:
        """Ask for what is missing, in bursts as long as they may be."""
        most = self.link.parameters.max_burst_length
        while self.missing:
            await self.burst(await self.ask(len(self.data), min(most, self.missing)))

    async def carry_out(self) -> None:
        """Have the target do the command with the data that have come, and tell how it went."""
        link, command = self.link, self.command
        await link.forward(copy(command), data=b"", final=True)
        most = link.parameters.target_max_recv_data_segment_length
        while True:
            pdu: Any = await link.take(ReadyToTransfer, ScsiResponse, where=self.is_mine)
            if isinstance(pdu, ScsiResponse):
                await link.say(pdu)
                return
            start, stop = pdu.buffer_offset, pdu.buffer_offset + pdu.desired_data_transfer_length
            for data_sn, offset in enumerate(range(start, stop, most)):
                end = min(offset + most, stop)
                answer = DataOut(
                    final=end == stop,
                    lun=pdu.lun,
                    itt=pdu.itt,
                    ttt=pdu.ttt,
                    exp_stat_sn=command.exp_stat_sn,
                    data_sn=data_sn,
                    buffer_offset=offset,
                    data=bytes(self.data[offset:end]),
                )
                await link.forward(answer)


async def writing(
    play: Play, at_least: int = 512, where: Callable[[Any], bool] = writes_blocks
) -> Writing:
    """The first command that writes so much, with the data that come for it unasked.

    Raises DriverEnded if there is none.
    """
    return await unsolicited(*await write_command(play, at_least, where))


async def write_command(
    play: Play, at_least: int = 512, where: Callable[[Any], bool] = writes_blocks
) -> tuple[Link, ScsiCommand]:
    """The first command that writes so much, and its connection; it is taken."""
    while True:
        link = await play.session()
        try:
            return link, await link.take(
                ScsiCommand,
                where=lambda pdu: (
                    pdu.write and pdu.expected_data_transfer_length >= at_least and where(pdu)
                ),
            )
        except Left:
            continue  # it had other things to do on this connection


async def unsolicited(link: Link, command: ScsiCommand) -> Writing:
    """A command that was taken, with the data that come for it unasked."""
    found = Writing(link, command, [], bytearray(command.data))
    most = min(link.parameters.first_burst_length, found.length)
    is_over = command.final
    while not is_over:
        pdu = await link.take(
            DataOut, where=lambda pdu: found.is_mine(pdu) and pdu.ttt == NO_TASK, within=5
        )
        found.unasked.append(pdu)
        found.put(pdu)
        is_over = pdu.final or len(found.data) > most
    return found


async def data_outs(
    asked: list[tuple[Writing, ReadyToTransfer]], within: float = 5.0
) -> list[DataOut]:
    """What answers R2Ts of several commands, in the order in which it comes, until all is there."""
    link = asked[0][0].link
    by_tag = {found.command.itt: found for found, _ in asked}
    missing = sum(pdu.desired_data_transfer_length for _, pdu in asked)
    pdus: list[DataOut] = []
    while missing > 0:
        pdu = await link.take(DataOut, where=lambda pdu: pdu.itt in by_tag, within=within)
        by_tag[pdu.itt].put(pdu)
        missing -= len(pdu.data)
        pdus.append(pdu)
    return pdus


async def stays_silent(link: Link, where: Callable[[Any], bool], seconds: float = 1.5) -> bool:
    """Whether no such Data-Out comes for some time, or the connection is closed instead."""
    try:
        await link.take(DataOut, where=where, within=seconds)
    except (Left, Silence):
        return True
    return False
