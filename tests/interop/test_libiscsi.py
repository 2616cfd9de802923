"""libiscsi's tools, and its test suites for targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.interop.serving import NAME, Serving, serving
from tests.interop.suites import Run, Site, Suite, check, failures, running, skipped
from tests.interop.tools import run, tool

SUITES = [  # as "iscsi-test-cu --list" names them; those that take seconds are in its whole runs
    "SCSI.CompareAndWrite.Simple",
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
    "SCSI.Reserve6.2Initiators",
    "SCSI.Reserve6.Logout",
    "SCSI.Reserve6.Simple",
    "SCSI.StartStopUnit",
    "SCSI.TestUnitReady",
    "SCSI.Unmap",
    "SCSI.Verify10.Simple",
    "SCSI.Verify12.Simple",
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
THIN = [
    *SANITIZING,
    "SCSI.GetLBAStatus.BeyondEol",
    "SCSI.GetLBAStatus.Simple",
    "SCSI.Inquiry",
    "SCSI.ReadCapacity16",
    "SCSI.Unmap",
    "SCSI.WriteSame16",
]
MULTIPATH = [
    "SCSI.MultipathIO.CompareAndWrite",
    "SCSI.MultipathIO.CompareAndWriteAsync",
    "SCSI.MultipathIO.Reset",
    "SCSI.MultipathIO.Simple",
]
_TRANSFERS = ["Simple", "BeyondEol", "ZeroBlocks"]
_UNMAPS = ["Unmap", "UnmapUnaligned", "UnmapUntilEnd", "UnmapVPD", "Check", "InvalidDataOutSize"]
WRITING = {
    "CompareAndWrite": ["Simple", "DpoFua", "Miscompare", "Unwritten", "InvalidDataOutSize"],
    "ExtendedCopy": ["Simple", "ValidTgtDescr", "ValidSegDescr"],
    "GetLBAStatus": ["UnmapSingle"],
    "OrWrite": [*_TRANSFERS, "DpoFua", "Verify"],
    "ProutReserve": [f"Access{kind}" for kind in ("EA", "WE", "EARO", "WERO", "EAAR", "WEAR")],
    "ReceiveCopyResults": ["CopyStatus"],
    "Sanitize": ["BlockErase", "CryptoErase", "Overwrite", "Reset"],
    "Unmap": ["Simple", "VPD", "ZeroBlocks"],
    "Write10": [*_TRANSFERS, "DpoFua", "Async"],
    **{suite: [*_TRANSFERS, "DpoFua"] for suite in ["Write12", "Write16"]},
    **{suite: [*_TRANSFERS, *_UNMAPS] for suite in ["WriteSame10", "WriteSame16"]},
    **{f"WriteVerify{size}": [*_TRANSFERS, "Flags", "Dpo"] for size in (10, 12, 16)},
    "iSCSIResiduals": [
        f"{name}{size}Residuals" for name in ("Write", "WriteVerify") for size in (10, 12, 16)
    ],
}
"""The tests that want to write to the disk, by their suites."""
UNPERMITTED = {
    "PrinReadKeys": ["Truncate"],
    "ProutRegister": ["Simple"],
    "ProutReserve": [
        "Simple",
        *(
            f"{name}{kind}"
            for name in ("Access", "Ownership")
            for kind in ("EA", "WE", "EARO", "WERO", "EAAR", "WEAR")
        ),
    ],
    **{f"WriteVerify{size}": ["Dpo"] for size in (10, 12, 16)},
}
"""The tests that fail without ``--dataloss``, whatever the disk: the tool does not send what they
want it to send."""
SKIPPED = {
    "MultipathIO": ["Simple", "Reset", "CompareAndWrite", "CompareAndWriteAsync"],
    "PreventAllow": [
        *("Simple", "Eject", "ITNexusLoss", "Logout"),
        *("WarmReset", "ColdReset", "LUNReset", "2ITNexuses"),
    ],
    "ReadOnly": ["ReadOnlySBC"],
    "StartStopUnit": ["Simple"],
    "WriteSame10": ["ZeroBlocks"],
    "WriteSame16": ["ZeroBlocks"],
}
"""The tests that leave something out: the reasons are in specs/deviations.md."""
SKIPPED_ON_WHOLE_BLOCKS = {
    "CompareAndWrite": ["InvalidDataOutSize"],
    "WriteSame10": ["UnmapUnaligned", "InvalidDataOutSize"],
    "WriteSame16": ["UnmapUnaligned", "InvalidDataOutSize"],
}
"""Those that do so where a logical block is a physical block."""
SUITES_OF_THE_TRANSPORT = [
    "iSCSI.iSCSIResiduals",
    "iSCSI.iSCSITMF",
    "iSCSI.iSCSIcmdsn",
    "iSCSI.iSCSIdatasn",
]
SUITES_OF_A_CD_ROM = [
    "SCSI.Inquiry",
    "SCSI.Read10",
    "SCSI.Read12",
    "SCSI.ReadCapacity10",
    "SCSI.StartStopUnit",
]

DISKS = {
    "512": "memory:100MiB",
    # Logical blocks that are physical ones.
    "whole-4096": "memory:100MiB?block_size=4096&physical_block_size=4096",
    "file-4096": "{folder}/4096.img?size=100MiB&block_size=4096",
    "cd": "cdrom+memory:4MiB",
    # With two paths the tool compares a block more than it has zeroed: each has a fresh disk.
    **dict.fromkeys(MULTIPATH, "memory:100MiB"),
}
ALL = {
    "all-512": "memory:100MiB?block_size=512&physical_block_size=512",
    "all-4096": "memory:100MiB?block_size=4096&physical_block_size=4096",
    "all-file-512": "{folder}/all-512.img?size=100MiB&block_size=512&physical_block_size=512",
    "all-file-4096": "{folder}/all-4096.img?size=100MiB&block_size=4096&physical_block_size=4096",
}
"""Disks for all suites, one after the other."""
SPLIT = {
    "all-parts": "memory:100MiB?block_size=512&physical_block_size=4096",
    "all-file-parts": "{folder}/parts.img?size=100MiB&block_size=4096&physical_block_size=16384",
}
"""The same where several logical blocks make a physical block."""
READ_ONLY = ["read-only", "read-only-file"]
SECRET, OTHER_SECRET = "of-some-length", "another-of-some-length"


def on(names: list[str], *disks: str) -> pytest.MarkDecorator:
    """A test of these suites on each of these disks."""
    suites = [Suite(name, disk) for disk in disks for name in names]
    return pytest.mark.parametrize("suite", suites, ids=str)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a server that asks for proof."""
    file = tmp_path_factory.mktemp("secrets") / "secrets"
    file.touch(mode=0o600)
    file.write_text(f"alice {SECRET}\ndisk {OTHER_SECRET}\n")
    return ["--chap-file", str(file), "--mutual-chap", "disk", "--discovery-chap"]


