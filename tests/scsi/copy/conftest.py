from __future__ import annotations

import pytest

from tests.scsi.copy.world import World


@pytest.fixture
def world() -> World:
    return World()
