"""CH: targets that do what CHAP does not allow (RFC 7143 sections 9.2.1 and 12.1.3)."""

from __future__ import annotations

from collections.abc import Callable

from trioscsi.conformance.bench.chap import binary, challenged, proven
from trioscsi.conformance.bench.faults import saying
from trioscsi.conformance.bench.link import Link, Silence
from trioscsi.conformance.bench.logins import Keys, demand_end, each_login, pairs_of, said
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import LoginRequest, LoginResponse
from trioscsi.text import Stage, decode_number, encode_binary
from trioscsi.text.rules import REJECT

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_STEP = Rule("7143-9.2-1")
_OFFERED = Rule("7143-6.2.1-3")
_PROOF = Rule("7143-12.1.3-6")
_REFLECTION = Rule("7143-9.2.1-3")
_SAME_SECRET = Rule("7143-9.2.1-4")
_FAILED = Rule("7143-7.12-1")

_TOO_LONG = 1025
_ALGORITHMS = (6, 7, 8, 5, 9)
"""Those that there are, and one that there is not."""


@scenario(
    "CH-06",
    "A challenge of more than 1024 bytes ends the login.",
    _STEP,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-patient",),
    unh=("CHAP 3.3",),
)
async def challenge_too_long(play: Play) -> None:
    step = await challenged(play)
    await step.send({"CHAP_C": encode_binary(bytes(range(256)) * 4 + b"!")})
    await play.expect_end(step.link, f"a challenge of {_TOO_LONG} bytes is answered")


@scenario(
    "CH-07",
    "An algorithm that was not offered ends the login.",
    _OFFERED,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-led-astray",),
    unh=("CHAP 1.2.1",),
)
async def another_algorithm(play: Play) -> None:
    step = await challenged(play)
    offered = dict(said(step.link)).get("CHAP_A", "").split(",")
    algorithm = next(each for each in _ALGORITHMS if str(each) not in offered)
    await step.send({"CHAP_A": str(algorithm)})
    await play.expect_end(step.link, f"it goes on with algorithm {algorithm}")


_WRONG_STEPS: tuple[Keys, ...] = (
    {"CHAP_I": None},
    {"CHAP_A": None},
    {"CHAP_A": "five"},
    {"CHAP_I": "256"},
    {"CHAP_C": "0x"},
    {"CHAP_A": None, "CHAP_I": None, "CHAP_C": None, "CHAP_N": "stage", "CHAP_R": "0x00"},
)


