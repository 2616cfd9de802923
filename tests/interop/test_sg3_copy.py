"""sg_xcopy's commands, and what sg3_utils makes of port groups and of third-party copies."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.interop.generic import Generic
from tests.interop.serving import NAME, Serving
from tests.scsi.copy.world import blocks, lid1, name, out
from trioscsi.scsi import LogicalUnit

SIZE = 64 << 10


def described(lun: int, block_size: int) -> bytes:
    """How sg_xcopy names a unit: by what is in its VPD page 83h."""
    unit = LogicalUnit(lun, target_name=NAME, block_size=block_size, blocks=1)
    return name(unit, disk_block_length=block_size)


def hexadecimal(cdb: bytes) -> list[str]:
    return [f"{byte:02x}" for byte in cdb]


def test_the_bounds_of_copies_are_understood(generic: Generic, server: Serving) -> None:
    output = generic.run("sg_copy_results", "--params", server.url)
    assert "Maximum segment descriptor count: 256\n" in output
    assert "Segment descriptor 0x02: Copy from block device to block device\n" in output
    assert "Target descriptor 0xe4: Identification descriptor\n" in output


def test_the_types_of_tokens_are_understood(generic: Generic, server: Serving) -> None:
    output = generic.run("sg_vpd", "--page=tpc", server.url)
    assert "ROD type: point in time copy - change vulnerable [0x800001]\n" in output
    assert "ROD type: block device zero [0xffff0001]\n" in output
    assert "  Write using token\n" in output


def test_a_copy_from_disk_to_disk(generic: Generic, server: Serving, tmp_path: Path) -> None:
    data, copy = Random(3).randbytes(SIZE), tmp_path / "copy"
    write = bytes((0x2A, 0, 0, 0, 0, 8, 0, 0, SIZE // 512, 0))
    generic.run("sg_raw", f"--send={SIZE}", server.unit(0), *hexadecimal(write), given=data)
    parameters = lid1(described(0, 512) + described(1, 4096), blocks(SIZE // 512, 8, 5))
    command = hexadecimal(out(0, len(parameters)))
    generic.run("sg_raw", f"--send={len(parameters)}", server.unit(0), *command, given=parameters)
    read = bytes((0x28, 0, 0, 0, 0, 5, 0, 0, SIZE // 4096, 0))
    save = ("--binary", f"--outfile={copy}")
    generic.run("sg_raw", f"--request={SIZE}", *save, server.unit(1), *hexadecimal(read))
    assert copy.read_bytes() == data


def test_an_access_state_is_set_and_told(generic: Generic, server: Serving) -> None:
    state = "target port group asymmetric access state : "
    assert f"{state}0x00 (active/optimized)" in generic.run(
        "sg_rtpg", "--decode", "--extended", server.url
    )
    try:
        generic.run("sg_stpg", "--active", server.url)
        output = generic.run("sg_rtpg", "--decode", server.url)
        assert f"{state}0x01 (active/non optimized)" in output
        assert "changed by SET TARGET PORT GROUPS command" in output
    finally:
        generic.run("sg_stpg", "--optimized", server.url)
