"""sg3_utils: what Linux administrators look at SCSI devices with.

Each of them has to understand all that it is told: what it does not know it calls so, or prints
in hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.interop.generic import Generic
from tests.interop.serving import Serving

COMPLAINT = re.compile(
    r"unable to|unknown|not decoded|too short|truncat|in hex|malformed|badly|unexpected|corrupt"
    r"|failed|illegal|^ *[0-9a-f]{2,4}  +(?:[0-9a-f]{2} +){8}",
    re.IGNORECASE | re.MULTILINE,
)
Ask = Callable[..., str]


@pytest.fixture(params=[0, 1], ids=["512", "4096"])
def url(server: Serving, request: pytest.FixtureRequest) -> str:
    return server.unit(request.param)


@pytest.fixture
def ask(generic: Generic, url: str) -> Ask:
    """What a program says of a disk; it must not complain."""

    def run(*command: str) -> str:
        output = generic.run(*command, url)
        complaint = COMPLAINT.search(output)
        assert complaint is None, f"{complaint}\n{output}"
        return output

    return run


def test_standard_inquiry_data_and_version_descriptors(ask: Ask) -> None:
    assert "version=0x06  [SPC-4]" in ask("sg_inq")
    output = ask("sg_inq", "--descriptors")
    for standard in ("SAM-5", "iSCSI", "SPC-4", "SBC-3"):
        assert re.search(rf"^ +{standard} .*$", output, re.MULTILINE), output


def test_every_vpd_page(ask: Ask) -> None:
    listed = re.findall(r"\[(\w+)\]$", ask("sg_vpd"), re.MULTILINE)
    assert {"sv", "sn", "di", "mna", "ei", "mpp", "sp", "sfs", "bl", "bdc", "lbpv"} <= {*listed}
    output = ask("sg_vpd", "--all", "--long")
    assert len(re.findall(r"^\[0x\w+\] .+:$", output, re.MULTILINE)) == len(listed)
    for page in listed:
        ask("sg_vpd", f"--page={page}")


@pytest.mark.parametrize("options", [["--all"], ["--all", "--all", "--pcb"]])
def test_every_log_page(ask: Ask, options: list[str]) -> None:
    output = ask("sg_logs", *options)
    pages = re.findall(r"^[A-Z].+  \[0x(\w+)\]:?$", output, re.MULTILINE)
    assert {"0", "2", "3", "5", "c", "d", "10", "15", "19", "2f"} <= {*pages}


def read_commands(ask: Ask) -> int:
    output = ask("sg_logs", "--page=gsp")
    return int(re.findall(r"number of read commands = (\d+)", output)[0])


def test_counters_count_and_can_be_reset(ask: Ask, generic: Generic, url: str) -> None:
    ask("sg_logs", "--reset", "--select")
    assert read_commands(ask) == 0
    generic.run("sg_raw", "--request=4096", url, "28", *["0"] * 7, "1", "0")
    assert read_commands(ask) == 1


@pytest.mark.parametrize("options", [[], ["--rctd"], ["--mask"], ["--unsorted"]])
def test_every_operation_code(ask: Ask, options: list[str]) -> None:
    lines = re.findall(r"^ [0-9a-f]{2}  .+$", ask("sg_opcodes", *options), re.MULTILINE)
    assert len(lines) >= 45
    assert not [line for line in lines if re.search(r"0x[0-9a-f]+", line)]  # those have no name


def test_each_operation_code_by_itself(ask: Ask) -> None:
    listed = re.findall(
        r"^ ([0-9a-f]{2})  +(?:([0-9a-f]+)  +)?\d+  ", ask("sg_opcodes"), re.MULTILINE
    )
    for opcode, action in listed:
        names = f"0x{opcode},0x{action}" if action else f"0x{opcode}"
        assert "Command is supported" in ask("sg_opcodes", f"--opcode={names}")


def test_task_management_functions(ask: Ask) -> None:
    output = ask("sg_opcodes", "--tmf", "--repd")
    assert "Logical unit reset" in output


@pytest.mark.parametrize(
    ("report", "units"), [("0", 2), ("1", 0), ("2", 2), ("0x10", 0), ("0x11", 2), ("0x12", 0)]
)
def test_every_report_of_luns(ask: Ask, report: str, units: int) -> None:
    output = ask("sg_luns", f"--select={report}")
    assert len(re.findall(r"^ +[0-9a-f]{16}$", output, re.MULTILINE)) == units


def test_self_tests_leave_their_results_in_the_log(ask: Ask) -> None:
    for test in ("--test", "--selftest=5", "--selftest=6"):
        assert "returned GOOD status" in ask("sg_senddiag", test)
    ask("sg_senddiag", "--selftest=1")
    output = ask("sg_logs", "--page=str")
    assert output.count("completed without error") >= 2


def test_diagnostic_pages(ask: Ask) -> None:
    output = ask("sg_senddiag", "--list")
    assert "0x00" in output
    assert "0x40" in output


def test_the_data_buffer_keeps_what_is_written(ask: Ask) -> None:
    assert "Success" in ask("sg_test_rwbuf", "--size=65536", "--times=3")


@pytest.mark.parametrize(
    "command",
    [
        ["sg_turs"],
        ["sg_requests"],
        ["sg_readcap"],
        ["sg_readcap", "--16"],
        ["sg_prevent", "--prevent=1"],
        ["sg_prevent", "--allow"],
        ["sg_rtpg", "--decode"],
        ["sg_verify", "--lba=0", "--count=8"],
        ["sg_sync"],
        ["sg_start", "--start"],
    ],
    ids=" ".join,
)
def test_other_programs(ask: Ask, command: list[str]) -> None:
    ask(*command)
