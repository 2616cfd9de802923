from __future__ import annotations

import pytest

from trioscsi.conformance.drivers.guest.programs import package, program, require
from trioscsi.errors import DriverError


def test_a_program_is_found_where_administrators_have_it():
    assert program("sh").name == "sh"


def test_all_packages_to_install_are_named_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    with pytest.raises(DriverError, match="iscsid, sg_dd, iscsiadm not found") as caught:
        require(["iscsid", "sg_dd", "iscsiadm"])
    assert str(caught.value).endswith("apt-get install open-iscsi sg3-utils")
    with pytest.raises(DriverError, match="apt-get install qemu-utils"):
        program("qemu-io")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sg_dd", "sg3-utils"), ("iscsi-ls", "libiscsi-bin"), ("slirp4netns", "slirp4netns")],
)
def test_a_program_is_in_a_package(name: str, expected: str):
    assert package(name) == expected
