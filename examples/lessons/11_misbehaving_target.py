"""Lesson 11: a misbehaving target.

    python examples/lessons/11_misbehaving_target.py

Between a good target and its initiator sits somebody who changes one field of what the target says.
A judge reads along and says which rule that breaks.  What does the initiator do about it?
"""

import trio
from classroom import ask, classroom, say, silence

from trioscsi.conformance import Judge
from trioscsi.errors import TrioscsiError
from trioscsi.initiator.client import connect
from trioscsi.initiator.url import Url
from trioscsi.pdu import DataIn, Framer, LoginResponse, encode
from trioscsi.text import Side

FAULTS = [
    ("leaves a StatSN out", DataIn, lambda pdu: {"stat_sn": pdu.stat_sn + 1}),
    ("closes the window behind its answers", DataIn, lambda pdu: {"max_cmd_sn": 0}),
    ("says that its data belong somewhere else", DataIn, lambda pdu: {"buffer_offset": 8}),
    ("answers a login with another tag", LoginResponse, lambda pdu: {"itt": 99}),
]


async def tamper(initiator, good, kind, change):
    """Pass on what both sides say, but change what the target says in PDUs of one kind."""
    judge = Judge(tell=lambda finding: print(f"       the judge: {finding}"))
    number, framer = judge.open(), Framer(2**24 - 1)

    async def pass_on():
        async for data in initiator:
            judge.receive(number, Side.INITIATOR, data)
            await target.send_all(data)

    async with (
        await trio.open_tcp_stream(good.host, good.port) as target,
        initiator,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(pass_on)
        async for data in target:
            framer.receive(data)
            while (pdu := framer.next_pdu()) is not None:
                for name, value in (change(pdu) if isinstance(pdu, kind) else {}).items():
                    setattr(pdu, name, value)
                said = b"".join(encode(pdu))
                judge.receive(number, Side.TARGET, said)
                await initiator.send_all(said)
        nursery.cancel_scope.cancel()


async def use(good, kind, change):
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host=good.host)
        nursery.start_soon(
            trio.serve_listeners, lambda stream: tamper(stream, good, kind, change), [listener]
        )
        port = listener.socket.getsockname()[1]
        try:
            async with connect(good.at(f"{good.host}:{port}")) as session:
                await session.read(0, 1)
            print("       the initiator has noticed nothing")
        except TrioscsiError as error:
            print(f"       the initiator: {error}")
        nursery.cancel_scope.cancel()


async def main():
    async with classroom(machines=()) as url:
        for title, kind, change in FAULTS:
            say(f"A target that {title}:")
            with silence():
                await use(Url.parse(url), kind, change)
    ask(
        "which of these faults has to end the session, and which may an initiator overlook? Whom "
        "does it harm then? (4.2.2.1, 4.2.2.2, 11.7.6, 6.3)"
    )


if __name__ == "__main__":
    trio.run(main)
