"""What the lessons share: a target on this machine, every word of which is told."""

import logging
from contextlib import asynccontextmanager, contextmanager
from textwrap import fill

import trio

from trioscsi import MemoryDisk, Target
from trioscsi.teaching.telling import Teller

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


def say(text):
    """A sentence of the teacher's."""
    print(f"\n{fill(text, WIDTH)}\n")


def ask(question):
    """The question that a lesson ends in."""
    print(f"\n{fill(f'Question: {question}', WIDTH)}")
