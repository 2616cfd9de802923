"""How an initiator writes: what it sends for R2Ts and unasked (section 4.2.5.2): one fault a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any
from weakref import WeakKeyDictionary

from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.deviations import Alter, Deviation, changing
from trioscsi.initiator.mutants.rows import cut, row, solicited, unsolicited
from trioscsi.initiator.requests import Task
from trioscsi.pdu import DataOut, Pdu, ReadyToTransfer, ScsiCommand, ScsiResponse


def _swapping(cls: type[Pdu], when: Callable[[Any], bool] = lambda pdu: True) -> Alter:
    """Handle each two PDUs of a class in the other order."""
    kept: WeakKeyDictionary[InitiatorConnection, Pdu] = WeakKeyDictionary()

    def swap(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
        if not isinstance(pdu, cls) or not when(pdu):
            return (pdu,)
        if connection in kept:
            return (pdu, kept.pop(connection))
        kept[connection] = pdu
        return ()

    return swap


def _task(pdu: Any, connection: InitiatorConnection) -> Task | None:
    found = connection.session.requests.get(pdu.itt)
    return found if isinstance(found, Task) else None


def _data(pdu: Any, connection: InitiatorConnection, **fields: Any) -> DataOut:
    """Data that nobody should send."""
    values = {"itt": pdu.itt, "final": True, "data": bytes(4), **fields}
    return DataOut(exp_stat_sn=connection.statuses.acknowledged, **values)


def _strays_answered(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, ReadyToTransfer):
        task = _task(pdu, connection)
        if task is None or not task.data_out:
            connection.send(_data(pdu, connection, ttt=pdu.ttt, lun=pdu.lun))
            return ()
    return (pdu,)


def _talks_on(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, ScsiResponse):
        task = _task(pdu, connection)
        if task is not None and task.data_out:
            connection.send(_data(pdu, connection))
    return (pdu,)


def _overrun(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, ReadyToTransfer):
        task = _task(pdu, connection)
        length = pdu.desired_data_transfer_length
        if task is not None and pdu.buffer_offset + length > len(task.data_out):
            more = _data(pdu, connection, ttt=pdu.ttt, lun=pdu.lun, data=bytes(length))
            more.buffer_offset = pdu.buffer_offset
            connection.send(more)
            return ()
    return (pdu,)


def _back_ignored(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
    if isinstance(pdu, ReadyToTransfer):
        task = _task(pdu, connection)
        if task is not None and pdu.buffer_offset < task.solicited:
            return ()
    return (pdu,)


def _in_odd_pieces(pdu: Any, _connection: InitiatorConnection) -> Iterable[Pdu]:
    """Cut a sequence of one PDU into two, the first of which is no whole word."""
    if not isinstance(pdu, DataOut) or pdu.data_sn or not pdu.final or len(pdu.data) <= 1:
        return (pdu,)
    data, first = bytes(pdu.data), copy(pdu)
    first.data, first.final = data[:1], False
    pdu.data, pdu.data_sn, pdu.buffer_offset = data[1:], 1, pdu.buffer_offset + 1
    return (first, pdu)


def _rounded(pdu: Any) -> bytes:
    return bytes(pdu.data) + bytes(-len(pdu.data) % 4)


MUTANTS: tuple[Deviation, ...] = (
    row("unsolicited-disordered", "4.2.5.2", "sends the unsolicited data of two commands in the other order", _swapping(DataOut, unsolicited)),
    row("unsolicited-short", "4.2.5.2", "sends less than a whole first burst", changing(DataOut, when=unsolicited, data=cut(4))),
    row("r2t-reversed", "11.8", "answers two R2Ts in the other order", _swapping(DataOut, solicited)),
    row("r2t-strays-answered", "4.2.5.1", "answers R2Ts for which it has no data", hears=_strays_answered),
    row("r2t-back-ignored", "11.8", "does not answer an R2T for data that it has sent, or for earlier ones", hears=_back_ignored),
    row("r2t-overrun", "11.7.6", "sends what is behind its data", hears=_overrun),
    row("data-rounded", "11.8", "sends whole words only", changing(DataOut, data=_rounded)),
    row("data-odd", "11.7.7", "cuts data elsewhere than at whole words", _in_odd_pieces),
    row("data-after-status", "4.2.5.1", "sends data after the status of their command", hears=_talks_on),
    row("bidirectional-short", "11.3.4", "does not say how much a bidirectional command reads", changing(ScsiCommand, bidirectional_read_length=None)),
    row("cdb-cut", "11.2.2.3", "cuts CDBs at 16 bytes", changing(ScsiCommand, cdb=lambda pdu: pdu.cdb[:16])),
)  # fmt: skip
