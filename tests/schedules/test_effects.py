"""Schedules of leases and effects that need a resource outside of the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.fencing import Guard, StaleEpoch
from tests.node.conftest import open_hall, open_house
from tests.node.hall import Hall

__all__ = ["open_hall", "open_house"]  # the fixtures

OpenHall = Callable[..., Awaitable[Hall]]


async def test_check_then_pause_is_stopped_by_the_guarded_resource(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    """Schedule 26: it checks its term, is stopped for three leases, resumes and acts."""
    hall = await open_hall()
    guard, acted = Guard(), list[int]()

    async def successor() -> None:
        async with hall.election("node2").lead() as term:
            with guard.admit(term.epoch):
                acted.append(term.epoch)
            await trio.sleep_forever()

    async def leader() -> None:
        async with hall.election("node1").lead() as term:
            hall.nursery.start_soon(successor)
            with guard.admit(term.epoch):
                acted.append(term.epoch)
            hall.house.isolate("node1")
            term.check()  # all is well, and here it is stopped
            with trio.CancelScope(shield=True):
                await trio.sleep(3 * hall.lease)
            with pytest.raises(StaleEpoch), guard.admit(term.epoch):
                acted.append(term.epoch)

    with pytest.raises(paxos.LeadershipLost):
        await leader()
    assert acted == [1, 2]


async def test_retry_after_a_lost_answer_charges_once_also_after_a_restart_of_all(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    """Schedule 28: the outcome was decided, its answer lost, and everything was restarted."""
    hall = await open_hall()
    charged: list[str] = []

    async def charge(intent: paxos.Intent) -> bytes:
        charged.append(intent.key)
        return b"receipt"

    async def look_up(_: paxos.Intent) -> bytes | None:
        raise AssertionError("the log knows")

    for _ in range(3):
        async with hall.election("node1").lead():
            effects = hall.house.node("node1").effects("billing")
            assert await effects.once("ann/1", charge, look_up) == b"receipt"
        for name in hall.house.names:
            await hall.house.crash(name)
        await hall.house.start()
    assert charged == ["ann/1"]
