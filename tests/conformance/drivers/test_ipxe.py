from __future__ import annotations

import attrs
import pytest

from trioscsi.conformance.bench.scenario import Drive
from trioscsi.conformance.drivers.driver import How, Where
from trioscsi.conformance.drivers.ipxe import DRIVES, IpxeDriver, ending, script
from trioscsi.errors import DriverError

WHERE = Where(host="10.0.2.2", port=4000, iqn="iqn.2025-12.local:stage", lun=10)
URL = "http://10.0.2.2:4001/next"


@pytest.mark.parametrize("drive", DRIVES)
def test_each_drive_is_a_script_that_asks_for_another_one_in_the_end(drive: Drive):
    lines = script(drive, WHERE, URL).splitlines()
    assert lines[0] == "#!ipxe"
    assert lines[-1] == f"chain --replace --autofree {URL}?said=${{said}}"
    assert any("iscsi:10.0.2.2::4000:a:iqn.2025-12.local:stage" in line for line in lines)
    # A line that fails would end the script, and nobody would ask any more.
    assert all("||" in line or line.startswith("set ") for line in lines[1:-1])


def test_credentials_do_not_stay_for_the_next_drive():
    lines = script(Drive.LOGIN, attrs.evolve(WHERE, user="u", secret="s"), URL).splitlines()
    assert {"set username u", "set password s"} <= set(lines)
    assert {"clear reverse-username ||", "clear reverse-password ||"} <= set(lines)
    assert "clear username ||" in script(Drive.LOGIN, WHERE, URL).splitlines()


def test_a_drive_ends_as_ipxe_says():
    assert ending("done").how is How.DONE
    assert ending("ended").how is How.UNKNOWN
    assert ending("0x1d852039").how is How.FAILED
    assert ending("0xf0a6039").says == "iPXE's error 0x0f0a6039"
    assert ending("${said}").how is How.FAILED


def test_what_is_not_installed_is_said_before_anything_is_played(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    driver = IpxeDriver()
    with pytest.raises(DriverError, match="apt-get install qemu-system-x86"):
        driver.open()
    driver.close()
