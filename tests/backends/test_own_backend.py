"""examples/own_backend.py, without serving it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import trioscsi
from trioscsi.backends import Abilities

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_backend.py"


async def test_the_example_is_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trioscsi, "Target", None, raising=False)
    disk = runpy.run_path(str(EXAMPLE))["DictDisk"]()
    await disk.write(7, b"a" * 512 + b"b" * 512)
    await disk.unmap(7, 1)
    assert await disk.read(6, 3) == bytes(1024) + b"b" * 512
    able = Abilities.of(disk)
    assert able.unmap is not None
    assert able.flush is None
