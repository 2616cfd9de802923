"""Traces as Wireshark's tshark understands them."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.interop.relay import Carried, Relay
from tests.interop.serving import NAME, serving
from tests.interop.tools import run, tool
from trioscsi.capture import dissect, read_capture
from trioscsi.cli import commands
from trioscsi.pdu import CLASSES, BadDigest, Framer, Malformed, Pdu
from trioscsi.teaching.fields import title_of

SUITES = ("SCSI.TestUnitReady", "SCSI.Read10.Simple", "SCSI.Write10.Simple")
WARNING, UNDECODED = "0x600000", "0x05000000"
WARNINGS = f"_ws.expert.severity >= {WARNING} && !(_ws.expert.group == {UNDECODED})"
HALF_A_PAGE = "scsi_sbc.opcode == 0x12 && iscsi.datasegmentlength == 64"
SECRET = "a secret of some length"


class Traced:
    """A trace, and what really went over the wire."""

    def __init__(self, path: Path, port: int, carried: list[Carried]) -> None:
        self.path, self.carried = path, carried
        self._as_iscsi = ("-d", f"tcp.port=={port},iscsi")

    def tshark(self, *arguments: str) -> list[str]:
        """What tshark prints of the trace, with all checksums checked."""
        checks = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
        lines = run("tshark", "-r", str(self.path), *self._as_iscsi, *checks, *arguments)
        return [line for line in lines.splitlines() if not line.startswith("Running as user")]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """Suites of libiscsi, and QEMU."""
    tool("tshark")
    folder = tmp_path_factory.mktemp("trace")
    path = folder / "trace.pcapng"
    arguments = ("--trace", str(path), "memory:16MiB")
    with serving(folder / "log", *arguments) as server, Relay(server.port) as relay:
        url = f"iscsi://{relay.portal}/{NAME}/0"
        for suite in SUITES:
            run("iscsi-test-cu", "--dataloss", f"--test={suite}", url)
        run("iscsi-ls", f"iscsi://{relay.portal}")
        commands = ["write -P 5 0 8M", "write -P 6 1M 4k", "flush", "read -P 5 2M 4M"]
        words = [word for command in commands for word in ("-c", command)]
        run("qemu-io", "-f", "raw", *words, url)
    return Traced(path, server.port, relay.carried)


def pdus(stream: bytes) -> Counter[int]:
    """How many PDUs of each opcode there are in a stream without digests."""
    framer = Framer(1 << 24)
    framer.receive(stream)
    found: Counter[int] = Counter()
    while (pdu := framer.next_pdu()) is not None:
        assert not isinstance(pdu, Malformed | BadDigest)
        assert isinstance(pdu, Pdu)
        found[pdu.opcode] += 1
    return found


def test_its_streams_are_what_the_sockets_carried(traced: Traced) -> None:
    streams: dict[tuple[str, int], bytearray] = {}
    with traced.path.open("rb") as file:
        for packet in read_capture(file):
            segment = dissect(packet.link_type, packet.data)
            assert segment is not None
            from_peer = segment.destination[1] == int(packet.interface.rpartition(":")[2])
            key = segment.source if from_peer else segment.destination
            place = streams.setdefault((f"{key[0]} {from_peer}", key[1]), bytearray())
            place += segment.payload
    assert len(streams) == 2 * len(traced.carried)
    for carried in traced.carried:
        host, port = carried.address
        assert streams[f"{host} True", port] == carried.sent
        assert streams[f"{host} False", port] == carried.received


def test_tshark_has_nothing_to_complain_of(traced: Traced) -> None:
    for complaint in (
        # QEMU first asks for 64 bytes of a longer page, which is malformed in its eyes.
        f"_ws.malformed && !({HALF_A_PAGE})",
        "tcp.analysis.flags",
        "tcp.checksum.status != 1",
        "ip.checksum.status != 1",
        # Some mode pages of SPC-4 are unknown to it, which is not a fault of what it reads.
        f"{WARNINGS} && !({HALF_A_PAGE})",
    ):
        assert traced.tshark("-Y", complaint) == [], complaint


def test_tshark_sees_every_pdu(traced: Traced) -> None:
    listed = traced.tshark("-T", "fields", "-e", "tcp.stream", "-e", "iscsi.opcode", "-Y", "iscsi")
    seen: dict[int, Counter[int]] = {}
    for line in listed:
        stream, opcodes = line.split("\t")
        seen.setdefault(int(stream), Counter()).update(int(op, 16) for op in opcodes.split(","))
    assert [seen[stream] for stream in range(len(traced.carried))] == [
        pdus(carried.sent) + pdus(carried.received) for carried in traced.carried
    ]


def test_tshark_sees_scsi_in_every_command(traced: Traced) -> None:
    commands = traced.tshark("-Y", "iscsi.opcode == 0x01")
    assert len(commands) > 50
    assert traced.tshark("-Y", "iscsi.opcode == 0x01 && !scsi") == []
    assert traced.tshark("-Y", "iscsi.opcode == 0x21 && !iscsi.request_frame") == []


def test_tshark_shows_the_transitions(traced: Traced) -> None:
    comments = traced.tshark("-T", "fields", "-e", "frame.comment", "-Y", "frame.comment")
    text = "\n".join(comments)
    for label in ("connection T3:", "connection T5:", "session N2:", "connection T13:"):
        assert label in text


def test_our_own_explanation_sees_every_pdu_and_nothing_wrong(traced: Traced) -> None:
    text = CliRunner().invoke(commands, ["explain", str(traced.path)]).stdout
    seen = Counter(re.findall(r"^ +[0-9.]+  (?:-->|<--)  ([^,]+)", text, re.MULTILINE))
    carried = Counter[int]()
    for each in traced.carried:
        carried += pdus(each.sent) + pdus(each.received)
    assert seen == {title_of(CLASSES[opcode]): count for opcode, count in carried.items()}
    assert "wrong" not in text
    assert "missing" not in text


def test_no_secret_is_in_the_trace(tmp_path: Path) -> None:
    path, secrets = tmp_path / "trace.pcapng", tmp_path / "secrets"
    secrets.write_text(f"alice {SECRET}\n")
    secrets.chmod(0o600)
    arguments = ("--trace", str(path), "--chap-file", str(secrets), "memory:1MiB")
    with serving(tmp_path / "log", *arguments) as server, Relay(server.port) as relay:
        login = {"LIBISCSI_CHAP_USERNAME": "alice", "LIBISCSI_CHAP_PASSWORD": SECRET}
        run("iscsi-inq", f"iscsi://{relay.portal}/{NAME}/0", environment={**os.environ, **login})
    (carried,) = relay.carried
    proof = carried.sent.split(b"CHAP_R=0x")[1].split(b"\0")[0]
    challenge = carried.received.split(b"CHAP_C=0x")[1].split(b"\0")[0]
    written = path.read_bytes()
    assert len(proof) >= 32
    for secret in (proof, challenge, SECRET.encode()):
        assert secret not in written
    assert b"CHAP_R=0x" + b"0" * len(proof) + b"\0" in written
