"""libiscsi's tools, and its test suites for targets."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.serving import NAME, Serving, serving
from tests.interop.tools import run

SUITES = [  # as "iscsi-test-cu --list" names them
    "SCSI.CompareAndWrite",
    "SCSI.GetLBAStatus.BeyondEol",
    "SCSI.GetLBAStatus.Simple",
    "SCSI.ExtendedCopy",
    "SCSI.Inquiry",
    "SCSI.Mandatory",
    "SCSI.ModeSense6",
    "SCSI.NoMedia",
    "SCSI.OrWrite",
    "SCSI.Prefetch10",
    "SCSI.Prefetch16",
    "SCSI.PreventAllow",
    "SCSI.PrinReadKeys",
    "SCSI.PrinReportCapabilities",
    "SCSI.PrinServiceactionRange",
    "SCSI.ProutClear",
    "SCSI.ProutPreempt",
    "SCSI.ProutRegister",
    "SCSI.ProutReserve",
    "SCSI.Read6",
    "SCSI.Read10",
    "SCSI.Read12",
    "SCSI.Read16",
    "SCSI.ReadCapacity10",
    "SCSI.ReadCapacity16",
    "SCSI.ReadDefectData10",
    "SCSI.ReadDefectData12",
    "SCSI.ReceiveCopyResults",
    "SCSI.ReportSupportedOpcodes",
    "SCSI.Reserve6",
    "SCSI.StartStopUnit",
    "SCSI.TestUnitReady",
    "SCSI.Unmap",
    "SCSI.Verify10",
    "SCSI.Verify12",
    "SCSI.Verify16",
    "SCSI.Write10",
    "SCSI.Write12",
    "SCSI.Write16",
    "SCSI.WriteAtomic16",
    "SCSI.WriteSame10",
    "SCSI.WriteSame16",
    "SCSI.WriteVerify10",
    "SCSI.WriteVerify12",
    "SCSI.WriteVerify16",
]
FLAGS = ("--dataloss", "--allow-sanitize", "--normal", "--fail")
SANITIZING = [
    "SCSI.Sanitize.BlockErase",
    "SCSI.Sanitize.BlockEraseReserved",
    "SCSI.Sanitize.CryptoErase",
    "SCSI.Sanitize.CryptoEraseReserved",
    "SCSI.Sanitize.ExitFailureMode",
    "SCSI.Sanitize.InvalidServiceAction",
    "SCSI.Sanitize.Overwrite",
    "SCSI.Sanitize.OverwriteReserved",
    "SCSI.Sanitize.Readonly",
    "SCSI.Sanitize.Reservations",
]
SUITES_OF_A_READ_ONLY_DISK = [
    "SCSI.Inquiry",
    "SCSI.Mandatory",
    "SCSI.ModeSense6",
    "SCSI.PreventAllow",
    "SCSI.ReadCapacity16",
    "SCSI.ReadOnly",
    "SCSI.ReportSupportedOpcodes",
    "SCSI.StartStopUnit",
    "SCSI.TestUnitReady",
]
SUITES_OF_THE_TRANSPORT = [
    "iSCSI.iSCSIResiduals",
    "iSCSI.iSCSITMF",
    "iSCSI.iSCSIcmdsn",
    "iSCSI.iSCSIdatasn",
]


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    log = tmp_path_factory.mktemp("read-only") / "log"
    with serving(log, "--read-only", "memory:100MiB") as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Serving]:
    """A disk without anything on it: the tool compares a block more than it has zeroed before."""
    with serving(tmp_path / "log", "memory:100MiB") as server:
        yield server


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Disks whose logical blocks are physical ones."""
    log = tmp_path_factory.mktemp("whole") / "log"
    with serving(
        log,
        "memory:100MiB?physical_block_size=512",
        "memory:100MiB?block_size=4096&physical_block_size=4096",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two disks in files, of 512 and of 4096 bytes a block."""
    folder = tmp_path_factory.mktemp("filed")
    disks = (f"{folder}/{size}.img?size=100MiB&block_size={size}" for size in (512, 4096))
    with serving(folder / "log", *disks) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def interrupted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[str] | None]:
    """A sanitize that is interrupted in all ways; the tool then sleeps, for a minute."""
    name = test_libiscsi_finds_that_a_sanitize_outlasts_all_resets.__name__
    if shutil.which("iscsi-test-cu") is None or not any(
        item.name == name for item in request.session.items
    ):
        yield None
        return
    log = tmp_path_factory.mktemp("slow") / "log"
    with (
        serving(log, "slow+memory:8MiB?write_ms=1000") as server,
        subprocess.Popen(
            ["iscsi-test-cu", *FLAGS, "--test=SCSI.Sanitize.Reset", server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        yield process
        process.kill()


def run_suite(suite: str, *paths: str) -> None:
    check(run("iscsi-test-cu", *FLAGS, f"--test={suite}", *paths))


def check(output: str) -> None:
    summary = re.search(r"^ +tests +\d+ +(\d+) +(\d+) +(\d+)", output, re.MULTILINE)
    assert summary is not None, output
    ran, passed, failed = map(int, summary.groups())
    assert ran > 0, output
    assert (passed, failed) == (ran, 0), output


@pytest.mark.parametrize("unit", [0, 1], ids=["512", "4096"])
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_of_libiscsi_finds_no_fault(server: Serving, suite: str, unit: int) -> None:
    run_suite(suite, server.unit(unit))


@pytest.mark.parametrize("unit", [0, 1], ids=["512", "4096"])
def test_libiscsi_finds_no_fault_with_the_status_of_blocks(whole: Serving, unit: int) -> None:
    # Where several make a physical block, it expects an answer to begin with other blocks than
    # those that it asked for: see specs/deviations.md.
    run_suite("SCSI.GetLBAStatus", whole.unit(unit))


@pytest.mark.parametrize("unit", [0, 1], ids=["512", "4096"])
@pytest.mark.parametrize("suite", SANITIZING)
def test_libiscsi_finds_no_fault_with_sanitizing(server: Serving, suite: str, unit: int) -> None:
    run_suite(suite, server.unit(unit))


@pytest.mark.parametrize("unit", [0, 1], ids=["512", "4096"])
@pytest.mark.parametrize(
    "suite",
    [
        *SANITIZING,
        "SCSI.GetLBAStatus.BeyondEol",
        "SCSI.GetLBAStatus.Simple",
        "SCSI.Inquiry",
        "SCSI.ReadCapacity16",
        "SCSI.Unmap",
        "SCSI.WriteSame10",
        "SCSI.WriteSame16",
    ],
)
def test_libiscsi_finds_no_fault_with_thin_disks_in_files(
    filed: Serving, suite: str, unit: int
) -> None:
    run_suite(suite, filed.unit(unit))


@pytest.mark.parametrize("suite", SUITES_OF_THE_TRANSPORT)
def test_a_suite_of_libiscsi_finds_no_fault_with_the_transport(server: Serving, suite: str) -> None:
    run_suite(suite, server.url)


@pytest.mark.parametrize("test", ["Simple", "Reset", "CompareAndWrite", "CompareAndWriteAsync"])
def test_libiscsi_finds_no_fault_with_two_paths(fresh: Serving, test: str) -> None:
    run_suite(f"SCSI.MultipathIO.{test}", fresh.url, fresh.url)


@pytest.mark.parametrize("suite", SUITES_OF_A_READ_ONLY_DISK)
def test_libiscsi_finds_no_fault_with_a_read_only_disk(read_only: Serving, suite: str) -> None:
    run_suite(suite, read_only.url)


def test_iscsi_ls_shows_the_target_and_its_units(server: Serving) -> None:
    lines = run("iscsi-ls", "-s", f"iscsi://{server.portal}").splitlines()
    assert lines[0] == f"Target:{NAME} Portal:{server.portal},1"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["Lun:0", "Type:DIRECT_ACCESS"],
        ["Lun:1", "Type:DIRECT_ACCESS"],
    ]


def test_iscsi_inq_understands_the_standard_inquiry_data(server: Serving) -> None:
    output = run("iscsi-inq", server.url)
    assert "Peripheral Device Type:DIRECT_ACCESS" in output
    assert "Vendor:TRIOSCSI" in output


def test_iscsi_inq_understands_every_vpd_page_that_it_knows(server: Serving) -> None:
    pages = re.findall(r"Page:0x([0-9a-f]{2})", run("iscsi-inq", "-e1", "-c0", server.url))
    known = {"00", "80", "83", "b0", "b1", "b2"}
    assert known <= set(pages)
    for page in known:
        output = run("iscsi-inq", "-e1", f"-c{int(page, 16)}", server.url)
        assert output.strip()
        assert "failed" not in output.lower()


@pytest.mark.parametrize(("unit", "block_size"), [(0, 512), (1, 4096)])
def test_iscsi_readcapacity16_reads_the_capacity(
    server: Serving, unit: int, block_size: int
) -> None:
    output = run("iscsi-readcapacity16", server.unit(unit))
    assert f"LOGICAL BLOCK LENGTH IN BYTES:{block_size}\n" in output
    assert f"RETURNED LOGICAL BLOCK ADDRESS:{(100 << 20) // block_size - 1}\n" in output


SECRET, OTHER_SECRET = "of-some-length", "another-of-some-length"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("guarded")
    secrets = folder / "secrets"
    secrets.touch(mode=0o600)
    secrets.write_text(f"alice {SECRET}\ndisk {OTHER_SECRET}\n")
    options = ["--chap-file", str(secrets), "--mutual-chap", "disk", "--discovery-chap"]
    with serving(folder / "log", *options, "memory:100MiB") as server:
        yield server


def with_secret(url: str, secret: str = SECRET) -> str:
    return url.replace("iscsi://", f"iscsi://alice%{secret}@")


def test_libiscsi_proves_itself_by_chap(guarded: Serving) -> None:
    assert "Vendor:TRIOSCSI" in run("iscsi-inq", with_secret(guarded.url))
    listed = run("iscsi-ls", with_secret(f"iscsi://{guarded.portal}"))
    assert listed.startswith(f"Target:{NAME}")


def test_libiscsi_and_the_target_prove_themselves_to_each_other(guarded: Serving) -> None:
    mutual = f"?target_user=disk&target_password={OTHER_SECRET}"
    assert "Vendor:TRIOSCSI" in run("iscsi-inq", with_secret(guarded.url) + mutual)


@pytest.mark.parametrize("secret", ["a-guess-that-is-wrong", None])
def test_libiscsi_is_refused_without_the_right_secret(guarded: Serving, secret: str | None) -> None:
    url = guarded.url if secret is None else with_secret(guarded.url, secret)
    for command in (["iscsi-inq", url], ["iscsi-ls", url.rsplit("/", 2)[0]]):
        with pytest.raises(AssertionError, match="Authentication failure"):
            run(*command)


@pytest.mark.parametrize("suite", SUITES_OF_THE_TRANSPORT)
def test_a_suite_of_libiscsi_finds_no_fault_behind_chap(guarded: Serving, suite: str) -> None:
    run_suite(suite, with_secret(guarded.url))


def test_libiscsi_finds_that_a_sanitize_outlasts_all_resets(
    interrupted: subprocess.Popen[str] | None,
) -> None:
    if interrupted is None:
        run("iscsi-test-cu", "--list")  # it is missing: this says so
        return
    check(interrupted.communicate(timeout=150)[0])


@pytest.mark.parametrize(
    "suite", ["Inquiry", "Read10", "Read12", "ReadCapacity10", "StartStopUnit"]
)
def test_a_suite_of_libiscsi_finds_no_fault_with_a_cd_rom(tmp_path: Path, suite: str) -> None:
    (tmp_path / "install.iso").write_bytes(bytes(4 << 20))
    with serving(tmp_path / "log", str(tmp_path / "install.iso")) as server:
        assert "Type:MMC" in run("iscsi-ls", "-s", f"iscsi://{server.portal}")
        run_suite(f"SCSI.{suite}", server.url)
