"""What the benchmark does with its figures, and that its pieces run; nothing here is timed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.performance import micro, others, plot, report, soak, timeline
from tests.performance.__main__ import main
from tests.performance.cells import KIB, MIB, PROMISED, Cell, all_cells, choose
from tests.performance.conversation import BATCH, InMemory
from tests.performance.figures import Result, Sample, compare
from tests.performance.programs import BenchmarkError
from tests.performance.rude import MANNERS, Rude, leave_in_login
from tests.performance.servers import NAME, Trioscsi
from tests.performance.special import Special
from trioscsi import MemoryDisk
from trioscsi.pdu import DataIn, Framer, ScsiResponse

SVG = "{http://www.w3.org/2000/svg}"


def sample(iops, cpu=10.0):
    return Sample(iops, p50_us=20.0, p99_us=40.0, server_cpu_us=cpu, client_cpu_us=5.0)


def result(ours=(100, 220, 50), theirs=(100, 100, 100), cell=PROMISED[0]):
    return Result(
        cell,
        {
            "memory": [sample(iops) for iops in ours],
            "tgt": [sample(iops, 20.0) for iops in theirs],
            "echo": [sample(1000, 1.0)] * len(ours),
        },
    )


def found(results):
    return report.as_json(results, [], {}, {})


def shown(renderable):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


# --- Cells


def test_a_cell_is_named_by_its_shape():
    assert Cell(4 * KIB, 70, 16, 8).name == "4k-random-70-30-16x8"
    assert (
        Cell(KIB * KIB, 0, depth=4, sequential=True, digests=True).name
        == "1m-sequential-write-1x4-digests"
    )


def test_no_two_cells_have_the_same_name():
    names = [cell.name for cell in all_cells()]
    assert len(set(names)) == len(names)


def test_cells_are_chosen_by_a_part_of_the_name_or_by_a_pattern():
    assert choose((), quick=True) == PROMISED
    assert {cell.digests for cell in choose(("digests",), quick=True)} == {True}
    assert [cell.name for cell in choose(("4k-*-read-1x1",), quick=True)] == ["4k-random-read-1x1"]


# --- Statistics


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds():
    drifting = result(ours=(100, 220, 30), theirs=(50, 100, 10))
    assert drifting.throughput_to("memory", "tgt") == 2.2
    assert drifting.cpu_to("memory", "tgt") == 0.5
    assert drifting.spread("memory", "tgt") == (2.0, 3.0)


def test_there_is_no_ratio_to_what_was_not_measured():
    assert result().throughput_to("memory", "tgt-null") is None
    assert result().spread("memory", "tgt-null") is None


def test_megabytes_are_those_of_the_middle_round():
    assert result().megabytes("memory") == pytest.approx(100 * 4096 / 1e6)


def test_what_others_use_is_what_is_left_of_the_whole_machine(monkeypatch):
    seconds = iter([100.0, 101.5])
    monkeypatch.setattr(others, "busy_time", lambda: next(seconds))
    with others.Others(os.getpid()) as seen:
        seen._begun -= 1.0
    assert 0.5 < seen.cores <= 1.5


# --- Comparison


def test_a_cell_that_fell_by_a_tenth_is_found():
    changes = compare(found([result((100,), (100,))]), found([result((90,), (100,))]))
    assert [(change.figure, change.fell) for change in changes] == [
        ("throughput_to_tgt", True),
        ("cpu_to_tgt", False),
    ]


def test_more_cpu_time_is_a_fall():
    old, new = found([result()]), found([result()])
    name = PROMISED[0].name
    new["cells"][name]["memory"]["cpu_to_tgt"] *= 1.2
    assert [change.figure for change in compare(old, new) if change.fell] == ["cpu_to_tgt"]


def test_without_tgt_throughput_is_compared():
    old, new = result((100,)), result((80,))
    for one in (old, new):
        del one.samples["tgt"]
    assert [(change.figure, change.fell) for change in compare(found([old]), found([new]))] == [
        ("iops", True)
    ]


def test_cells_of_one_run_only_are_not_compared():
    assert compare(found([]), found([result()])) == []


# --- Writers


def test_the_json_file_has_all_figures_and_says_where_they_are_from(tmp_path):
    path = tmp_path / "figures.json"
    special = Special("to log in", "ms", {"trioscsi": 1.5})
    report.write_json(path, report.as_json([result()], [special], {"rounds": 3}, report.machine()))
    read = json.loads(path.read_text())
    ours = read["cells"][PROMISED[0].name]["memory"]
    assert ours["throughput_to_tgt"] == 1.0
    assert len(ours["samples"]) == 3
    assert read["special"] == {"to log in": {"unit": "ms", "trioscsi": 1.5}}
    assert {"commit", "when", "arguments"} < set(read)
    assert read["machine"]["cpus"] >= 1


def test_a_machine_that_is_busy_is_told_of():
    facts = {**report.machine(), "cpus": 2}
    assert "trust the ratios only" in report.conditions({**facts, "load": 1.5})
    assert "trust" not in report.conditions({**facts, "load": 0.1})


def test_the_table_has_every_server_of_every_cell():
    text = shown(report.table([result(), result(cell=PROMISED[1])]))
    for word in (PROMISED[0].name, PROMISED[1].name, "memory", "tgt", "echo", "wanted 2x"):
        assert word in text


def test_other_tables_show_their_figures():
    special = Special("to log in", "ms", {"trioscsi": 1.5, "tgt": 2.25}, wanted=3)
    assert "2.25" in shown(report.special_table([special]))
    changes = compare(found([result((100,), (100,))]), found([result((80,), (100,))]))
    assert "0.80" in shown(report.change_table(changes))


def test_the_plot_has_a_line_for_each_cell_and_a_mark_for_each_server():
    root = ET.fromstring(plot.svg([result(), result(cell=PROMISED[1])]))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {PROMISED[0].name, PROMISED[1].name} < set(texts)
    tips = [title.text for title in root.iter(f"{SVG}title")]
    assert f"{PROMISED[0].name}, this target, memory: 1.00" in tips
    assert "prefers-color-scheme: dark" in root.findtext(f"{SVG}style")


def test_marks_that_do_not_fit_stay_on_the_plot():
    root = ET.fromstring(plot.svg([result((1,), (1000,)), result((10**6,), (1,))]))
    width = float(root.get("viewBox").split()[2])
    assert all(0 < float(mark.get("cx")) < width for mark in root.iter(f"{SVG}circle"))


# --- Soaking


def soaked(*resident):
    looks = [soak.Look(60.0 * minute, size * MIB) for minute, size in enumerate(resident)]
    return soak.Soaked(looks, soak.Counts(loads=2, operations=3000))


def test_what_is_taken_while_warming_up_is_no_growth():
    assert soaked(10, 50, 50, 51, 50, 50).growth == 0


def test_what_is_taken_later_on_is_growth():
    assert soaked(10, 50, 51, 52, 53, 54).growth == 4 * MIB
    assert "3,000 operations in 2 loads" in soak.report(soaked(10, 50, 51, 52, 53, 54))
    assert "+4.00 MiB" in soak.report(soaked(10, 50, 51, 52, 53, 54))


def test_memory_over_time_is_drawn_from_the_first_look_to_the_last():
    root = ET.fromstring(timeline.svg(soaked(10, 50, 40)))
    points = [point.split(",") for point in root.find(f"{SVG}polyline").get("points").split()]
    assert [float(x) for x, _ in points] == [60.0, 380.0, 700.0]
    heights = [float(y) for _, y in points]
    assert heights[1] < heights[2] < heights[0]


def test_the_memory_of_a_process_that_has_ended_is_an_error(monkeypatch):
    assert soak.own_memory(os.getpid()) > MIB
    monkeypatch.setattr(soak.Path, "read_text", lambda self, encoding: "State: Z\n")
    with pytest.raises(BenchmarkError, match="has ended"):
        soak.own_memory(1)


def test_rude_initiators_harm_nobody(tmp_path):
    server = Trioscsi(tmp_path / "disk", 4 * MIB, tmp_path / "log")
    server.start()
    try:
        for unit in server.units:
            for manner in MANNERS:
                with Rude(unit.port, NAME, unit.lun, 1) as peer, suppress(ConnectionError):
                    manner(peer)
            leave_in_login(unit.port)
        with Rude(server.port, NAME, 0, 2) as peer:
            peer.abort_writes()
    finally:
        server.stop()
    assert "Traceback" not in (tmp_path / "log").read_text()


# --- The command, and the pieces


def test_the_help_has_an_example():
    output = CliRunner().invoke(main, ["--help"]).output
    assert "--quick --json new.json --compare old.json" in output


def test_a_pattern_without_a_cell_is_wrong_usage():
    done = CliRunner().invoke(main, ["--only", "8k"])
    assert done.exit_code == 2
    assert "no cell matches 8k" in done.output


@pytest.mark.parametrize("writing", [False, True])
@pytest.mark.parametrize("digests", [False, True])
def test_a_turn_in_memory_answers_every_command_with_good_status(writing, digests):
    conversation = InMemory(MemoryDisk(2**20), digests=digests)
    for received in conversation.turns(2, 4 * KIB, writing=writing):
        framer = Framer(262_144, header_digest=digests, data_digest=digests)
        framer.receive(b"".join(map(bytes, conversation.turn(received))))
        answers = list(iter(framer.next_pdu, None))
        assert [type(answer) for answer in answers] == [ScsiResponse if writing else DataIn] * BATCH
        assert {answer.status for answer in answers} == {0}


def test_every_piece_can_be_timed():
    with micro.disks() as opened:
        for piece in micro.pieces(opened):
            piece.prepare(1)()
