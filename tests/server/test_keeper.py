from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.server.conftest import Build
from trioscsi import BackendError, UsageError
from trioscsi.scsi import Status
from trioscsi.server.keeper import Keeper

NAME = "iqn.2026-11.example:disk"


def files(folder: Path) -> list[Path]:
    """Those that keep something."""
    return sorted(path for path in folder.iterdir() if path.suffix != ".lock")


def lock_in(folder: Path) -> Path:
    (path,) = folder.glob("*.lock")
    return path


def only_file(folder: Path) -> Path:
    (path,) = files(folder)
    return path


def found(keeper: Keeper, number: int) -> dict[str, bytes]:
    """What a restart finds."""
    return {kept.name: kept.read() for kept in keeper.load(number)}


async def test_what_was_saved_last_is_found_again(tmp_path: Path) -> None:
    for data in (b"one", b"", b"three"):
        keeper = Keeper(tmp_path / "a" / "b", NAME)
        await keeper.save(7, "modes", data)
        await keeper.close()
        again = Keeper(tmp_path / "a" / "b", NAME)
        assert found(keeper, 7) == found(again, 7) == {"modes": data}
        await again.close()


async def test_units_targets_and_names_are_kept_apart(tmp_path: Path) -> None:
    keeper, other = Keeper(tmp_path, NAME), Keeper(tmp_path, "iqn.2026-11.example:" + "/" * 200)
    await keeper.save(1, "modes", b"1")
    await keeper.save(1, "reservations", b"2")
    await keeper.save(11, "modes", b"3")
    await other.save(1, "modes", b"4")
    assert found(keeper, 1) == {"modes": b"1", "reservations": b"2"}
    assert found(keeper, 11) == {"modes": b"3"}
    assert found(other, 1) == {"modes": b"4"}
    assert found(keeper, 0) == {}


async def test_a_file_that_a_crash_left_half_written_does_not_count(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, NAME)
    await keeper.save(1, "modes", b"old")
    path = only_file(tmp_path)
    path.with_name(path.name + ".new").write_bytes(b"ne")
    assert found(keeper, 1) == {"modes": b"old"}
    await keeper.save(1, "modes", b"newer")
    assert found(keeper, 1) == {"modes": b"newer"}


async def test_damage_is_said_rather_than_used(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, NAME)
    await keeper.save(1, "modes", b"data")
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    (kept,) = keeper.load(1)
    assert (kept.name, kept.path) == ("modes", path)
    with pytest.raises(UsageError, match="it is damaged: remove it"):
        kept.read()
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match="it cannot be read: Is a directory"):
        kept.read()


async def test_a_damaged_file_keeps_its_name_until_another_is_written_and_then_has_one_more(
    tmp_path: Path,
) -> None:
    keeper = Keeper(tmp_path, NAME)
    for number, damage in enumerate((b"once", b"again"), 1):
        await keeper.save(1, "reservations", b"data")
        (kept,) = keeper.load(1)
        kept.path.write_bytes(damage)
        keeper.spare(kept)
        assert kept.path.read_bytes() == damage
        await keeper.save(1, "reservations", b"")
        assert found(keeper, 1) == {"reservations": b""}
        aside = kept.path.with_name(f"{kept.path.name}.damaged-{number}")
        assert aside.read_bytes() == damage
    await keeper.save(1, "reservations", b"more")
    assert len(files(tmp_path)) == 3


async def test_a_damaged_file_is_put_aside_once_however_often_a_save_fails(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, NAME)
    await keeper.save(1, "reservations", b"data")
    (kept,) = keeper.load(1)
    kept.path.write_bytes(b"?")
    keeper.spare(kept)
    hindrance = kept.path.with_name(kept.path.name + ".new")
    hindrance.mkdir()
    for _ in range(2):
        with pytest.raises(BackendError, match="Is a directory"):
            await keeper.save(1, "reservations", b"new")
    aside = kept.path.with_name(kept.path.name + ".damaged-1")
    assert kept.path.read_bytes() == aside.read_bytes() == b"?"
    hindrance.rmdir()
    await keeper.save(1, "reservations", b"new")
    assert found(keeper, 1) == {"reservations": b"new"}
    assert files(tmp_path) == [kept.path, aside]


async def test_a_save_that_hangs_can_be_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("trioscsi.server.keeper._replace", lambda *_: go_on.wait(10))
    keeper = Keeper(tmp_path, NAME)

    async def give_up() -> None:
        await wait_all_tasks_blocked()
        keeper.abandon()

    nursery.start_soon(give_up)
    with pytest.raises(BackendError, match="was given up"):
        await keeper.save(1, "modes", b"data")
    go_on.set()


async def test_a_folder_keeps_the_state_of_a_target_for_one_server(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, NAME)
    assert Keeper(tmp_path, NAME + "2").can_save
    with pytest.raises(UsageError, match=rf"the state of {NAME} in .* is in use: another server"):
        Keeper(tmp_path, NAME)
    await keeper.close()
    with pytest.raises(BackendError, match="is closed"):
        await keeper.save(1, "modes", b"data")
    assert Keeper(tmp_path, NAME).can_save


def test_a_server_that_is_killed_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from trioscsi.server.keeper import Keeper\n"
        "keeper = Keeper(Path(sys.argv[1]), sys.argv[2])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path, NAME], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert Keeper(tmp_path, NAME).can_save


async def test_a_lock_that_cannot_be_had_is_a_usage_error(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, NAME)
    lock = lock_in(tmp_path)
    await keeper.close()
    lock.unlink()
    lock.mkdir()
    with pytest.raises(UsageError, match=r"no state can be kept in .*\.lock: Is a directory"):
        Keeper(tmp_path, NAME)


async def test_without_a_folder_nothing_is_kept() -> None:
    keeper = Keeper(None, NAME)
    assert not keeper.can_save
    assert found(keeper, 1) == {}
    with pytest.raises(BackendError, match="no folder"):
        await keeper.save(1, "modes", b"data")
    await keeper.close()


async def test_a_folder_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="no state can be kept in"):
        Keeper(tmp_path / "file", NAME)


def test_a_folder_that_cannot_be_written_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = os.W_OK
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & denied)  # root may write anywhere
    with pytest.raises(UsageError, match=r"no state can be kept in .*: nothing can be written"):
        Keeper(tmp_path, NAME)
    denied = 0
    assert Keeper(tmp_path, NAME).can_save


async def test_a_folder_that_went_away_is_storage_that_failed(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "gone", NAME)
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(BackendError):
        await keeper.save(1, "modes", b"data")
    with pytest.raises(UsageError, match="cannot be read"):
        keeper.load(1)


async def test_a_save_that_is_called_off_is_made_all_the_same(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, NAME)
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(keeper.save, number, "modes", b"data")
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    for number in range(10):
        assert found(keeper, number) == {"modes": b"data"}


async def test_saved_mode_parameters_are_found_by_the_next_target(
    build: Build, tmp_path: Path
) -> None:
    house = build(state=tmp_path)
    peer = await house.log_in()
    control = bytes.fromhex("0a0a 0610 0000 0000 ffff 0000")
    select = bytes((0x15, 0x11, 0, 0, 4 + len(control), 0))
    assert (await peer.do(select, bytes(4) + control)).status == Status.GOOD
    await house.target.close()
    peer = await build(state=tmp_path).log_in()
    sense = await peer.do(bytes((0x1A, 0x08, 0x0A, 0, 16, 0)), reads=16)
    assert sense.data[4:] == b"\x8a" + control[1:]
    assert (await peer.do(b"\xff" + bytes(15))).sense[0] == 0x72
