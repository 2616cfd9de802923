from __future__ import annotations

import re

import pytest

from tests.server.peer import NAME, read10
from tests.server.web.conftest import Watched
from trioscsi import Failing, MemoryDisk, Server, Target
from trioscsi.server.web import metrics

_SAMPLE = re.compile(r'(\w+)(\{(\w+="(\\.|[^"\\])*",?)+\})? [0-9.e+-]+')


def values(server: Server) -> dict[str, float]:
    lines = [line for line in metrics.text(server).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def test_what_is_counted_is_told(watched: Watched) -> None:
    await watched.peer.write(0, bytes(1024))
    await watched.peer.read(0, 1)
    found = values(watched.server)
    of = f'{{target="{NAME}",lun="0",operation='
    assert found["trioscsi_connections"] == 1
    assert found["trioscsi_connections_total"] == 1
    assert found[f'trioscsi_sessions{{target="{NAME}"}}'] == 1
    assert found[f'trioscsi_tasks{{target="{NAME}"}}'] == 0
    assert found[f'trioscsi_commands_total{of}"write"}}'] == 1
    assert found[f'trioscsi_bytes_total{of}"write"}}'] == 1024
    assert found[f'trioscsi_bytes_total{of}"read"}}'] == 512
    assert found[f'trioscsi_failed_commands_total{of}"read"}}'] == 0
    assert found[f'trioscsi_capacity_bytes{{target="{NAME}",lun="0"}}'] == 1 << 20
    assert found["trioscsi_cpu_seconds_total"] > 0


async def test_refusals_are_counted_for_ever(watched: Watched) -> None:
    for number in (1, 2):
        other = await watched.connect()
        await other.log_in("iqn.2025-12.test:nowhere")
        other.close()
        assert values(watched.server)["trioscsi_refusals_total"] == number


async def test_the_text_is_as_prometheus_reads_it(watched: Watched) -> None:
    lines = metrics.text(watched.server).splitlines()
    about: set[str] = set()
    for line in lines:
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert word in ("HELP", "TYPE")
            assert word == "HELP" or rest in ("counter", "gauge")
            assert word == "HELP" or rest == "counter" or not name.endswith("_total")
            about.add(name)
        else:
            sample = _SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample[1] in about


@pytest.mark.parametrize(
    ("value", "written"), [('a"b', r"a\"b"), ("a\\b", r"a\\b"), ("a\nb", r"a\nb")]
)
def test_a_label_is_escaped(value: str, written: str) -> None:
    metric = metrics.Metric("x", "gauge", "Of x.", (({"name": value}, 1),))
    assert list(metric.lines())[-1] == f'trioscsi_x{{name="{written}"}} 1'


def test_large_numbers_are_told_to_the_last_digit() -> None:
    metric = metrics.Metric("x", "counter", "Of x.", (({}, 2**60 + 1),))
    assert list(metric.lines())[-1] == "trioscsi_x 1152921504606846977"


async def test_commands_that_storage_fails_are_counted(watched: Watched) -> None:
    disk = Failing(MemoryDisk("1MiB"), read=[range(1)])
    target = Target("iqn.2025-12.test:failing", disk, allow=["*"])
    watched.server.add(target)
    peer = await watched.connect()
    await peer.log_in(target.name)
    await peer.do(bytes(6))
    assert (await peer.do(read10(0, 1), reads=512)).status == 2
    found = values(watched.server)
    name = 'trioscsi_failed_commands_total{target="iqn.2025-12.test:failing",lun="0",operation='
    assert found[f'{name}"read"}}'] == 1
    peer.close()
