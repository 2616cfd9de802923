"""key=value negotiation; knows no PDU (RFC 7143 chapters 6, 12 and 13)."""

from trioscsi.text.codec import (
    Collector,
    Pair,
    decode,
    decode_binary,
    decode_number,
    encode,
    encode_binary,
    split,
)
from trioscsi.text.key import Key, SessionType, Side, Stage
from trioscsi.text.keys import KEYS
from trioscsi.text.negotiation import Negotiation
from trioscsi.text.offer import Offer
from trioscsi.text.parameters import Parameters
from trioscsi.text.rules import Breach, parse
from trioscsi.text.states import KeyState

__all__ = [
    "KEYS",
    "Breach",
    "Collector",
    "Key",
    "KeyState",
    "Negotiation",
    "Offer",
    "Pair",
    "Parameters",
    "SessionType",
    "Side",
    "Stage",
    "decode",
    "decode_binary",
    "decode_number",
    "encode",
    "encode_binary",
    "parse",
    "split",
]
