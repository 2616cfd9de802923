"""Lesson 4: a write by R2T.

    python examples/lessons/04_write_by_r2t.py

Data that is written is not simply sent: the target asks for it, piece by piece, as it has buffers.
An R2T asks for one piece; its answer is a sequence of Data-Out PDUs, the last one with the F bit.
"""

import trio
from classroom import ask, classroom, say, silence

from trioscsi import Limits
from trioscsi.initiator.client import connect

STRICT = {
    "initial_r2t": True,  # nothing may be sent unasked,
    "immediate_data": False,  # not even with the command;
    "max_burst_length": 4096,  # what one R2T may ask for at most
    "first_burst_length": 4096,
    "max_outstanding_r2t": 1,  # R2Ts at a time
}
DATA = bytes(8192)


async def write(url, **wishes):
    async with connect(url, **wishes) as session:
        with silence():
            await session.read_capacity()
        await session.write(0, DATA)
        with silence():
            await session.log_out()


async def main():
    async with classroom(machines=(), limits=Limits(segment=2048)) as url:
        say(
            "8 KiB by R2T: two R2Ts of 4 KiB (MaxBurstLength), each answered by two PDUs of 2 KiB "
            "(the target's MaxRecvDataSegmentLength). DataSN begins anew with each sequence."
        )
        await write(url, **STRICT)
        say("The same with what both sides would rather do: the first burst comes unasked.")
        await write(url)
    ask(
        "how many times did each write wait for the other side, and what does a target risk that "
        "lets everything come unasked? (4.2.5.2, 11.8, 13.10, 13.14)"
    )


if __name__ == "__main__":
    trio.run(main)
