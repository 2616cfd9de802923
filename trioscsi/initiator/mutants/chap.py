"""CHAP (sections 9.2.1 and 12.1.3): one fault a row."""

from __future__ import annotations

from typing import Any

from trioscsi.initiator.deviations import Deviation, Rule
from trioscsi.initiator.mutants.rows import brings, choking, key, mirror, row


def _has_odd_digits(pdu: Any) -> bool:
    _, _, challenge = bytes(pdu.data).partition(b"CHAP_C=0x")
    return len(challenge.partition(b"\0")[0]) % 2 == 1


MUTANTS: tuple[Deviation, ...] = (
    row("chap-no-md5", "12.1.3", "offers algorithms without MD5", pair=key("CHAP_A", ("CHAP_A", "6,7"))),
    row("chap-unknown", "12.1.3", "offers an algorithm that there is not", pair=key("CHAP_A", ("CHAP_A", "9"))),
    row("chap-wrong-response", "12.1.3", "does not know the secret", pair=key("CHAP_R", ("CHAP_R", "0x00"))),
    row("chap-decimal", "6.1", "writes a binary value in decimal", pair=key("CHAP_R", ("CHAP_R", "12345678"))),
    row("chap-no-name", "12.1.3", "responds without its name", pair=key("CHAP_N")),
    row("chap-identifier", "12.1.3", "has an identifier of more than a byte", pair=key("CHAP_I", ("CHAP_I", "256"))),
    row("chap-long-challenge", "12.1.3", "challenges with more than 1024 bytes", pair=key("CHAP_C", ("CHAP_C", "0x" + "5a" * 1025))),
    row("chap-trusting", "9.2.1", "goes on with a target that has proven nothing", Rule.CHECK_PROOF),
    row("chap-reflected", "9.2.1", "answers its own challenge", Rule.FRESH_CHALLENGE),
    row("chap-led", "12.1.3", "uses an algorithm that it has not offered", Rule.OFFERED_ALGORITHM),
    row("chap-patient", "12.1.3", "answers a challenge that is too long", Rule.CHALLENGE_LENGTH),
    row("chap-rejected", "7.12", "goes on without the authentication that was rejected", Rule.AGREED_METHOD),
    row("chap-unproven", "12.1.3", "goes on with a target that has left its proof out", Rule.PROVEN_TARGET),
    row("chap-any-step", "12.1.3", "answers a challenge without an identifier", Rule.CHAP_STEPS),
    row("chap-short-secret", "9.2.1", "uses a secret of less than 96 bits", Rule.LONG_SECRETS),
    row("chap-late", "12.1", "chooses CHAP, and does not say how", pair=key("CHAP_A")),
    row("chap-short-challenges", "12.1.3", "answers no challenge of more than 256 bytes", hears=choking(lambda pdu: len(pdu.data) > 1024)),
    row("chap-no-base64", "6.1", "reads no base64", hears=choking(brings("CHAP_C=0b"))),
    row("chap-even", "6.1", "reads no binary value of an odd number of digits", hears=choking(_has_odd_digits)),
    row("chap-lower-case", "6.1", "reads no digits in upper case", hears=choking(brings("CHAP_C=0X"))),
    row("chap-mirror", "9.2.1", "sends the target's challenge back as its own", mirror),
    row("chap-stale", "12.1.3", "has one challenge for all targets", pair=key("CHAP_C", ("CHAP_C", "0x" + "5a" * 16))),
    row("chap-short-names", "6.1", "takes no long names", hears=choking(brings("t" * 64))),
    row("chap-led-astray", "12.1.3", "goes on with algorithms that it has left out", pair=key("CHAP_A", ("CHAP_A", "5"))),
    row("chap-none-taken", "12.1", "goes on without authentication", frozenset({Rule.ADMISSIBLE_VALUES, Rule.AGREED_METHOD, Rule.PROVEN_TARGET})),
)  # fmt: skip
