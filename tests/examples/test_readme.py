"""What the README shows is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from tests.teaching.conversation import Conversation
from trioscsi import Target
from trioscsi.cli import commands

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_its_program_serves_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets: list[Target] = []
    monkeypatch.setattr(trio, "run", lambda serve: targets.append(serve.__self__))
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})
    units = targets[0].performer.target.units
    assert [unit.blocks * unit.block_size for unit in units.values()] == [100 << 20, 10 << 30]


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("path", re.findall(r"python (examples/\w+\.py)", README))
def test_its_examples_are_there(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("command", re.findall(r"`trioscsi (draw [^`]*)`", README))
def test_its_pictures_can_be_drawn(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Conversation()
    talk.log_in()
    (tmp_path / "trace.pcapng").write_bytes(talk.capture)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(commands, shlex.split(command)).exit_code == 0
