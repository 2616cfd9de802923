"""Lesson 7: losing a connection, and coming back.

    python examples/lessons/07_coming_back.py

A cable is pulled.  The target cannot know whether the initiator will come back: for Time2Wait and
Time2Retain seconds it keeps the session, which is FAILED.  Who logs in with the same name and ISID
is the same initiator, and takes its place.
"""

import trio
from classroom import ask, classroom, say, silence

from trioscsi.initiator.client import connect

ISID = b"\x80less7"


async def talk(url, task_status):
    async with connect(url, isid=ISID) as session:
        await session.write(0, b"!" * 512)
        task_status.started()
        await trio.sleep_forever()


async def main():
    async with classroom(machines=("connection", "session", "cleanup"), logins=True) as url:
        async with trio.open_nursery() as cable:
            with silence():
                await cable.start(talk, url)
            say(
                "A session has written something. Now the cable is pulled: T15, and N5, as no "
                "other connection is left."
            )
            cable.cancel_scope.cancel()
        say("The same ISID comes back, with TSIH 0: a new session in the place of the old one.")
        async with connect(url, isid=ISID) as session:
            with silence():
                data = await session.read(0, 1)
            say(f"What was written is there: {data[:8].decode()}")
    ask(
        "what would have happened with another ISID, what with the old TSIH, and what with "
        "commands that were not answered when the cable was pulled? (6.3.5, 6.3.6, 7.4.3)"
    )


if __name__ == "__main__":
    trio.run(main)
