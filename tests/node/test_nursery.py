from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.journal import MemoryJournal
from paxos.node.nursery import open_nursery
from paxos.testing import Network
from tests.node.house import Recorder, cluster_of


class BlockError(Exception):
    pass


async def fail(error: Exception) -> None:
    raise error


async def open_and_raise(error: BaseException, *others: Exception) -> None:
    async with open_nursery() as nursery:
        for other in others:
            nursery.start_soon(fail, other)
        if others:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
        raise error


async def test_error_of_the_block_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    error = BlockError()
    with pytest.raises(BlockError) as caught:
        await open_and_raise(error)
    assert caught.value is error
    assert error.__context__ is None


async def test_errors_that_came_together_are_a_group(autojump_clock: MockClock) -> None:
    with pytest.RaisesGroup(BlockError, ZeroDivisionError):
        await open_and_raise(BlockError(), ZeroDivisionError())


async def test_cancellation_passes_through(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1) as outside:
        async with open_nursery():
            await trio.sleep_forever()
    assert outside.cancelled_caught


async def test_error_inside_a_nodes_block_needs_no_group_to_be_caught(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cluster, network = cluster_of(1), Network(1)
    nursery.start_soon(network.deliver)

    async def use_node() -> None:
        async with paxos.open_node(
            cluster,
            "node1",
            data=MemoryJournal(),
            machine=Recorder(),
            transport=network.open(("host1", 1)),
        ):
            raise BlockError

    with pytest.raises(BlockError):
        await use_node()
