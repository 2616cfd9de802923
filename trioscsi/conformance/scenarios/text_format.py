"""NG: text as it may be, and as it may not, and unknown keys (RFC 7143 sections 6.1 and 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.logins import Held, each_login, expect_use, hold
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.traffic import alter_logins
from trioscsi.conformance.drivers.driver import Ending, How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import LoginRequest
from trioscsi.text import encode
from trioscsi.text.rules import NOT_UNDERSTOOD

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_UNKNOWN = Rule("7143-6.2-6")
_AS_PRINTED = Rule("7143-6.1-3", Level.NOTE)
_NUMBERS = Rule("7143-6.1-4")
_ROOM = Rule("7143-6.1-5")
_MUCH_ROOM = Rule("7143-6.1-6")
_LENGTHS = Rule("7143-6.1-7")
_ODD = Rule("7143-6.1-1", Level.NOTE)
_ALIAS = Rule("7143-13.6-1")

_PRIVATE = "X-com.example.bench"
_VALUE = 255
"""Bytes of the longest value."""
_KEY = 63
_TEXT = 8192
_SHORT = 4096
_KEYS = 32
"""Keys that share out a text among them, with less than 255 bytes for each value."""
_MUCH = 65_536


async def _unknown_key(play: Play, keys: Mapping[str, str]) -> None:
    """Say keys that nobody knows: each has to be answered, and the login goes on."""
    held = await hold(play)
    answers = await held.propose(keys)
    for name in keys:
        said = answers.get(name, "")
        play.check(said == NOT_UNDERSTOOD, f"{name[:_KEY]} is answered with {said or 'nothing'}")
    await held.finish()
    await expect_use(play, held.link, "the login fails")
    await play.ending()


@scenario(
    "NG-01",
    "A private key that is not known is answered with NotUnderstood, and the login goes on.",
    _UNKNOWN,
    Drive.LOGIN,
    mutants=("key-private-ignored",),
    unh=("Login 7.6",),
)
async def private_key(play: Play) -> None:
    await _unknown_key(play, {_PRIVATE: "1"})


@scenario(
    "NG-02",
    "A key that looks like one of the standard is answered with NotUnderstood, too.",
    _UNKNOWN,
    Drive.LOGIN,
    mutants=("key-public-ignored", "key-public-accepted"),
)
async def unknown_public_key(play: Play) -> None:
    await _unknown_key(play, {"BenchDepth": "3"})


@scenario(
    "NG-13",
    "A boolean in another case is not taken for No.",
    _AS_PRINTED,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    limits={"segment": _SHORT},
    initiator={"initial_r2t": False},
    mutants=("keys-any-case",),
    unh=("Login 13.3",),
)
async def boolean_in_another_case(play: Play) -> None:
    # Without an answer that counts the default is Yes: what follows unasked is taken from "no".
    traffic = alter_logins(
        play, lambda said: {"InitialR2T": "no"} if said.get("InitialR2T") == "No" else None
    )
    await traffic.watch()
    traffic.check(traffic.burst <= traffic.immediate, "data follow unasked")


@scenario(
    "NG-14",
    "Numbers are the same in decimal and in hexadecimal, with 0x and with 0X.",
    _NUMBERS,
    Drive.WRITE,
    limits={"segment": _SHORT},
    target={"first_burst_length": _SHORT, "max_burst_length": 4 * _SHORT},
    mutants=("key-no-hexadecimal",),
)
async def hexadecimal_numbers(play: Play) -> None:
    wrong = await _what_is_wrong(play, _in_hexadecimal, within=15)
    # Who fails with the same numbers in decimal as well has another reason for it.
    if wrong:
        await play.once_more()
        otherwise = await _what_is_wrong(play, lambda _: None, within=7)
        if otherwise:
            raise NotExercised(f"with decimal numbers as well, {otherwise}")
    play.check(not wrong, f"{wrong}, unlike with decimal numbers")


def _in_hexadecimal(said: Mapping[str, str]) -> Mapping[str, str] | None:
    keys = {"FirstBurstLength": f"0X{_SHORT:X}", "MaxBurstLength": f"0X{4 * _SHORT:X}"}
    keys = {name: value for name, value in keys.items() if name in said}
    return {"MaxRecvDataSegmentLength": f"{_SHORT:#x}", **keys} if keys else None


async def _what_is_wrong(
    play: Play, change: Callable[[Mapping[str, str]], Mapping[str, str] | None], within: float
) -> str:
    """What is, when the initiator writes and its logins are changed like this; "" is nothing."""
    traffic = alter_logins(play, change)
    ending = await play.ended(within)
    if ending.how is How.UNKNOWN:
        raise NotExercised(f"it {ending}")
    if traffic.segment > _SHORT:
        return f"a segment of {traffic.segment} bytes"
    if traffic.burst > _SHORT:
        return f"{traffic.burst} bytes unasked"
    if ending.how is not How.DONE:
        return f"it cannot use the session ({ending})"
    if not traffic.writes:
        raise NotExercised("it writes nothing")
    return ""


async def _after_unknown_key(play: Play) -> Held:
    """The second login of an initiator that bears a key which it does not know in its first.

    NotExercised otherwise: NG-01 is about that.
    """
    held = await hold(play)
    await held.say({_PRIVATE: "1"}, transit=False)
    try:
        held.request = await held.link.take(LoginRequest, within=5)
    except (Left, Silence):
        raise NotExercised("a key that it does not know ends its login") from None
    await held.finish()
    play.leave(held.link)
    return await hold(play)


_BAD_TEXTS = (b"X-com.example.a=1", b"\0\0", b"=1\0", b"X-com.example.a\0", b"\xff\xfe=1\0")


async def _survived(play: Play) -> Ending:
    """Whether the initiator lives on, whatever it makes of the text."""
    ending = await play.ending(within=75)
    play.inform(ending.survived, f"it {ending}")
    return ending


@scenario(
    "NG-15",
    "Text that is not well-formed does no harm.",
    _ODD,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    limit=90,
)
async def bad_text(play: Play) -> None:
    async def with_text(text: bytes, link: Link) -> None:
        held = await hold(play, link)
        await held.finish(data=bytes(held.response.data) + text)
        await link.run_for(2)
        await link.close()

    await each_login(play, _BAD_TEXTS, with_text)
    await _survived(play)


@scenario(
    "NG-16",
    "There is room for a text of 8192 bytes.",
    _ROOM,
    Drive.LOGINS,
    mutants=("key-short-memory",),
)
async def long_text(play: Play) -> None:
    held = await _after_unknown_key(play)
    text = bytes(held.response.data)
    names = {f"{_PRIVATE}.{number:02}" for number in range(_KEYS)}
    share, more = divmod(_TEXT - len(text), _KEYS)
    for number, name in enumerate(sorted(names)):
        length = share + (more if not number else 0)
        text += encode([(name, "v" * (length - len(name) - 2))])
    assert len(text) == _TEXT
    await held.say(data=text, transit=False)
    answers = await held.hear("it does not take 8192 bytes")
    missing = names - answers.keys()
    play.check(missing in (set(), names), "it has read a part of the text alone")
    await held.finish(data=b"")
    await expect_use(play, held.link, "the login fails")
    await play.ending()


@scenario(
    "NG-17",
    "With a method that needs it, there is room for items of 64 KiB.",
    _MUCH_ROOM,
    Drive.LOGIN,
    needs=[Ability.LONG_ITEMS],
)
async def long_items(play: Play) -> None:
    raise NotExercised("no initiator here authenticates itself by KRB5 or SRP")


@scenario(
    "NG-18",
    "A key may have 63 characters, and a value 255 bytes.",
    _LENGTHS,
    Drive.LOGINS,
    mutants=("key-short-names",),
)
async def longest_key(play: Play) -> None:
    name = _PRIVATE.ljust(_KEY, "n")
    held = await _after_unknown_key(play)
    answers = await held.propose({name: "v" * _VALUE}, "the key ends the login")
    cut = [each for each in answers if each != name and name.startswith(each)]
    play.check(not cut, f"{', '.join(cut)} is answered instead")
    await held.finish()
    await expect_use(play, held.link, "the key ends the login")
    await play.ending()


@scenario(
    "NG-19",
    "Keys and values that are too long do no harm.",
    _ODD,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    limit=90,
)
async def too_long(play: Play) -> None:
    async def with_pair(pair: tuple[str, str], link: Link) -> None:
        held = await hold(play, link)
        await held.finish(data=bytes(held.response.data) + encode([pair]))
        await link.run_for(2)
        await link.close()

    alias = ("TargetAlias", "a" * (_VALUE + 1))
    pairs = (alias, (_PRIVATE.ljust(_KEY + 1, "n"), "1"), (_PRIVATE.ljust(2000, "n"), "v" * 4000))
    await each_login(play, pairs, with_pair)
    await _survived(play)


@scenario(
    "NG-20",
    "An alias may have any characters.",
    _ALIAS,
    Drive.LOGIN,
    mutants=("key-ascii",),
)
async def alias_in_utf_8(play: Play) -> None:
    held = await hold(play)
    await held.finish({"TargetAlias": "Büchergestell 本棚"})
    await expect_use(play, held.link, "the alias ends the login")
    await play.ending()
