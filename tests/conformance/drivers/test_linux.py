from __future__ import annotations

import re
import subprocess
from pathlib import Path

import attrs
import pytest

from tests.interop.tools import tool
from trioscsi.conformance.bench.scenario import Drive
from trioscsi.conformance.drivers import linux
from trioscsi.conformance.drivers.driver import How, Where
from trioscsi.conformance.drivers.linux import DRIVES, LinuxDriver, ending, script, settings
from trioscsi.errors import DriverError

WHERE = Where(host="10.0.2.2", port=4000, iqn="iqn.2025-12.local:stage")
SHELL = (Path(linux.__file__).with_name("guest") / "drives.sh").read_text()


def test_what_a_scenario_wants_offered_is_a_setting_of_open_iscsi():
    offer = {
        "immediate_data": False,
        "data_digests": ("CRC32C", "None"),
        "first_burst_length": 4096,
        "reticent": frozenset({"AuthMethod"}),
    }
    assert settings(attrs.evolve(WHERE, offer=offer)) == {
        "node.session.iscsi.ImmediateData": "No",
        "node.conn[0].iscsi.DataDigest": "CRC32C,None",
        "node.session.iscsi.FirstBurstLength": "4096",
    }


def test_secrets_are_settings_too():
    where = attrs.evolve(WHERE, user="u", secret="s", target_user="t", target_secret="x")
    assert settings(where) == {
        "node.session.auth.authmethod": "CHAP",
        "node.session.auth.username": "u",
        "node.session.auth.password": "s",
        "node.session.auth.username_in": "t",
        "node.session.auth.password_in": "x",
    }


@pytest.mark.parametrize("drive", DRIVES)
def test_each_drive_is_a_function_of_the_script(drive: Drive):
    name = DRIVES[drive]
    assert re.search(rf"^{name}\(\) {{", SHELL, re.MULTILINE)
    assert script(drive, WHERE).endswith(f". /lib/drives.sh; {name}")
    assert "\n" not in script(drive, WHERE)


def test_the_script_is_one_that_the_shell_of_the_guest_understands():
    path = Path(linux.__file__).with_name("guest") / "drives.sh"
    subprocess.run([tool("busybox"), "sh", "-n", str(path)], check=True)


def test_a_drive_ends_as_its_script_says():
    assert ending(0, "10.0.2.2:4000,1 iqn.x\n").output == "10.0.2.2:4000,1 iqn.x\n"
    assert ending(0, "").how is How.DONE
    assert ending(3, "data that were read are wrong\n").how is How.WRONG_DATA
    failed = ending(1, "something\niscsiadm ended with 8: the login has failed\n\n")
    assert failed.how is How.FAILED
    assert failed.says == "iscsiadm ended with 8: the login has failed"


def test_what_is_not_installed_is_said_before_anything_is_played(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    driver = LinuxDriver()
    with pytest.raises(DriverError, match=r"apt-get install .*open-iscsi"):
        driver.open()
    driver.close()
