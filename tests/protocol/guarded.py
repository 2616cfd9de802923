"""A target that wants to know who comes, and peers in the middle of their logins."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

import attrs

from tests.protocol.peer import (
    OPERATIONAL,
    SECURITY,
    Gate,
    Pairs,
    Peer,
    connect,
    leading_keys,
    login_request,
    status,
)
from trioscsi.pdu import LoginStatus
from trioscsi.protocol.credentials import Account, Authentication, Challenges, Secret
from trioscsi.text import Offer, decode, decode_binary, encode_binary

ALICE = Account("alice", Secret(b"alice's long secret"))
BOB = Account("bob", Secret(b"the secret that bob has"))
DISK = Account("disk", Secret(b"the disk's long secret"))
HASHES = {5: "md5", 6: "sha1", 7: "sha256", 8: "sha3_256"}
FAILURE = LoginStatus.AUTHENTICATION_FAILURE
ERROR = LoginStatus.INITIATOR_ERROR
MISSING = LoginStatus.MISSING_PARAMETER


def response(algorithm: int, identifier: int, secret: bytes, challenge: bytes) -> bytes:
    return hashlib.new(HASHES[algorithm], bytes([identifier]) + secret + challenge).digest()


@attrs.define
class Guarded:
    """A target that wants CHAP, and a peer in the middle of its login."""

    peer: Peer
    keys: Pairs = attrs.field(factory=dict)
    """Those of the last response."""
    transit: bool = False

    def say(self, keys: Pairs, **fields: Any) -> LoginStatus:
        (answer,) = self.peer.send(
            login_request(keys, **{"csg": SECURITY, "nsg": OPERATIONAL, "transit": False, **fields})
        )
        self.keys = dict(decode(bytes(answer.data)))
        self.transit = answer.transit
        return status(answer)

    def begin(self, algorithms: str = "5", **keys: str) -> LoginStatus:
        """Go on until the challenge is there."""
        assert self.say(leading_keys(AuthMethod="CHAP", **keys)) is LoginStatus.SUCCESS
        assert self.keys["AuthMethod"] == "CHAP"
        return self.say({"CHAP_A": algorithms})

    def proof(self, account: Account = ALICE, secret: Secret | None = None) -> Pairs:
        made = response(
            int(self.keys["CHAP_A"]),
            int(self.keys["CHAP_I"]),
            (secret or account.secret).value,
            decode_binary(self.keys["CHAP_C"], 1024),
        )
        return {"CHAP_N": account.name, "CHAP_R": encode_binary(made)}

    @property
    def remark(self) -> str:
        return str(self.peer.connection.remarks[-1])


def authentication(**settings: Any) -> Authentication:
    numbers = count(7)
    challenges = Challenges(lambda length: next(numbers).to_bytes(length, "big"))
    return Authentication(**{"accounts": (ALICE,), "challenges": challenges, **settings})


def guard(gate: Gate | None = None, **settings: Any) -> Guarded:
    if gate is None:
        gate = Gate(Offer(auth_methods=("CHAP",)))
        gate.target.authentication = authentication(**settings)
    return Guarded(connect(gate))
