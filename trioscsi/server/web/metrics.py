"""What a server has counted, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from trioscsi.scsi.logs.counters import Counters
    from trioscsi.server.server import Server

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = dict[str, str]
_OPERATIONS = (("read", "reads"), ("write", "writes"), ("verify", "verifies"))
_BLOCKS = {"read": "blocks_read", "write": "blocks_written", "verify": "blocks_verified"}
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


@attrs.frozen
class Metric:
    """One name with all its values."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[Labels, float], ...]

    def lines(self) -> Iterator[str]:
        """The metric as text."""
        name = f"trioscsi_{self.name}"
        yield f"# HELP {name} {self.help}"
        yield f"# TYPE {name} {self.kind}"
        for labels, value in self.samples:
            yield f"{name}{_written(labels)} {value}"


def _written(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def text(server: Server) -> str:
    """All metrics of a server."""
    return "".join(f"{line}\n" for metric in metrics(server) for line in metric.lines())


def metrics(server: Server) -> Iterator[Metric]:
    """What there is to count: of the server, of its targets, and of their units."""
    yield _one("build_info", "gauge", "Which version this is.", 1, version=version("trioscsi"))
    yield from _of_server(server)
    yield from _of_targets(server)
    yield from _of_units(server)


def _one(name: str, kind: str, about: str, value: float, **labels: str) -> Metric:
    return Metric(name, kind, about, ((labels, value),))


def _of_server(server: Server) -> Iterator[Metric]:
    usage = getrusage(RUSAGE_SELF)
    yield _one(
        "connections", "gauge", "Transport connections that are open.", len(server.conversations)
    )
    yield _one(
        "connections_total",
        "counter",
        "Transport connections that were let in.",
        server.reception.accepted,
    )
    yield _one(
        "refusals_total",
        "counter",
        "Logins, PDUs and keys that were refused.",
        server.refusals.total,
    )
    yield _one(
        "output_bytes",
        "gauge",
        "Bytes that peers have still to read.",
        server.reception.backlog.size,
    )
    yield _one(
        "cpu_seconds_total",
        "counter",
        "Processor time of the server's process.",
        round(usage.ru_utime + usage.ru_stime, 3),
    )


def _of_targets(server: Server) -> Iterator[Metric]:
    named = [({"target": node.name}, node) for node in server.nodes if node.name]
    yield Metric(
        "sessions",
        "gauge",
        "Sessions, failed ones included.",
        tuple((labels, len(node.sessions)) for labels, node in named),
    )
    yield Metric(
        "tasks",
        "gauge",
        "SCSI commands that are not answered.",
        tuple((labels, sum(len(each.tasks) for each in node.sessions)) for labels, node in named),
    )


def _of_units(server: Server) -> Iterator[Metric]:
    units = [
        ({"target": target.name, "lun": str(unit.logical.number)}, unit.logical)
        for target in server.targets.values()
        for unit in target.performer.units
    ]
    counted = [(labels, unit.counters, unit.block_size) for labels, unit in units]
    yield Metric(
        "commands_total",
        "counter",
        "Commands that read, write or verify blocks.",
        tuple(
            (labels, value)
            for labels, counters, _ in counted
            for labels, value in _each(labels, counters, "")
        ),
    )
    yield Metric(
        "bytes_total",
        "counter",
        "What these commands named, in bytes.",
        tuple(
            ({**labels, "operation": word}, getattr(counters, _BLOCKS[word]) * size)
            for labels, counters, size in counted
            for word, _ in _OPERATIONS
        ),
    )
    yield Metric(
        "failed_commands_total",
        "counter",
        "Commands that storage failed.",
        tuple(
            (labels, value)
            for labels, counters, _ in counted
            for labels, value in _each(labels, counters, "failed_")
        ),
    )
    yield Metric(
        "capacity_bytes",
        "gauge",
        "The size of the unit.",
        tuple((labels, unit.blocks * unit.block_size) for labels, unit in units),
    )


def _each(labels: Labels, counters: Counters, prefix: str) -> Iterable[tuple[Labels, float]]:
    """The counters of each operation, such as ``failed_reads``."""
    for word, name in _OPERATIONS:
        yield {**labels, "operation": word}, getattr(counters, prefix + name)
