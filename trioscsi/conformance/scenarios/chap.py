"""CH: how initiators authenticate themselves by CHAP (RFC 7143 sections 9.2.1 and 12.1.3)."""

from __future__ import annotations

from contextlib import suppress

from trioscsi.conformance.bench.chap import binary, challenged, proven
from trioscsi.conformance.bench.link import Left, Link
from trioscsi.conformance.bench.logins import (
    each_login,
    expect_use,
    pairs_of,
    refuse,
    said,
)
from trioscsi.conformance.bench.play import NotExercised, Play, Stop
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import LoginRequest, LoginStatus
from trioscsi.text import Stage, encode, encode_binary

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_MD5 = Rule("7143-12.1.3-1")
_FIRST_STEP = Rule("7143-12.1-1")
_RESPONSE = Rule("7143-12.1.3-2")
_BINARY = Rule("7143-6.1-8")
_OWN_CHALLENGE = Rule("7143-9.2.1-1")
_WHOLE_STEPS = Rule("7143-12.1.3-5")
_NEW_CHALLENGES = Rule("7143-12.1.3-3")
_LONG_SECRETS = Rule("7143-9.2.1-2", Level.SHOULD)
_LENGTHS = Rule("7143-6.1-7")

_OTHER_SECRET = "secret-of-the-stage"
_SEED = b"0123456789abcdef"


@scenario(
    "CH-01",
    "An initiator with a secret offers CHAP, and MD5 among its algorithms.",
    _MD5,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    mutants=("chap-no-md5", "chap-unknown"),
    unh=("Login 22.1", "CHAP 1.1"),
)
async def offers_md5(play: Play) -> None:
    link = await play.connection()
    request = await link.see(LoginRequest, where=lambda pdu: b"CHAP_A=" in bytes(pdu.data))
    keys = dict(said(link))
    play.check("CHAP" in keys.get("AuthMethod", "").split(","), "it does not offer CHAP")
    algorithms = dict(pairs_of(bytes(request.data)))["CHAP_A"].split(",")
    play.check("5" in algorithms, f"algorithms {', '.join(algorithms)}")
    await play.ending()


@scenario(
    "CH-02",
    "When the target proposes CHAP, the answer brings the algorithms with it.",
    _FIRST_STEP,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    initiator={"reticent": frozenset({"AuthMethod"})},
    mutants=("chap-late",),
)
async def led_by_the_target(play: Play) -> None:
    link = await play.connection()
    request = await link.take(LoginRequest)
    if request.csg != Stage.SECURITY or b"AuthMethod=" in bytes(request.data):
        await link.forward(request)
        raise NotExercised("it proposes authentication methods by itself")
    keys = encode([("TargetPortalGroupTag", "1"), ("AuthMethod", "CHAP")])
    await link.answer(request, transit=False, data=keys)
    answer = await play.expect(link, LoginRequest, breach="the login does not go on")
    answers = dict(pairs_of(bytes(answer.data)))
    play.check(answers.get("AuthMethod") == "CHAP", "CHAP is not chosen")
    play.check("CHAP_A" in answers, "the algorithms are missing")
    await refuse(link, answer, LoginStatus.SERVICE_UNAVAILABLE)


async def _responds(
    play: Play, link: Link, identifier: int, text: str, challenge: bytes, what: str = ""
) -> None:
    """Send another challenge, and judge the response to it; the login goes on."""
    what = what or f"{len(challenge)} bytes"
    step = await challenged(play, link)
    await step.send({"CHAP_I": str(identifier), "CHAP_C": text})
    request = await step.answer(f"a challenge of {what} is not answered")
    keys = dict(pairs_of(bytes(request.data)))
    play.check(keys.get("CHAP_N"), "the response comes without a name", _WHOLE_STEPS)
    response = binary(keys.get("CHAP_R", ""))
    right = response == step.proof(identifier, challenge)
    if not play.check(right, f"a wrong response to a challenge of {what}"):
        raise Stop
    await step.correct(request)
    await expect_use(play, link, "the login fails")


@scenario(
    "CH-03",
    "Any identifier, and a challenge of any length, is answered rightly.",
    _RESPONSE,
    Drive.LOGINS,
    needs=[Ability.CHAP],
    mutants=("chap-wrong-response", "chap-short-challenges", "chap-no-name", "chap-led"),
    unh=("CHAP 2.1", "CHAP 3.1", "CHAP 3.2"),
)
async def any_challenge(play: Play) -> None:
    async def with_challenge(how: tuple[int, int], link: Link) -> None:
        identifier, length = how
        challenge = (_SEED * 64)[-length:] if identifier else bytes(length)
        await _responds(play, link, identifier, encode_binary(challenge), challenge)
        play.leave(link)

    await each_login(play, ((255, 1024), (0, 16), (1, 1), (1, 1023)), with_challenge)


