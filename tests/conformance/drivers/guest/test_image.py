from __future__ import annotations

from pathlib import Path

import pytest

from trioscsi.conformance.drivers.guest import image
from trioscsi.errors import DriverError


def test_without_the_modules_of_a_kernel_there_is_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(image, "MODULES", tmp_path)
    monkeypatch.setattr(image, "require", lambda names: None)
    with pytest.raises(DriverError, match="user-mode-linux"):
        image.build(tmp_path)
