from __future__ import annotations

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.levels import log_in_instead, proposed, session_at, take_beside
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenario
from trioscsi.pdu import LoginRequest, ScsiCommand
from trioscsi.text import encode

_RULE = Rule("7143-7.1.5-1")


def outcome_of(act, drive: Drive = Drive.READ, **offer: int):
    return played(
        Scenario(
            id="XX-01", says="It recovers.", rule=_RULE, drive=drive, act=act, initiator=offer
        )
    )  # fmt: skip


class OnPaper:
    """As much of a link as a login needs."""

    def __init__(self, *texts: bytes) -> None:
        self.heard = [LoginRequest(data=text) for text in texts]


def test_what_was_proposed_is_read_from_all_requests_of_a_login():
    link = OnPaper(encode([("A", "1")]), encode([("B", "2"), ("A", "3")]), b"no text")
    assert proposed(link) == {"A": "3", "B": "2"}  # type: ignore[arg-type]


def test_a_level_is_agreed_that_the_target_has_not():
    async def act(play: Play) -> None:
        link = await session_at(play, 1)
        play.check(link.parameters.error_recovery_level == 1, "another level")

    assert outcome_of(act, error_recovery_level=2).verdict is Verdict.PASS


def test_a_level_that_is_not_offered_cannot_be_played():
    async def act(play: Play) -> None:
        await session_at(play, 1)

    outcome = outcome_of(act)
    assert outcome.says == "error recovery level 1 was not agreed"
    assert outcome.verdict is Verdict.NOT_EXERCISED


def test_one_connection_goes_on_while_the_other_is_listened_to():
    async def act(play: Play) -> None:
        first = await play.session()
        second = await play.session()
        command = await take_beside(second, first, ScsiCommand)
        play.check(second.is_open and first.is_open, "one is gone")
        await second.forward(command)

    assert outcome_of(act, Drive.TWO_SESSIONS).verdict is Verdict.PASS


def test_a_login_is_answered_to_its_end_without_the_target():
    async def act(play: Play) -> None:
        link = await play.connection()
        request = await link.take(LoginRequest)
        await log_in_instead(link, request, tsih=77)
        session = link.known.session
        play.check(session is not None and session.tsih == 77, "another session")
        await link.take(ScsiCommand)
        await link.reset()

    scenario = Scenario(
        id="XX-01", says="It logs in.", rule=_RULE, drive=Drive.LOGIN, act=act,
        needs=frozenset[Ability](), breaches=frozenset({"7143-6.3-1"}),
    )  # fmt: skip
    assert played(scenario).verdict is Verdict.PASS
