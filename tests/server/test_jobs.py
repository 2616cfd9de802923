from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trioscsi import BackendError
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
