from __future__ import annotations

import sys

import pytest

from trioscsi import cli

TABLE = """
[[command]]
opcode = 0x9E
service_action = 0x10
name = "READ CAPACITY(16)"
standard = "SBC-3 5"
length = 16
medium = true
access = "always"
"""
LINE = "| 9E/10 | READ CAPACITY(16) | 16 | SBC-3 5 | started | none |\n"


@pytest.fixture
def trioscsi(monkeypatch, capsys, tmp_path):
    (tmp_path / "opcodes.toml").write_text(TABLE)

    def run(*arguments):
        command = ["trioscsi", "opcodes", "--folder", str(tmp_path), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        try:
            cli.main()
            status = 0
        except SystemExit as error:
            status = error.code or 0
        return status, *capsys.readouterr()

    return run


def test_the_table_is_printed(trioscsi):
    status, output, _ = trioscsi()
    assert status == 0
    assert output.endswith(LINE)


def test_what_is_written_passes_the_check(trioscsi, tmp_path):
    assert trioscsi("--check")[0] == 1
    assert trioscsi("--write") == (0, "", "")
    assert trioscsi("--check") == (0, "", "")
    (tmp_path / "opcodes.toml").write_text(TABLE.replace("0x9E", "0x9F"))
    status, _, complaint = trioscsi("--check")
    assert status == 1
    assert "run trioscsi opcodes --write" in complaint


def test_one_thing_is_done_at_a_time(trioscsi):
    assert trioscsi("--check", "--write")[0] == 2


@pytest.mark.parametrize("table", [None, "not a table"])
def test_without_a_table_there_is_one_line_that_says_so(trioscsi, tmp_path, table):
    (tmp_path / "opcodes.toml").unlink()
    if table is not None:
        (tmp_path / "opcodes.toml").write_text(table)
    status, _, complaint = trioscsi()
    assert status == 1
    assert complaint.startswith(f"trioscsi: no commands in {tmp_path}: ")
    assert ("; go to the sources of trioscsi, or give --folder" in complaint) == (table is None)
    assert complaint.count("\n") == 1
