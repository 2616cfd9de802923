from __future__ import annotations

import os
import sys

import pytest

from tests.teaching.conversation import OWN, Conversation
from trioscsi import cli
from trioscsi.machines import MACHINES
from trioscsi.pdu import LoginRequest, encode
from trioscsi.teaching import diagrams, header


@pytest.fixture
def trioscsi(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["trioscsi", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as error:
            status = error.code or 0
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("form", diagrams.FORMATS)
def test_a_machine_is_drawn_to_standard_output(trioscsi, form):
    drawn = diagrams.draw(MACHINES["cleanup"], form)
    assert trioscsi("draw", "cleanup", "--format", form) == (0, drawn, "")


def test_a_machine_is_drawn_to_a_file(trioscsi, tmp_path):
    file = tmp_path / "login.svg"
    assert trioscsi("draw", "initiator.login", "--output", file) == (0, "", "")
    assert file.read_text() == diagrams.svg(MACHINES["initiator.login"])


def test_where_there_are_no_diagrams_one_line_says_so(trioscsi, tmp_path):
    folder = tmp_path / "specs"
    complaint = f"there is no {folder} here: go to the sources of trioscsi, or give --folder"
    assert trioscsi("draw", "--check", "--folder", folder) == (1, "", f"trioscsi: {complaint}\n")


def test_what_is_written_passes_the_check(trioscsi, tmp_path, monkeypatch):
    few = {name: MACHINES[name] for name in ("cleanup", "task")}
    monkeypatch.setattr(diagrams, "MACHINES", few)
    folder = tmp_path / "diagrams"
    assert trioscsi("draw", "--write", "--folder", folder) == (0, "", "")
    assert trioscsi("draw", "--check", "--folder", folder) == (0, "", "")
    (folder / "cleanup.dot").write_text("digraph {}")
    status, _, complaint = trioscsi("draw", "--check", "--folder", folder)
    assert status == 1
    assert "cleanup.dot" in complaint
    assert complaint.count("\n") == 1


def test_of_many_files_that_should_not_be_there_some_are_named(trioscsi, tmp_path):
    for number in range(1000):
        (tmp_path / f"{number:04}.jpeg").touch()
    status, _, complaint = trioscsi("draw", "--check", "--folder", tmp_path)
    assert status == 1
    assert "0009.jpeg and " in complaint
    assert "0010.jpeg" not in complaint


def test_a_diagram_that_cannot_be_read_is_told_in_one_line(trioscsi, tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder / "task.svg"))

    monkeypatch.setattr(diagrams, "different", refuse)
    complaint = f"trioscsi: cannot read {tmp_path / 'task.svg'}: Permission denied\n"
    assert trioscsi("draw", "--check", "--folder", tmp_path) == (1, "", complaint)


def test_a_folder_of_diagrams_may_have_too_long_a_name(trioscsi):
    status, _, complaint = trioscsi("draw", "--check", "--folder", "x" * 300)
    assert (status, complaint) == (1, f"trioscsi: cannot read {'x' * 300}: File name too long\n")


def test_a_machine_that_does_not_exist_is_wrong_usage(trioscsi):
    status, _, complaint = trioscsi("draw", "toaster")
    assert status == 2
    assert complaint.startswith(
        "trioscsi: there is no machine and no capture toaster; machines are connection,"
    )


@pytest.mark.parametrize("arguments", [(), ("--check", "--write"), ("cleanup", "--check")])
def test_one_thing_is_done_at_a_time(trioscsi, arguments):
    status, _, complaint = trioscsi("draw", *arguments)
    assert status == 2
    assert "give one of" in complaint


def test_a_file_that_cannot_be_written_is_a_failure(trioscsi, tmp_path, monkeypatch):
    monkeypatch.setattr(diagrams, "MACHINES", {"cleanup": MACHINES["cleanup"]})
    file = tmp_path / "nowhere" / "cleanup.svg"
    status, _, complaint = trioscsi("draw", "cleanup", "--output", file)
    assert (status, complaint) == (1, f"trioscsi: cannot write {file}: No such file or directory\n")
    (tmp_path / "file").touch()
    status, _, complaint = trioscsi("draw", "--write", "--folder", tmp_path / "file" / "x")
    assert (status, complaint.endswith("/file/x: Not a directory\n")) == (1, True)


def test_the_header_of_a_pdu_is_drawn(trioscsi, tmp_path):
    status, drawing, _ = trioscsi("draw", "--pdu", "login-request")
    assert (status, drawing) == (0, header.text(LoginRequest))
    file = tmp_path / "login.txt"
    assert trioscsi("draw", "--pdu", "login-request", "--output", file) == (0, "", "")
    assert file.read_text() == drawing


@pytest.mark.parametrize("form", header.FORMATS)
def test_a_header_is_drawn_in_each_format_that_can_show_it(trioscsi, form):
    drawn = header.FORMATS[form](LoginRequest)
    assert trioscsi("draw", "--pdu", "login-request", "--format", form) == (0, drawn, "")


@pytest.mark.parametrize(
    ("arguments", "formats"),
    [
        (("cleanup", "--format", "text"), "dot, mermaid, svg"),
        ((__file__, "--format", "dot"), "svg, mermaid"),
    ],
)
def test_not_everything_can_be_drawn_in_each_format(trioscsi, arguments, formats):
    status, _, complaint = trioscsi("draw", *arguments)
    assert status == 2
    assert f"only as {formats}" in complaint


def test_a_pdu_that_does_not_exist_is_wrong_usage(trioscsi):
    status, _, complaint = trioscsi("draw", "--pdu", "toaster")
    assert status == 2
    assert "scsi-command" in complaint


@pytest.fixture
def capture(tmp_path):
    talk = Conversation()
    talk.log_in("HeaderDigest=None")
    other = talk.trace.connect(("192.0.2.3", 1), OWN, OWN)
    other.received(*encode(LoginRequest(itt=77)))
    other.close()
    talk.tap.close()
    path = tmp_path / "trace.pcapng"
    path.write_bytes(talk.capture)
    return path


def test_a_capture_is_drawn_as_a_ladder(trioscsi, capture):
    status, drawing, note = trioscsi("draw", capture)
    assert status == 0
    assert "Login Request, stage 1 to 3" in drawing
    assert note == "trioscsi: drawn is 1 of 2 connections; --connection draws others\n"
    status, drawing, _ = trioscsi("draw", capture, "--format", "mermaid")
    assert (status, drawing.splitlines()[0]) == (0, "sequenceDiagram")


def test_connections_of_a_capture_may_be_chosen(trioscsi, capture):
    _, drawing, _ = trioscsi("draw", capture, "--connection", 2)
    assert "0x0000004d" in drawing
    status, drawing, note = trioscsi("draw", capture, "--connection", 1, "--connection", 2)
    assert (status, note) == (0, "")
    assert "(2) Login Request, stage 0" in drawing
    status, _, complaint = trioscsi("draw", capture, "--connection", 3)
    assert (status, complaint) == (
        2,
        "trioscsi: there is no connection 3: the capture has 2\n",
    )


def test_a_capture_that_is_cut_is_drawn_as_far_as_it_goes(trioscsi, capture):
    capture.write_bytes(capture.read_bytes()[:-10])
    status, drawing, note = trioscsi("draw", capture)
    assert status == 0
    assert "Login Request, stage 1 to 3" in drawing
    assert "the capture ends in the middle of a packet, after" in note


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"GET / HTTP/1.1", "this is no pcap or pcapng file"),
        (b"", "this is no pcap or pcapng file"),
        (Conversation().capture, "has no iSCSI PDU in it"),
    ],
)
def test_what_cannot_be_drawn_is_told(trioscsi, tmp_path, content, complaint):
    path = tmp_path / "capture"
    path.write_bytes(content)
    status, _, told = trioscsi("draw", path)
    assert status == 1
    assert complaint in told


def test_a_capture_may_come_through_a_pipe(trioscsi, capture):
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb") as pipe:
        pipe.write(capture.read_bytes())
        pipe.close()
        status, drawn, _ = trioscsi("draw", f"/dev/fd/{reader}")
    assert (status, drawn) == (0, trioscsi("draw", capture)[1])


@pytest.mark.parametrize(
    ("word", "complaint"), [("/", "cannot read /: Is a directory"), ("x" * 300, "no capture xxx")]
)
def test_a_word_that_names_no_capture_is_told(trioscsi, word, complaint):
    status, _, told = trioscsi("draw", word)
    assert status
    assert complaint in told


@pytest.mark.parametrize("arguments", [("cleanup",), ("--check",), ("--pdu", "reject")])
def test_only_captures_have_connections(trioscsi, arguments):
    status, _, complaint = trioscsi("draw", *arguments, "--connection", 1)
    assert (status, complaint) == (2, "trioscsi: --connection is for captures\n")