@pytest.fixture(scope="module")
def libiscsi(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, secrets: list[str]
) -> Iterator[Run]:
    """The suites that the tests ask for; they have begun."""
    tool("iscsi-test-cu")
    asked = [
        value
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        for value in item.callspec.params.values()
        if isinstance(value, Suite)
    ]
    blank = tmp_path_factory.mktemp("blank") / "disk.img"
    with blank.open("wb") as file:
        file.truncate(100 << 20)
    sites = [
        Site({"guarded": "memory:100MiB"}, secrets, f"alice%{SECRET}@"),
        # Sanitize.Reset wants to find that sanitizing takes more than four seconds.
        Site({**ALL, **SPLIT}, ["--overhaul-rate", "12MiB"], number=3),
        Site({"read-only": "readonly+memory:100MiB", "read-only-file": f"readonly+file:{blank}"}),
        Site(DISKS, number=3),
    ]
    with running(asked, sites, tmp_path_factory.mktemp("libiscsi")) as run:
        yield run


def test_iscsi_ls_shows_the_target_and_its_units(server: Serving) -> None:
    lines = run("iscsi-ls", "-s", f"iscsi://{server.portal}").splitlines()
    assert lines[0] == f"Target:{NAME} Portal:{server.portal},1"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["Lun:0", "Type:DIRECT_ACCESS"],
        ["Lun:1", "Type:DIRECT_ACCESS"],
    ]


