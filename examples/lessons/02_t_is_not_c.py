"""Lesson 2: why T is not C.

    python examples/lessons/02_t_is_not_c.py

Two bits of a Login Request lie side by side.  T (transit) says that its sender is ready for the
next stage; C (continue) says that its text goes on in the next PDU.  Who is in the middle of a
sentence cannot be ready for anything.
"""

import trio
from classroom import NAME, ask, classroom, say

from trioscsi.initiator.url import Url
from trioscsi.pdu import LoginRequest, encode
from trioscsi.teaching.fields import explain

WHO = f"InitiatorName=iqn.2025-12.local:pupil\0TargetName={NAME}\0".encode()


def request(data, *, t=False, c=False):
    return LoginRequest(transit=t, continue_=c, csg=1, nsg=3 if t else 0, cmd_sn=1, data=data)


async def send(url, *pdus):
    portal = Url.parse(url)
    async with await trio.open_tcp_stream(portal.host, portal.port) as stream:
        for pdu in pdus:
            await stream.send_all(b"".join(encode(pdu)))
            await stream.receive_some()


async def main():
    async with classroom(logins=True, machines=["login"]) as url:
        say("C: half of the text. The target may only say: go on. Then the rest, with T.")
        await send(url, request(WHO[:30], c=True), request(WHO[30:], t=True))
        say("T and C at once: ready, in the middle of a sentence.")
        await send(url, request(WHO, t=True, c=True))

    header, *_ = encode(request(b"", t=True, c=True))
    say(f"A header that begins with {bytes(header[:2]).hex(' ')} is wrong wherever it is seen:")
    print(*explain(bytes(header)).wrong, sep="\n")
    ask(
        "what could a target do at the end of a stage with a key that is only half there? Which "
        "bits of a Text Request play the parts of T and C? (11.12.2, 11.10.1, 11.10.2)"
    )


if __name__ == "__main__":
    trio.run(main)