@scenario(
    "CH-08",
    "A challenge that is none, or a step out of turn, ends the login.",
    _STEP,
    Drive.LOGINS,
    needs=[Ability.CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-any-step",),
    unh=("CHAP 1.2.2", "CHAP 1.3", "CHAP 2.2", "CHAP 2.3", "CHAP 3.4", "CHAP 3.5", "CHAP 4.5"),
)
async def wrong_steps(play: Play) -> None:
    async def with_keys(keys: Keys, link: Link) -> None:
        step = await challenged(play, link)
        await step.send(keys)
        shown = ", ".join(
            f"{name}={value}" if value is not None else f"no {name}" for name, value in keys.items()
        )
        await demand_end(play, link, f"it goes on after {shown}")

    await each_login(play, _WRONG_STEPS, with_keys)


def _flipped(proof: bytes) -> str:
    return encode_binary(bytes((proof[0] ^ 1, *proof[1:])))


def _too_long(proof: bytes) -> str:
    return encode_binary(proof + b"!")


def _too_short(proof: bytes) -> str:
    return encode_binary(proof[:-1])


_PROOFS: tuple[Callable[[bytes], str] | str, ...] = (
    _flipped,
    _too_short,
    _too_long,
    "",
    "t" * 256,
)
"""What is wrong with a proof; strings are names, "" the initiator's own."""


@scenario(
    "CH-10",
    "A target that does not prove itself is left.",
    _PROOF,
    Drive.LOGINS,
    needs=[Ability.MUTUAL_CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-trusting",),
    unh=("CHAP 4.4", "CHAP 4.6", "CHAP 5.1", "CHAP 5.2", "CHAP 5.3"),
)
async def wrong_proof(play: Play) -> None:
    async def with_proof(damage: Callable[[bytes], str] | str, link: Link) -> None:
        _, response = await proven(play, link)
        if isinstance(damage, str):
            # Nothing says that the initiator has to know the target's name.
            name = damage or dict(said(link))["CHAP_N"]
            await link.forward(response, data=saying({"CHAP_N": name})(response))
            play.inform(await link.is_ended(within=3), f"it takes a proof of {name[:16]}")
            await link.close()
            return
        proof = binary(dict(pairs_of(bytes(response.data)))["CHAP_R"])
        wrong = damage(proof)
        await link.forward(response, data=saying({"CHAP_R": wrong})(response))
        await demand_end(play, link, f"it takes the proof {wrong}")

    await each_login(play, _PROOFS, with_proof)


@scenario(
    "CH-11",
    "A target that leaves its proof out is left.",
    _PROOF,
    Drive.LOGIN,
    needs=[Ability.MUTUAL_CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-unproven",),
)
async def no_proof(play: Play) -> None:
    step, response = await proven(play)
    keys = {"CHAP_N": None, "CHAP_R": None}
    request = next(pdu for pdu in reversed(step.link.heard) if isinstance(pdu, LoginRequest))
    nsg = request.nsg if request.transit else 0
    data = saying(keys)(response)
    await step.link.forward(response, data=data, transit=request.transit, nsg=nsg)
    await play.expect_end(step.link, "it goes on with a target that has proven nothing")


@scenario(
    "CH-12",
    "A challenge that the initiator waits for is not answered on another connection.",
    _REFLECTION,
    Drive.TWO_SESSIONS,
    needs=[Ability.MUTUAL_CHAP, Ability.ONE_NODE],
    stimulus=Stimulus.BREACH,
    mutants=("chap-reflected",),
    unh=("CHAP 2.5", "CHAP 3.6.1", "CHAP 3.6.3", "CHAP 3.8"),
)
async def reflection(play: Play) -> None:
    first, response = await proven(play)
    challenge = dict(said(first.link))["CHAP_C"]
    waits = True
    try:
        other = await play.connection(within=5)
    except Silence:
        # Who makes one login at a time waits for this challenge no more when it comes back.
        await first.link.forward(response)
        other, waits = await play.connection(), False
    step = await challenged(play, other)
    await step.send({"CHAP_C": challenge})
    judge = play.check if waits else play.inform
    judge(await step.link.is_ended(), "it answers its own challenge")
    if waits:
        await first.link.close()


@scenario(
    "CH-13",
    "A target that proves itself by the initiator's secret is left.",
    _SAME_SECRET,
    Drive.LOGIN,
    needs=[Ability.MUTUAL_CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-trusting",),
)
async def same_secret(play: Play) -> None:
    step, response = await proven(play)
    keys = dict(said(step.link))
    proof = step.proof(decode_number(keys["CHAP_I"]), binary(keys["CHAP_C"]))
    data = saying({"CHAP_R": encode_binary(proof)})(response)
    await step.link.forward(response, data=data)
    await play.expect_end(step.link, "it takes its own secret for the target's")


@scenario(
    "CH-15",
    "An initiator that wants a proof does not go on without authentication.",
    _OFFERED,
    Drive.LOGIN,
    needs=[Ability.MUTUAL_CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-none-taken",),
    unh=("Login 7.3",),
)
async def without_authentication(play: Play) -> None:
    link, response = await _choice(play)
    if "None" in dict(said(link)).get("AuthMethod", "").split(","):
        await link.forward(response)
        raise NotExercised("it offers to go without")
    await link.forward(response, data=saying({"AuthMethod": "None"})(response))
    await play.expect_end(link, "it goes on without authentication")


@scenario(
    "CH-18",
    "A target that rejects all authentication methods is left.",
    _FAILED,
    Drive.LOGIN,
    needs=[Ability.CHAP],
    stimulus=Stimulus.BREACH,
    mutants=("chap-rejected",),
)
async def methods_rejected(play: Play) -> None:
    link, response = await _choice(play)
    await link.forward(response, data=saying({"AuthMethod": REJECT})(response))
    await play.expect_end(link, "it goes on without a method")


async def _choice(play: Play) -> tuple[Link, LoginResponse]:
    """The response that chooses an authentication method."""
    link = await play.connection()
    response = await link.take(LoginResponse)
    if response.csg != Stage.SECURITY or b"AuthMethod=" not in bytes(response.data):
        await link.forward(response)
        raise NotExercised("it does not propose authentication methods")
    return link, response