def test_iscsi_ls_shows_an_image_of_a_disc_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "install.iso").write_bytes(bytes(4 << 20))
    with serving(tmp_path / "log", str(tmp_path / "install.iso")) as server:
        assert "Type:MMC" in run("iscsi-ls", "-s", f"iscsi://{server.portal}")


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


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, secrets: list[str]) -> Iterator[Serving]:
    log = tmp_path_factory.mktemp("guarded") / "log"
    with serving(log, *secrets, "memory:100MiB") as server:
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


def names(tests: Mapping[str, list[str]]) -> set[str]:
    """The names of tests that are listed by their suites."""
    return {f"{suite}.{test}" for suite, listed in tests.items() for test in listed}


@pytest.mark.slow
@on(["ALL"], *ALL)
def test_all_of_libiscsi_finds_no_fault(libiscsi: Run, suite: Suite) -> None:
    said = libiscsi.said(suite)
    check(said)
    assert skipped(said) == names(SKIPPED) | names(SKIPPED_ON_WHOLE_BLOCKS)


# Its GetLBAStatus.UnmapSingle wants an answer to begin with other blocks than those that it asked
# for: see specs/deviations.md.
@pytest.mark.slow
@pytest.mark.parametrize("suite", [Suite("ALL", disk, fails=True) for disk in SPLIT], ids=str)
def test_all_of_libiscsi_finds_one_fault_with_parts_of_physical_blocks(
    libiscsi: Run, suite: Suite
) -> None:
    said = libiscsi.said(suite)
    assert failures(said) == {"GetLBAStatus.UnmapSingle"}
    assert skipped(said) == names(SKIPPED)


@pytest.mark.slow
@pytest.mark.parametrize("suite", [Suite("ALL", disk, fails=True) for disk in READ_ONLY], ids=str)
def test_a_read_only_disk_fails_in_what_writes_alone(libiscsi: Run, suite: Suite) -> None:
    said = libiscsi.said(suite)
    # A write that is to be aborted fails if it is performed before the request to abort it comes.
    assert failures(said) - {"iSCSITMF.AbortTaskSimpleAsync"} == names(WRITING)
    assert said.count("WRITE_PROTECTED") >= len(names(WRITING))


@pytest.mark.slow
@pytest.mark.parametrize(
    "suite", [Suite("ALL", disk, fails=True, spares=True) for disk in READ_ONLY], ids=str
)
def test_a_read_only_disk_fails_in_nothing_that_spares_it(libiscsi: Run, suite: Suite) -> None:
    said = libiscsi.said(suite)
    assert failures(said) == names(UNPERMITTED)


# One of these sleeps for seconds: it begins before the others.
@on(SUITES_OF_THE_TRANSPORT, "512")
def test_a_suite_of_libiscsi_finds_no_fault_with_the_transport(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))


# All that there is, on disks of each kind, is slow: these show soon what has broken.
@on(SUITES, "512")
def test_a_suite_of_libiscsi_finds_no_fault(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))


# Where several blocks make a physical block, it expects an answer to begin with other blocks than
# those that it asked for: see specs/deviations.md.
@on(["SCSI.GetLBAStatus"], "whole-4096")
def test_libiscsi_finds_no_fault_with_the_status_of_blocks(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))


@on(SANITIZING, "512")
def test_libiscsi_finds_no_fault_with_sanitizing(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))


@on(THIN, "file-4096")
def test_libiscsi_finds_no_fault_with_thin_disks_in_files(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))


@pytest.mark.parametrize("suite", [Suite(name, name, paths=2) for name in MULTIPATH], ids=str)
def test_libiscsi_finds_no_fault_with_two_paths(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))


@on(SUITES_OF_A_CD_ROM, "cd")
def test_a_suite_of_libiscsi_finds_no_fault_with_a_cd_rom(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))


@on(SUITES_OF_THE_TRANSPORT, "guarded")
def test_a_suite_of_libiscsi_finds_no_fault_behind_chap(libiscsi: Run, suite: Suite) -> None:
    check(libiscsi.said(suite))
