"""Real initiators against a real server.

A test whose program is not installed is skipped; with ``--require-tools`` it fails instead.  On
Debian the programs come from libiscsi-bin, qemu-utils, qemu-block-extra, e2fsprogs, sg3-utils and
tshark, what sg3-utils needs to reach a target from gcc, libc6-dev and libiscsi-dev, and a
target for our own initiator from tgt.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.generic import Generic
from tests.interop.serving import Serving, serving


@pytest.fixture(scope="session")
def generic(tmp_path_factory: pytest.TempPathFactory) -> Generic:
    """What lets programs for SCSI devices use a target."""
    return Generic(tmp_path_factory.mktemp("generic"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two memory disks, of 512 and of 4096 bytes a block, with larger physical blocks."""
    log = tmp_path_factory.mktemp("server") / "log"
    larger = "memory:100MiB?block_size=4096&physical_block_size=16384"
    with serving(log, "memory:100MiB", larger) as server:
        yield server
