from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.teaching.conversation import OWN, PEER
from trioscsi.cli.onlookers import stepping, traces
from trioscsi.cli.step import Step, Stepper
from trioscsi.pdu import LoginRequest, LoginResponse, LoginStatus, encode
from trioscsi.server.refusals import ADVICE
from trioscsi.teaching.explainer import Explainer


def test_traces_are_those_that_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    assert traces(None, explain_refusals=False) == []
    assert traces(path, explain_refusals=False) == [path]
    first, explainer = traces(path, explain_refusals=True)
    assert first == path
    assert isinstance(explainer, Explainer)


def test_explanations_go_to_standard_error_with_advice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (explainer,) = traces(None, explain_refusals=True)
    assert isinstance(explainer, Explainer)
    tap = explainer.connect(PEER, OWN, OWN)
    tap.received(*encode(LoginRequest()))
    answer = b"".join(encode(LoginResponse(status_class=2, status_detail=3)))
    tap.sent([answer], len(answer))
    shown, explained = capsys.readouterr()
    assert shown == ""
    assert f"advice  {ADVICE[LoginStatus.NOT_FOUND]}" in explained


def test_without_steps_nothing_is_opened() -> None:
    with stepping(wanted=False) as gate:
        assert gate is None


async def test_steps_take_keys_from_standard_input_and_stop_as_a_signal_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    path.write_text("q\n")
    with path.open() as keys, trio.open_signal_receiver(signal.SIGTERM) as signals:
        monkeypatch.setattr("sys.stdin", keys)
        with stepping(wanted=True) as gate:
            assert isinstance(gate, Stepper)
            step = gate.connect(PEER, OWN, OWN)
            assert isinstance(step, Step)
            step.received(*encode(LoginRequest()))
            await step.wait()
        with trio.fail_after(5):
            assert await anext(signals) == signal.SIGTERM
    assert "-->  Login Request" in capsys.readouterr().out


async def test_a_reader_that_has_gone_harms_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w") as broken:  # noqa: ASYNC230, PTH123 - a pipe has no path
        broken.reconfigure(line_buffering=True)
        monkeypatch.setattr("sys.stdout", broken)
        monkeypatch.setattr("sys.stdin", None)
        with stepping(wanted=True) as gate:
            assert gate is not None
            step = gate.connect(PEER, OWN, OWN)
            step.received(*encode(LoginRequest()))
            await step.wait()
            assert not step.holds()
        monkeypatch.undo()
        with suppress(BrokenPipeError):
            broken.close()
