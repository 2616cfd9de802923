"""What the lessons share: a target on this machine, every word of which is told."""

import logging
from contextlib import asynccontextmanager, contextmanager
from textwrap import fill

import trio

from trioscsi import MemoryDisk, Target
from trioscsi.teaching.telling import Teller
from trioscsi.text import Side

NAME = "iqn.2025-12.local:lesson"
CONNECTIONS = ("connection", "session")
WIDTH = 92

# What a target logs is told in its place.
logging.getLogger("trioscsi").addHandler(logging.NullHandler())


@asynccontextmanager
async def classroom(disk=None, *, machines=CONNECTIONS, logins=False, keys=False, **settings):
    """Serve a disk, tell what passes (see `Teller`), and give the URL of the disk."""
    target = Target(
        NAME,
        disk or MemoryDisk("1MiB"),
        listen="127.0.0.1:0",
        trace=Teller(_tell, machines=machines, logins=logins, keys=keys),
        **settings,
    )
    async with trio.open_nursery() as nursery:
        [(host, port)] = await nursery.start(target.serve)
        yield f"iscsi://{host}:{port}/{NAME}/0"
        nursery.cancel_scope.cancel()


_silences = []


def _tell(line):
    if not _silences:
        print(line)


@contextmanager
def silence():
    """What passes here is no part of the lesson."""
    _silences.append(True)
    try:
        yield
    finally:
        _silences.pop()


class Gallery:
    """A trace that hands every byte to a judge."""

    def __init__(self, judge):
        self.judge = judge

    def connect(self, peer, own, portal):
        return Seat(self.judge, self.judge.open())


class Seat:
    """One connection, as the judge has it."""

    def __init__(self, judge, number):
        self.judge, self.number = judge, number

    def received(self, *buffers):
        self.judge.receive(self.number, Side.INITIATOR, b"".join(buffers))

    def sent(self, buffers, count):
        self.judge.receive(self.number, Side.TARGET, b"".join(buffers)[:count])

    def ended(self, *, broken=False):
        self.judge.close(self.number, Side.INITIATOR)

    def moved(self, transition): ...
    def note(self, text): ...
    def settle(self): ...
    def close(self): ...


def say(text):
    """A sentence of the teacher's."""
    print(f"\n{fill(text, WIDTH)}\n")


def ask(question):
    """The question that a lesson ends in."""
    print(f"\n{fill(f'Question: {question}', WIDTH)}")
