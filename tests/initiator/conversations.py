"""What a target may say to an initiator, always the same, so that what it answers can be compared.

Each conversation is a function that takes a deviation and returns all bytes that the initiator has
sent; between them they touch every rule that an initiator can be told to break.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.initiator.credentials import ME, YOU
from tests.initiator.pair import Script, intent, reading, writing
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.intent import Credentials
from trioscsi.initiator.requests import Management, TextWish
from trioscsi.pdu import (
    AsyncMessage,
    DataIn,
    LoginResponse,
    LogoutReason,
    NopIn,
    ReadyToTransfer,
    ScsiResponse,
    TaskFunction,
)
from trioscsi.protocol import Challenges
from trioscsi.text import Stage, encode, encode_binary

Conversation = Callable[[Deviation | None], bytes]


class Recorded(Script):
    """A script that keeps every byte which the initiator sends, and does not understand it."""

    def hear(self) -> list[Any]:
        sent = b"".join(map(bytes, self.connection.take_output()))
        self.bytes = getattr(self, "bytes", b"") + sent
        return []

    def login(self, text: bytes = b"", **fields: Any) -> None:
        stage = fields.pop("stage", 1)
        self.say(
            LoginResponse(
                **{
                    "transit": True,
                    "csg": stage,
                    "nsg": 3 if stage else 1,
                    "isid": self.session.intent.isid,
                    "tsih": 1,
                    "itt": 1,
                    "data": text,
                    **fields,
                }
            )
        )

    def do(self, request: Any) -> Any:
        self.session.submit(request)
        self.hear()
        return request


def _security(deviation: Deviation | None) -> bytes:
    script = Recorded(intent(first_stage=Stage.SECURITY), deviation=deviation)
    script.login(stage=0)
    script.login()
    return script.bytes


def _full(text: bytes, deviation: Deviation | None, **offer: Any) -> Recorded:
    script = Recorded(intent(**offer), deviation=deviation)
    script.login(text)
    return script


def _writes(deviation: Deviation | None, text: bytes) -> bytes:
    script = _full(
        text + b"MaxRecvDataSegmentLength=512\0FirstBurstLength=1024\0",
        deviation,
        first_burst_length=1024,
    )
    task = script.do(writing(0, bytes(range(256)) * 16))
    script.say(
        ReadyToTransfer(itt=task.itt, ttt=5, buffer_offset=1024, desired_data_transfer_length=3072)
    )
    return script.bytes


def _solicited(deviation: Deviation | None) -> bytes:
    return _writes(deviation, b"ImmediateData=No\0InitialR2T=Yes\0")


def _unsolicited(deviation: Deviation | None) -> bytes:
    return _writes(deviation, b"ImmediateData=Yes\0InitialR2T=No\0")


def _closed_window(deviation: Deviation | None) -> bytes:
    script = _full(b"", deviation)
    script.session.numbers.maximum = script.session.numbers.next
    for _ in range(3):
        script.do(reading(0, 4))
    return script.bytes


def _digests(deviation: Deviation | None) -> bytes:
    digests = {"header_digests": ("CRC32C",), "data_digests": ("CRC32C",)}
    script = _full(b"HeaderDigest=CRC32C\0DataDigest=CRC32C\0", deviation, **digests)
    script.do(writing(0, b"data"))
    return script.bytes


def _requests(deviation: Deviation | None) -> bytes:
    script = _full(b"", deviation)
    task = script.do(reading(0, 4))
    script.do(Management(function=TaskFunction.ABORT_TASK, about=task, immediate=True))
    script.do(TextWish(pairs=[("SendTargets", "")]))
    script.say(NopIn(ttt=5, lun=0))
    script.session.log_out(script.connection, LogoutReason.CLOSE_SESSION)
    script.hear()
    script.do(reading(0, 4))
    return script.bytes


def _notices(deviation: Deviation | None) -> bytes:
    script = _full(b"", deviation)
    for event in (4, 5, 1):
        script.say(AsyncMessage(async_event=event, parameter3=4))
    script.pass_time(2)
    return script.bytes


def _acknowledged(deviation: Deviation | None) -> bytes:
    script = _full(b"ErrorRecoveryLevel=1\0", deviation, error_recovery_level=1)
    task = script.do(reading(0, 8))
    script.say(DataIn(itt=task.itt, ttt=5, data=b"0123", final=True, acknowledge=True))
    script.say(ScsiResponse(itt=task.itt, exp_data_sn=1))
    return script.bytes


def _authenticated(
    deviation: Deviation | None,
    *,
    mutual: bool = True,
    algorithm: int = 5,
    offered: tuple[int, ...] = (8, 7, 6, 5),
    challenge: bytes = bytes(range(16)),
) -> bytes:
    credentials = Credentials(
        ME, Challenges(lambda size: bytes([9]) * size), YOU if mutual else None, offered
    )
    script = Recorded(intent(credentials=credentials), deviation=deviation)
    script.login(encode([("AuthMethod", "CHAP")]), stage=0, transit=False, nsg=0)
    keys = [
        ("CHAP_A", str(algorithm)),
        ("CHAP_I", "3"),
        ("CHAP_C", encode_binary(challenge)),
    ]
    if challenge == b"ours":
        keys[2] = ("CHAP_C", encode_binary(credentials.challenges.issue(16)))
    script.login(encode(keys), stage=0, transit=False, nsg=0)
    script.login(encode([("CHAP_N", "nobody"), ("CHAP_R", "0x00")]) if mutual else b"", stage=0)
    return script.bytes


def _unproven(deviation: Deviation | None) -> bytes:
    return _authenticated(deviation)


def _one_way(deviation: Deviation | None) -> bytes:
    return _authenticated(deviation, mutual=False)


def _reflected(deviation: Deviation | None) -> bytes:
    return _authenticated(deviation, mutual=False, challenge=b"ours")


def _not_offered(deviation: Deviation | None) -> bytes:
    return _authenticated(deviation, mutual=False, offered=(8, 7))


def _too_long(deviation: Deviation | None) -> bytes:
    return _authenticated(deviation, mutual=False, challenge=bytes(1025))


def _asked_twice(deviation: Deviation | None) -> bytes:
    """The target does not agree at once that the login ends."""
    script = Recorded(intent(), deviation=deviation)
    script.login(transit=False, nsg=0)
    script.login()
    return script.bytes


CONVERSATIONS: tuple[Conversation, ...] = (
    _security,
    _asked_twice,
    _solicited,
    _unsolicited,
    _closed_window,
    _digests,
    _requests,
    _notices,
    _acknowledged,
    _unproven,
    _one_way,
    _reflected,
    _not_offered,
    _too_long,
)
