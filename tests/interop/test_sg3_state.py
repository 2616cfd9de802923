"""sg3_utils that change what a unit keeps beside its blocks: modes, power, the time, a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.interop.generic import Generic
from tests.interop.serving import Serving, serving

Run = Callable[..., str]
D_SENSE = "0,0,4" + ",0" * 9


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A disk that has a cache, of a target that keeps state."""
    folder = tmp_path_factory.mktemp("keeping")
    arguments = "--state", str(folder / "state"), f"{folder}/disk.img?size=100MiB"
    with serving(folder / "log", *arguments) as server:
        yield server


@pytest.fixture
def run(generic: Generic, keeping: Serving) -> Run:
    """What a program says of that disk."""

    def run(*command: str) -> str:
        return generic.run(*command, keeping.url)

    return run


def page(run: Run, code: str, control: int = 0) -> list[str]:
    """The bytes of a mode page of one line."""
    output = run("sg_modes", f"--page={code}", f"--control={control}", "--dbd")
    (line,) = re.findall(r"^ 00     ([0-9a-f ]+)$", output, re.MULTILINE)
    return line.split()


@pytest.mark.parametrize("options", [[], ["--six"], ["--all"]], ids=str)
@pytest.mark.parametrize("control", [0, 1, 2, 3])
def test_every_mode_page_has_a_name(run: Run, options: list[str], control: int) -> None:
    output = run("sg_modes", "--all", *options, f"--control={control}")
    names = re.findall(r"^>> (.+), page_control: .+$", output, re.MULTILINE)
    assert len(names) >= 9 + (options == ["--all"])
    assert not [name for name in names if "0x" in name or "vendor" in name.lower()]


def test_a_mode_parameter_is_changed_and_saved(run: Run) -> None:
    for contents, byte in (("0a,0a,04", "06"), ("0a,0a,00", "02")):
        whole = contents + ",0" * 9
        run("sg_wr_mode", "--page=0xa", f"--contents={whole}", f"--mask={D_SENSE}", "--save")
        assert page(run, "0xa")[2] == page(run, "0xa", 3)[2] == byte


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--pc=2"], "Idle condition activated by command"),
        (["--pc=2", "--mod=1"], "Idle_b condition activated by command"),
        (["--pc=2", "--mod=2"], "Idle_c condition activated by command"),
        (["--pc=3"], "Standby condition activated by command"),
        (["--pc=3", "--mod=1"], "Standby_y condition activated by command"),
        (["--pc=1"], "Additional sense: No additional sense information"),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [[], ["--desc"]], ids=["fixed", "descriptor"])
def test_a_power_condition_is_entered_and_told(
    run: Run, options: list[str], says: str, form: list[str]
) -> None:
    run("sg_start", *options)
    assert says in run("sg_requests", *form)
    run("sg_start", "--start")
    run("sg_turs")


def test_the_power_conditions_are_listed(run: Run) -> None:
    output = run("sg_vpd", "--page=pc")
    assert "Standby_y=1 Standby_z=1 Idle_c=1 Idle_b=1 Idle_a=1" in output


def test_the_time_is_told_and_set(run: Run) -> None:
    assert int(run("sg_timestamp")) > 1_764_000_000_000
    run("sg_timestamp", "--milliseconds=1000000")
    assert 1_000_000 <= int(run("sg_timestamp")) < 2_000_000


def test_identifying_information_is_written_and_read(
    run: Run, generic: Generic, keeping: Serving
) -> None:
    assert "Maximum information length: 64 bytes" in run("sg_ident", "--itype=127")
    assert run("sg_ident").strip() == ""
    generic.run("sg_ident", "--set", keeping.url, given=b"bench")
    assert run("sg_ident", "--ascii").strip() == "bench"
    run("sg_ident", "--clear")
    assert run("sg_ident").strip() == ""
