"""Traces as Wireshark's tshark understands them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
from click.testing import CliRunner

from tests.interop.everything import everything
from tests.interop.relay import Carried, Relay
from tests.interop.serving import NAME, Serving, serving
from tests.interop.tools import run, tool
from trioscsi.capture import dissect, read_capture
from trioscsi.cli import commands
from trioscsi.pdu import (
    CLASSES,
    BadDigest,
    Framer,
    LoginRequest,
    LoginResponse,
    Malformed,
    Opcode,
    Pdu,
)
from trioscsi.teaching.fields import title_of

SUITES = ("SCSI.TestUnitReady", "SCSI.Read10.Simple", "SCSI.Write10.Simple")
WARNING, UNDECODED = "0x600000", "0x05000000"
WARNINGS = f"_ws.expert.severity >= {WARNING} && !(_ws.expert.group == {UNDECODED})"
HALF_A_PAGE = "scsi_sbc.opcode == 0x12 && iscsi.datasegmentlength == 64"
SECRET = "a secret of some length"


@attrs.frozen
class Traced:
    """A trace, and what really went over the wire."""

    path: Path
    port: int
    carried: list[Carried]
    complete: bool = False
    """Whether every PDU of the RFC is in it."""
    digests: bool = False

    def pdus(self, carried: Carried) -> Counter[int]:
        """How many PDUs of each opcode there were in one connection, both ways."""
        digests = self.digests and b"HeaderDigest=CRC32C\0" in carried.received
        both = (carried.sent, carried.received)
        return sum((pdus(bytes(stream), digests=digests) for stream in both), Counter[int]())

    def tshark(self, *arguments: str) -> list[str]:
        """What tshark prints of the trace, with all checksums checked."""
        checks = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
        as_iscsi = ("-d", f"tcp.port=={self.port},iscsi")
        lines = run("tshark", "-r", str(self.path), *as_iscsi, *checks, *arguments)
        return [line for line in lines.splitlines() if not line.startswith("Running as user")]


def by_others(folder: Path) -> Traced:
    """Suites of libiscsi, and QEMU."""
    path = folder / "trace.pcapng"
    arguments = ("--trace", str(path), "memory:16MiB")
    with serving(folder / "log", *arguments) as server, Relay(server.port) as relay:
        url = f"iscsi://{relay.portal}/{NAME}/0"
        for suite in SUITES:
            run("iscsi-test-cu", "--dataloss", f"--test={suite}", url)
        run("iscsi-ls", f"iscsi://{relay.portal}")
        commands = ["write -P 5 0 2M", "write -P 6 1M 4k", "flush", "read -P 5 1536k 512k"]
        words = [word for command in commands for word in ("-c", command)]
        run("qemu-io", "-f", "raw", *words, url)
    return Traced(path, server.port, relay.carried)


def by_ourselves(folder: Path, digest: str) -> Traced:
    """Everything that RFC 7143 has PDUs for, and the end of a server under an open session."""
    path = folder / "trace.pcapng"
    disks = ("memory:1MiB", "slow+memory:1MiB?read_ms=60000")
    with (
        Serving(folder / "log", "--trace", str(path), *disks) as server,
        Relay(server.port) as relay,
    ):
        trio.run(everything, f"iscsi://{relay.portal}", server, digest)
        assert server.wait() == 0
    return Traced(path, server.port, relay.carried, complete=True, digests=digest == "CRC32C")


RUNS: Mapping[str, Callable[[Path], Traced]] = {
    "libiscsi and QEMU": by_others,
    "ourselves": partial(by_ourselves, digest="None"),
    "ourselves with digests": partial(by_ourselves, digest="CRC32C"),
}


@pytest.fixture(scope="module", params=RUNS)
def traced(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Traced:
    """A trace of each run."""
    tool("tshark")
    return RUNS[request.param](tmp_path_factory.mktemp("trace"))


def pdus(stream: bytes, *, digests: bool = False) -> Counter[int]:
    """How many PDUs of each opcode there are in a stream, perhaps with digests after its login."""
    framer = Framer(1 << 24)
    framer.receive(stream)
    found: Counter[int] = Counter()
    while (pdu := framer.next_pdu()) is not None:
        assert not isinstance(pdu, Malformed | BadDigest)
        assert isinstance(pdu, Pdu)
        found[pdu.opcode] += 1
        if isinstance(pdu, LoginRequest | LoginResponse) and pdu.transit and pdu.nsg == 3:
            framer.header_digest = framer.data_digest = digests
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
    complaints = (
        # QEMU first asks for 64 bytes of a longer page, which is malformed in its eyes.
        f"(_ws.malformed && !({HALF_A_PAGE}))",
        "tcp.analysis.flags",
        "tcp.checksum.status != 1",
        "ip.checksum.status != 1",
        # Some mode pages of SPC-4 are unknown to it, which is not a fault of what it reads.
        f"({WARNINGS} && !({HALF_A_PAGE}))",
    )
    assert traced.tshark("-Y", " || ".join(complaints)) == []


def test_tshark_sees_every_pdu(traced: Traced) -> None:
    listed = traced.tshark("-T", "fields", "-e", "tcp.stream", "-e", "iscsi.opcode", "-Y", "iscsi")
    seen: dict[int, Counter[int]] = {}
    for line in listed:
        stream, opcodes = line.split("\t")
        seen.setdefault(int(stream), Counter()).update(int(op, 16) for op in opcodes.split(","))
    for stream, carried in enumerate(traced.carried):
        expected = traced.pdus(carried)
        # A Reject carries the header of what it rejects, here of a SNACK: it is dissected, too.
        expected[Opcode.SNACK_REQUEST] += expected[Opcode.REJECT]
        assert seen[stream] == expected


def test_tshark_sees_scsi_in_every_command(traced: Traced) -> None:
    commands = traced.tshark("-Y", "iscsi.opcode == 0x01")
    assert len(commands) > 15
    without = "iscsi.opcode == 0x01 && !scsi || iscsi.opcode == 0x21 && !iscsi.request_frame"
    assert traced.tshark("-Y", without) == []


def test_tshark_finds_every_digest_right(traced: Traced) -> None:
    shown = "\n".join(traced.tshark("-V", "-Y", "iscsi.headerdigest32"))
    found = re.findall(r"HeaderDigest: 0x[0-9a-f]+ \((.*)\)", shown)
    expected = 0
    if traced.digests:
        logins = {LoginRequest.opcode, LoginResponse.opcode}
        for carried in traced.carried:
            if b"HeaderDigest=CRC32C\0" in carried.received:
                counts = traced.pdus(carried)
                expected += sum(counts[opcode] for opcode in counts if opcode not in logins)
        assert expected > 50
    assert Counter(found) == (Counter({"Good CRC32": expected}) if expected else Counter())
    assert set(re.findall(r"DataDigest: 0x[0-9a-f]+ \((.*)\)", shown)) <= {"Good CRC32"}


def test_every_pdu_of_the_rfc_is_in_a_complete_run(traced: Traced) -> None:
    seen = sum((traced.pdus(carried) for carried in traced.carried), Counter[int]())
    assert seen.keys() <= CLASSES.keys()
    if traced.complete:
        assert seen.keys() == CLASSES.keys()


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
        carried += traced.pdus(each)
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