@scenario(
    "CH-04",
    "A challenge in base64 is answered as one in hexadecimal is.",
    _BINARY,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    mutants=("chap-no-base64",),
)
async def base64(play: Play) -> None:
    link = await play.connection()
    challenge = _SEED + b"!"
    await _responds(play, link, 77, encode_binary(challenge, base64=True), challenge)
    await play.ending()


@scenario(
    "CH-05",
    "Hexadecimal digits may be upper case, and odd in number.",
    _BINARY,
    Drive.LOGINS,
    needs=[Ability.CHAP],
    mutants=("chap-lower-case", "chap-even"),
)
async def digits_of_any_form(play: Play) -> None:
    async def in_form(upper: bool, link: Link) -> None:
        challenge = bytes([10 + upper]) + _SEED[::-1] + b"\xab\xcd"
        digits = challenge.hex()
        text = f"0X{digits.upper()}" if upper else f"0x{digits.removeprefix('0')}"
        what = "digits in upper case" if upper else "an odd number of digits"
        with suppress(Stop):  # the other one may be answered
            await _responds(play, link, 78, text, challenge, what)
        play.leave(link)

    await each_login(play, (True, False), in_form)


@scenario(
    "CH-09",
    "A target that proves itself is taken, and is not challenged by its own challenge.",
    _OWN_CHALLENGE,
    Drive.LOGIN,
    needs=[Ability.MUTUAL_CHAP],
    target={"mutual_chap": ("t", _OTHER_SECRET)},
    mutants=("chap-mirror",),
    unh=("CHAP 3.7", "CHAP 4.1", "CHAP 4.3", "CHAP 4.8"),
)
async def both_prove_themselves(play: Play) -> None:
    step = await challenged(play)
    await step.send()
    request = await step.answer()
    keys = dict(pairs_of(bytes(request.data)))
    if "CHAP_C" not in keys:
        await step.link.forward(request)
        raise NotExercised("it does not ask the target to prove itself")
    play.check(binary(keys["CHAP_C"]) != step.challenge, "it sends the target's challenge back")
    await step.link.forward(request)
    await expect_use(play, step.link, "the login fails")
    await play.ending()


@scenario(
    "CH-14",
    "A secret of less than 96 bits is not used where others may listen.",
    _LONG_SECRETS,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    target={"chap": ("bench", "short")},
    mutants=("chap-short-secret",),
)
async def short_secret(play: Play) -> None:
    step = await challenged(play)
    await step.send()
    try:
        request = await step.link.take(LoginRequest, within=5)
        answered = b"CHAP_R=" in bytes(request.data)
        await step.link.forward(request)
    except Left:
        answered = False
    play.check(not answered, "it responds with a secret of 40 bits")
    await play.ending()


@scenario(
    "CH-16",
    "The challenges of an initiator do not repeat.",
    _NEW_CHALLENGES,
    Drive.LOGINS,
    needs=[Ability.MUTUAL_CHAP],
    target={"mutual_chap": ("bench", _OTHER_SECRET)},
    mutants=("chap-stale",),
    limit=150,
    unh=("CHAP 2.4", "CHAP 2.6", "CHAP 3.6.2", "CHAP 3.6.4", "CHAP 4.7"),
)
async def challenges_are_new(play: Play) -> None:
    challenges: list[bytes] = []
    identifiers: list[str] = []

    async def seen(_: int, link: Link) -> None:
        request = await link.see(LoginRequest, where=lambda pdu: b"CHAP_R=" in bytes(pdu.data))
        keys = dict(pairs_of(bytes(request.data)))
        if "CHAP_C" not in keys:
            raise NotExercised("it does not ask the target to prove itself")
        challenges.append(binary(keys["CHAP_C"]))
        identifiers.append(keys.get("CHAP_I", ""))
        await link.rest()

    await each_login(play, range(20), seen, at_least=2)
    play.check(len(set(challenges)) == len(challenges), "a challenge comes twice")
    play.inform(len(set(identifiers)) > 1, f"all identifiers are {identifiers[0]}")


@scenario(
    "CH-17",
    "The name of the target may have 255 bytes.",
    _LENGTHS,
    Drive.LOGIN,
    needs=[Ability.MUTUAL_CHAP],
    target={"mutual_chap": ("t" * 255, _OTHER_SECRET)},
    mutants=("chap-short-names",),
    unh=("CHAP 4.2",),
)
async def long_name(play: Play) -> None:
    step, response = await proven(play)
    await step.link.forward(response)
    await expect_use(play, step.link, "the name ends the login")
    await play.ending()
