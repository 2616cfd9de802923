"""Lesson 1: a login in three PDUs.

    python examples/lessons/01_login.py

A connection begins in state FREE, and may not carry a command before it is LOGGED_IN.  Two PDUs are
enough to get there; the third one proves it.  This initiator is made by hand, bit by bit.
"""

import trio
from classroom import NAME, ask, classroom, say

from trioscsi.initiator.url import Url
from trioscsi.pdu import LoginRequest, NopOut, encode

WHO = f"InitiatorName=iqn.2025-12.local:pupil\0TargetName={NAME}\0".encode()
REQUEST = LoginRequest(transit=True, csg=1, nsg=3, isid=b"\x80lsn01", cmd_sn=1, data=WHO)
PING = NopOut(itt=7, cmd_sn=1, data=b"I am in")


async def main():
    async with classroom(logins=True, keys=True) as url:
        portal = Url.parse(url)
        async with await trio.open_tcp_stream(portal.host, portal.port) as stream:
            say("The first PDU: who I am; I am in stage 1 (CSG) and ready (T) for stage 3 (NSG).")
            await stream.send_all(b"".join(encode(REQUEST)))
            await stream.receive_some()

            say(
                "The second one had T, too: with it the login was over, as T5 and N2 have told. In "
                "full feature phase all PDUs may come. The third one is a ping:"
            )
            await stream.send_all(b"".join(encode(PING)))
            await stream.receive_some()
            say("Enough. To hang up without a logout is not polite:")
    ask(
        "may a target set T without being asked to? Look at section 11.13.2, then say why a login "
        "always has an even number of PDUs."
    )


if __name__ == "__main__":
    trio.run(main)
