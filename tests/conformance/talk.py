"""Two sides that talk as a test tells them to, before a judge: both number their PDUs rightly.

talk = Talk()
talk.log_in(InitialR2T="No")
command = talk.ask(ScsiCommand, read=True, expected_data_transfer_length=4)
talk.answer(DataIn, command, final=True, has_status=True, data=b"data")
"""

from __future__ import annotations

from typing import Any

from trioscsi.conformance import Judge, Result, Verdict
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    LoginRequest,
    LoginResponse,
    Pdu,
    ReadyToTransfer,
    ScsiCommand,
    encode,
)
from trioscsi.serial import add
from trioscsi.text import Side
from trioscsi.text import encode as encode_text

INITIATOR = "iqn.2025-12.local.test:initiator"
TARGET = "iqn.2025-12.local.test:disk"
ISID = b"\x80\0\0\0\0\1"
LEADING = {"InitiatorName": INITIATOR, "TargetName": TARGET}
WINDOW = 8


class Talk:
    """One connection; others of the session share its judge and its numbers of commands."""

    def __init__(self, other: Talk | None = None) -> None:
        self.judge = Judge() if other is None else other.judge
        self.number = self.judge.open()
        self.numbers = {"cmd_sn": 1, "itt": 0} if other is None else other.numbers
        self.stat_sn = 100
        self.digests: dict[str, bool] = {}

    # Either side.

    def say(self, pdu: Pdu) -> None:
        """The initiator sends a PDU as it is."""
        self.say_bytes(b"".join(map(bytes, encode(pdu, **self.digests))))

    def say_bytes(self, data: bytes) -> None:
        self.judge.receive(self.number, Side.INITIATOR, data)

    def reply(self, pdu: Pdu) -> None:
        """The target sends a PDU as it is."""
        self.reply_bytes(b"".join(map(bytes, encode(pdu, **self.digests))))

    def reply_bytes(self, data: bytes) -> None:
        self.judge.receive(self.number, Side.TARGET, data)

    def close(self, side: Side = Side.INITIATOR) -> None:
        self.judge.close(self.number, side)

    # The initiator.

    def make(self, cls: type[Pdu], **fields: Any) -> Any:
        """A request with the numbers that are due."""
        if "itt" not in fields:
            self.numbers["itt"] += 1
            fields["itt"] = self.numbers["itt"]
        pdu: Any = cls(**{"exp_stat_sn": self.stat_sn, "cmd_sn": self.numbers["cmd_sn"], **fields})
        if not pdu.immediate:
            self.numbers["cmd_sn"] = add(self.numbers["cmd_sn"])
        return pdu

    def ask(self, cls: type[Pdu], **fields: Any) -> Any:
        pdu = self.make(cls, **fields)
        self.say(pdu)
        return pdu

    def write(self, length: int, data: bytes = b"", **fields: Any) -> ScsiCommand:
        command: ScsiCommand = self.ask(
            ScsiCommand, write=True, expected_data_transfer_length=length, data=data, **fields
        )
        return command

    def data(self, of: Pdu, length: int, **fields: Any) -> None:
        """A Data-Out for a command, or for an R2T of it."""
        about: Any = of
        ttt = about.ttt if isinstance(about, ReadyToTransfer) else NO_TASK
        lun = about.lun if isinstance(about, ReadyToTransfer) else 0
        fields = {"itt": about.itt, "ttt": ttt, "lun": lun, "final": True, **fields}
        self.say(DataOut(exp_stat_sn=self.stat_sn, data=bytes(length), **fields))

    # The target.

    def due(self, cls: type[Pdu], *, counts: bool = True, **fields: Any) -> Any:
        """A PDU with the numbers that are due; ``counts``: it takes a StatSN."""
        numbers = {
            "stat_sn": self.stat_sn,
            "exp_cmd_sn": self.numbers["cmd_sn"],
            "max_cmd_sn": add(self.numbers["cmd_sn"], WINDOW - 1),
        }
        if counts:
            self.stat_sn = add(self.stat_sn)
        return cls(**{**numbers, **fields})

    def answer(self, cls: type[Pdu], to: Any = None, *, counts: bool = True, **fields: Any) -> Any:
        if to is not None:
            fields = {"itt": to.itt, **fields}
        pdu = self.due(cls, counts=counts, **fields)
        self.reply(pdu)
        return pdu

    def r2t(self, command: ScsiCommand, length: int, **fields: Any) -> ReadyToTransfer:
        fields = {"lun": command.lun, "ttt": 7, **fields}
        r2t: ReadyToTransfer = self.answer(
            ReadyToTransfer, command, counts=False, desired_data_transfer_length=length, **fields
        )
        return r2t

    # The login.

    def login_request(self, keys: dict[str, str] | None = None, **fields: Any) -> LoginRequest:
        pairs = LEADING if keys is None else keys
        fields = {
            "transit": True,
            "csg": 1,
            "nsg": 3,
            "isid": ISID,
            "itt": 0,
            "cmd_sn": self.numbers["cmd_sn"],
            "exp_stat_sn": self.stat_sn,
            "data": encode_text(pairs.items()),
            **fields,
        }
        return LoginRequest(**fields)

    def login_response(
        self, keys: dict[str, str] | None = None, *, counts: bool = True, **fields: Any
    ) -> LoginResponse:
        fields = {
            "transit": True,
            "csg": 1,
            "nsg": 3,
            "isid": ISID,
            "itt": 0,
            "tsih": 1,
            "data": encode_text((keys or {}).items()),
            **fields,
        }
        response: LoginResponse = self.due(LoginResponse, counts=counts, **fields)
        return response

    def log_in(
        self,
        leading: dict[str, str] | None = None,
        fields: dict[str, Any] | None = None,
        **keys: str,
    ) -> Talk:
        """Both agree to what is proposed; the session goes by the RFC's defaults otherwise."""
        pairs = {**(LEADING if leading is None else leading), **keys}
        self.say(self.login_request(pairs, **(fields or {})))
        self.reply(self.login_response({k: v for k, v in keys.items() if k not in _DECLARED}))
        self.digests = {
            "header_digest": keys.get("HeaderDigest") == "CRC32C",
            "data_digest": keys.get("DataDigest") == "CRC32C",
        }
        return self

    # The judge.

    def result(self, monitor: str) -> Result:
        return self.judge.end()[monitor]

    def failing(self) -> set[str]:
        """The monitors that have found anything."""
        none = {Verdict.PASS, Verdict.NOT_EXERCISED, Verdict.INCONCLUSIVE}
        return {name for name, result in self.judge.end().items() if result.verdict not in none}


_DECLARED = frozenset({"MaxRecvDataSegmentLength", "SessionType"})
