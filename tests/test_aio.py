"""Whole nodes on loopback, from asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import paxos
import paxos.aio
from paxos.aio import _Block, _brought
from paxos.node.hosting import Host, Visit
from tests.machines import Adder

LIMIT = 20.0


def run(function: Callable[[], Any]) -> Any:
    return asyncio.run(asyncio.wait_for(function(), LIMIT))


def opened(folder: Path, nodes: int = 1) -> AbstractAsyncContextManager[paxos.Node]:
    return paxos.aio.open_node(
        paxos.Cluster.local(nodes), "node1", data=folder / "1.db", machine=Adder()
    )


def test_tasks_propose_together_and_watch(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as node:
            answers = await asyncio.gather(*(node.propose(b"1") for _ in range(50)))
            assert sorted(int(answer) for answer in answers) == list(range(1, 51))
            await node.barrier()
            async for leadership in node.leaderships():
                if leadership is not None:
                    break
            assert str(leadership) == str(node.leader) == "leader=node1, epoch=1"
            assert node.name == "node1"
            assert node.statistics()["waiting"] == 0
            with pytest.raises(paxos.CommandFailed):
                await node.propose(b"x")
        with pytest.raises(paxos.NodeClosed):
            await node.propose(b"1")

    run(main)


def test_a_cancelled_task_withdraws_its_command(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, nodes=3) as node:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await node.propose(b"1")
            assert node.statistics()["waiting"] == 0

    run(main)


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        cluster = paxos.Cluster.local(1)
        async with paxos.aio.open_node(cluster, "node9", data=tmp_path / "9", machine=Adder()):
            pass

    with pytest.raises(paxos.ConfigError, match="is no member"):
        run(main)


def test_a_leader_in_asyncio_causes_effects_once_and_can_resign(tmp_path: Path) -> None:
    charged: list[paxos.Intent] = []

    async def charge(intent: paxos.Intent) -> bytes:
        await asyncio.sleep(0)
        charged.append(intent)
        return b"receipt"

    async def look_up(intent: paxos.Intent) -> bytes | None:
        raise AssertionError("nothing was tried before")

    async def main() -> None:
        async with opened(tmp_path) as node:
            billing, effects = node.election("billing"), node.effects("billing")
            async with billing.lead() as term:
                term.check()
                assert await billing.leader() == term.leadership
                calls = (effects.once("ann/1", charge, look_up) for _ in range(3))
                assert await asyncio.gather(*calls) == [b"receipt"] * 3
                await term.resign()
                raise AssertionError("the body goes on")
            with pytest.raises(paxos.NotLeading):
                await effects.once("bob/1", charge, look_up)
            async for view in billing.observe():
                assert view.leadership is None
                break

    run(main)
    assert charged == [paxos.Intent("billing", "ann/1", 1)]


class Stage:
    """A manager of the node's thread that loses its body when told to."""

    def __init__(self, raised: Exception | None = None) -> None:
        self.raised = raised
        self.lost = trio.Event()
        self.steps: list[str] = []

    @asynccontextmanager
    async def manager(self) -> AsyncIterator[str]:
        async with trio.open_nursery() as nursery:

            async def lose() -> None:
                await self.lost.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(lose)
            try:
                yield "term"
            finally:
                self.steps.append("left")
            nursery.cancel_scope.cancel()
        if self.lost.is_set() and self.raised is not None:
            raise self.raised

    def block(self) -> _Block[str]:
        def begin(interrupt: Callable[[object], object]) -> Visit[str]:
            self.host = Host(self.manager(), interrupt)
            self.host.start()
            return self.host.inside

        return _Block(begin)

    def lose(self) -> None:
        self.host.soon(self.lost.set)


def test_a_lost_block_is_cancelled_and_ends_before_its_manager() -> None:
    stage = Stage()

    async def main() -> str:
        async with stage.block() as term:
            assert term == "term"
            stage.lose()
            try:
                await asyncio.sleep(LIMIT)
            finally:
                await asyncio.sleep(0.01)
                stage.steps.append("body")
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)
        return "after"

    assert run(main) == "after"
    assert stage.steps == ["body", "left"]


def test_a_lost_block_raises_what_its_manager_raises() -> None:
    stage = Stage(LookupError("deposed"))

    async def main() -> None:
        async with stage.block():
            stage.lose()
            await asyncio.sleep(LIMIT)

    with pytest.raises(LookupError, match="deposed"):
        run(main)


def test_a_block_that_is_lost_and_cancelled_at_once_is_cancelled() -> None:
    stage = Stage()

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        async with stage.block():
            stage.lose()
            try:
                await asyncio.sleep(LIMIT)
            except asyncio.CancelledError:
                task.cancel()
                raise

    with pytest.raises(asyncio.CancelledError):
        run(main)
    assert stage.steps == ["left"]


def test_a_block_that_ends_by_itself_is_left_normally() -> None:
    stage = Stage(LookupError("never"))

    async def main() -> None:
        async with stage.block():
            await asyncio.sleep(0)

    run(main)
    assert stage.steps == ["left"]


def test_a_block_is_entered_once_and_left_all_the_same() -> None:
    stage = Stage()

    async def main() -> None:
        block = stage.block()
        async with block:
            with pytest.raises(RuntimeError, match="entered before"):
                await block.__aenter__()

    run(main)
    stage.host.join()
    assert stage.steps == ["left"]


def test_the_error_of_a_body_comes_out_as_it_is() -> None:
    error = LookupError("mine")

    async def main() -> None:
        async with Stage().block():
            raise error

    with pytest.raises(LookupError) as caught:
        run(main)
    assert caught.value is error


def test_the_nodes_thread_calls_into_the_loop_and_cancels_there() -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def act(number: int) -> int:
            if number:
                return number + 1
            try:
                await asyncio.sleep(LIMIT)
            finally:
                cancelled.set()
            return 0

        brought = _brought(act)

        async def in_trio() -> int:
            with trio.move_on_after(0.01):
                await brought(0)
            result: int = await brought(4)
            return result

        async def quick(function: Callable[[], Any]) -> Any:
            return await function()

        assert await asyncio.to_thread(trio.run, in_trio) == 5
        assert await asyncio.to_thread(trio.run, quick, _brought(lambda: act(7))) == 8
        assert await asyncio.to_thread(trio.run, quick, _brought(lambda: 9)) == 9
        assert cancelled.is_set()

    run(main)
