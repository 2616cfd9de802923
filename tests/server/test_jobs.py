from __future__ import annotations

from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trioscsi import BackendError
from trioscsi.scsi import Refusal
from trioscsi.scsi.complaints import out_of_range
from trioscsi.server.jobs import Jobs


async def test_a_job_begins_when_the_target_is_served(nursery: trio.Nursery) -> None:
    jobs, done = Jobs(1), trio.Event()

    async def job() -> None:
        done.set()

    assert jobs.start(job, "job")
    await wait_all_tasks_blocked()
    assert not done.is_set()
    nursery.start_soon(jobs.run)
    await done.wait()


async def test_there_are_never_more_than_there_may_be(nursery: trio.Nursery) -> None:
    jobs, go_on = Jobs(2), trio.Event()
    nursery.start_soon(jobs.run)
    assert [jobs.start(go_on.wait, "job") for _ in range(3)] == [True, True, False]
    go_on.set()
    await wait_all_tasks_blocked()
    assert jobs.start(go_on.wait, "job")


async def test_a_job_that_is_refused_is_no_fault(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    jobs = Jobs(1)

    async def begin() -> None:
        raise Refusal(out_of_range(7))

    nursery.start_soon(jobs.run)
    jobs.start(begin, "job")
    await wait_all_tasks_blocked()
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("INFO", None)
    assert record.message.startswith("job ended early: its unit is not as it was")


async def test_the_jobs_of_a_unit_can_be_cut_off(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    jobs, unit, other = Jobs(4), object(), object()
    nursery.start_soon(jobs.run)
    jobs.start(partial(trio.sleep, 10), "long", unit)
    jobs.start(partial(trio.sleep, 20), "longer", unit)
    jobs.start(partial(trio.sleep, 30), "another's", other)
    with trio.move_on_after(15):
        await jobs.over(unit)
    assert trio.current_time() == 15
    await jobs.stop(unit)
    assert trio.current_time() == 15
    await jobs.over(unit)
    await jobs.over(other)
    assert trio.current_time() == 30


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BackendError("broken"), "job: storage failed: broken"),
        (ValueError("oops"), "job ended by a fault of ours"),
    ],
)
async def test_a_job_that_fails_ends_alone(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, error: Exception, line: str
) -> None:
    jobs = Jobs(2)

    async def fail() -> None:
        raise error

    nursery.start_soon(jobs.run)
    jobs.start(fail, "job")
    await wait_all_tasks_blocked()
    assert caplog.messages == [line]
    assert jobs.start(fail, "job")
