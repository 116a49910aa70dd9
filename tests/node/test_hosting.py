"""Jobs and visits, on managers of our own; threads without sockets or disks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio

from paxos.errors import ForkedProcess, NodeClosed
from paxos.node.hosting import Host

LIMIT = 20.0


@asynccontextmanager
async def number() -> AsyncIterator[int]:
    yield 7


@contextmanager
def hosted(interrupt: threading.Event | None = None) -> Iterator[Host[int]]:
    host = Host(number(), lambda _: (interrupt or threading.Event()).set())
    host.start()
    try:
        assert host.inside.entered.result(LIMIT) == 7
        yield host
    finally:
        host.inside.leave()
        host.inside.ended.result(LIMIT)


def test_a_job_returns_or_raises_what_the_coroutine_does() -> None:
    async def five() -> int:
        await trio.sleep(0)
        return 5

    async def fail() -> None:
        raise LookupError("no")

    with hosted() as host:
        assert host.job(five).done.result(LIMIT) == 5
        with pytest.raises(LookupError):
            host.job(fail).done.result(LIMIT)


def test_a_job_is_cancelled_once_and_its_neighbours_are_not() -> None:
    async def slow() -> None:
        await trio.sleep_forever()

    with hosted() as host:
        one, other = host.job(slow), host.job(slow)
        one.cancel()
        with pytest.raises(CancelledError):
            one.done.result(LIMIT)
        assert not other.done.done()
    with pytest.raises(NodeClosed):
        other.done.result(LIMIT)
    with pytest.raises(NodeClosed):
        host.job(slow).done.result(LIMIT)


def test_a_manager_that_cancels_its_body_waits_for_the_body_to_end() -> None:
    steps: list[str] = []
    lost, interrupted = threading.Event(), threading.Event()

    @asynccontextmanager
    async def losing() -> AsyncIterator[str]:
        with trio.CancelScope() as scope:
            try:
                async with trio.open_nursery() as nursery:

                    async def lose() -> None:
                        await trio.to_thread.run_sync(lost.wait)
                        scope.cancel()

                    nursery.start_soon(lose)
                    yield "term"
                    nursery.cancel_scope.cancel()
            finally:
                steps.append("resigned")

    with hosted() as host:
        visit = host.visit(losing(), lambda _: interrupted.set())
        assert visit.entered.result(LIMIT) == "term"
        lost.set()
        assert interrupted.wait(LIMIT)
        steps.append("the body ends")
        visit.leave()
        visit.ended.result(LIMIT)
    assert steps == ["the body ends", "resigned"]


def test_entering_can_be_cancelled_and_what_was_entered_cannot() -> None:
    @asynccontextmanager
    async def never() -> AsyncIterator[None]:
        await trio.sleep_forever()
        yield

    with hosted() as host:
        visit = host.visit(never(), lambda _: None)
        visit.cancel()
        with pytest.raises(CancelledError):
            visit.entered.result(LIMIT)
        visit.ended.result(LIMIT)
        other = host.visit(number(), lambda _: None)
        assert other.entered.result(LIMIT) == 7
        other.cancel()
        other.leave()
        other.ended.result(LIMIT)


def test_what_cannot_be_entered_says_why() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise LookupError("no such file")
        yield

    host = Host(broken(), lambda _: None)
    host.start()
    with pytest.raises(LookupError):
        host.inside.entered.result(LIMIT)
    host.inside.ended.result(LIMIT)


def test_a_manager_that_breaks_down_ends_the_jobs_and_says_why_in_the_end() -> None:
    broken, interrupted = trio.Event(), threading.Event()

    @asynccontextmanager
    async def breaking() -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:

            async def break_down() -> None:
                await broken.wait()
                raise LookupError("a bug")

            nursery.start_soon(break_down)
            yield

    host = Host(breaking(), lambda _: interrupted.set())
    host.start()
    host.inside.entered.result(LIMIT)
    job = host.job(trio.sleep_forever)
    host.soon(broken.set)
    assert interrupted.wait(LIMIT)
    with pytest.raises(NodeClosed):
        job.done.result(LIMIT)
    host.inside.leave()
    with pytest.raises(ExceptionGroup, match="nursery"):
        host.inside.ended.result(LIMIT)
    with pytest.raises(NodeClosed) as late:
        host.job(trio.sleep_forever).done.result(LIMIT)
    assert late.value.__cause__ is host.inside.ended.exception()


@asynccontextmanager
async def slow() -> AsyncIterator[int]:
    await trio.sleep_forever()
    yield 7


class Late(Host[int]):
    """Whose thread is not the first to run."""

    def __init__(self) -> None:
        super().__init__(slow(), lambda _: None)
        self.gate = threading.Event()

    def _run(self) -> None:
        self.gate.wait(LIMIT)
        super()._run()


def test_what_is_asked_before_trio_runs_is_done_as_soon_as_it_does() -> None:
    """Such as by Ctrl-C, or a program that ends at once: else nobody would ever leave."""
    host = Late()
    host.start()
    host.inside.cancel()
    assert host.inside.leave()
    host.gate.set()
    with pytest.raises(CancelledError):
        host.inside.entered.result(LIMIT)
    host.inside.ended.result(LIMIT)
    host.join()


def test_where_trio_cannot_run_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: object) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(trio, "run", run)
    host = Host(number(), lambda _: None)
    host.start()
    with pytest.raises(OSError, match="too many open files"):
        host.inside.entered.result(LIMIT)
    host.inside.leave()
    host.inside.ended.result(LIMIT)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_is_told_to_open_its_own() -> None:
    with hosted() as host:
        child = os.fork()
        if child == 0:
            try:
                host.job(trio.sleep_forever)
            except ForkedProcess as error:
                os._exit(0 if "open a node in each process" in str(error) else 2)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert not host.forked


def test_a_program_that_just_ends_leaves_first() -> None:
    code = """
from contextlib import asynccontextmanager
from paxos.node.hosting import Host
import trio
@asynccontextmanager
async def node():
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.01)
        print("resigned", flush=True)
host = Host(node(), print)
host.start()
host.inside.entered.result(20)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "resigned\n", "")
