"""Reads that ask nobody, because a lease holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.node.clock import Clock
from paxos.node.cluster import Timing
from tests.node.house import SUSPICION, TIMEOUTS, House

OpenHouse = Callable[..., House]
ON = Timing(lease_reads=True)


async def led(house: House) -> str:
    """Start all; return the leader's name once it has a lease."""
    await house.start()
    leader = await house.leader()
    await house.node(leader.leader).propose(b"x")
    await trio.sleep(1)
    return leader.leader


def leased(house: House, name: str) -> int:
    return house.node(name).statistics()["leased_reads"]


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
async def test_leader_with_a_lease_sends_nothing_for_a_read(
    open_house: OpenHouse, autojump_clock: MockClock, nodes: int
) -> None:
    house = open_house(nodes, timing=ON)
    leader = await led(house)
    sent, now = house.node(leader).statistics()["udp_sent"], trio.current_time()
    for _ in range(100):
        await house.node(leader).barrier(lease=True)
    assert leased(house, leader) == 100
    assert house.node(leader).statistics()["udp_sent"] == sent
    assert trio.current_time() == now


async def test_every_node_reads_what_was_answered_before(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(timing=ON)
    leader = await led(house)
    for number in range(30):
        await house.node(house.names[number % 3]).propose(b"%d" % number)
        for name in house.names:
            await house.node(name).barrier(lease=True)
            assert house.applied(name)[-1] == b"%d" % number
    assert leased(house, leader) == 30
    assert sum(leased(house, name) for name in house.names) == 30


async def test_off_by_default(open_house: OpenHouse, autojump_clock: MockClock) -> None:
    house = open_house()
    leader = await led(house)
    await house.node(leader).barrier(lease=True)
    assert leased(house, leader) == 0
    assert house.services(leader).roles.proposer.candidacy.heartbeats.lease.until == {}


async def test_reader_waits_until_what_is_in_flight_is_applied(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(timing=ON)
    leader = await led(house)
    node = house.node(leader)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.propose, b"y")
        while node._services.roles.proposer.leased_point() == node.position:
            await trio.lowlevel.checkpoint()
        assert house.applied(leader) == [b"x"]
        await node.barrier(lease=True)
        assert house.applied(leader) == [b"x", b"y"]
    assert leased(house, leader) == 1
    assert node.statistics()["readers"] == 0


async def test_deposed_leader_that_hears_nobody_reads_no_old_state(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    """It reads as long as nobody can have written, and not a moment longer."""
    house = open_house(timing=ON)
    first = await led(house)
    others = [name for name in house.names if name != first]
    was = house.node(first).leader
    house.isolate(first)
    began = trio.current_time()
    with trio.move_on_after(1):
        while True:
            await house.node(first).barrier(lease=True)
            await trio.sleep(0.001)
            until = trio.current_time()
            assert {house.node(name).leader for name in others} <= {None, was}
    assert leased(house, first) > 20
    assert until - began < SUSPICION / 2
    await house.leader(*others)
    await house.node(others[0]).propose(b"new")
    with trio.move_on_after(1) as in_vain:
        await house.node(first).barrier(lease=True)
    assert in_vain.cancelled_caught
    house.network.heal()
    with trio.fail_after(TIMEOUTS):
        await house.node(first).barrier(lease=True)
    assert house.applied(first) == [b"x", b"new"]


async def test_leader_whose_machine_was_suspended_asks_again(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trio's clock stands still meanwhile."""
    house = open_house(timing=ON)
    leader = await led(house)
    monkeypatch.setattr(Clock, "asleep", lambda self: 0.1)
    await house.node(leader).barrier(lease=True)
    assert leased(house, leader) == 0
    await trio.sleep(0.1)
    await house.node(leader).barrier(lease=True)
    assert leased(house, leader) == 1


async def test_failover_takes_no_longer(open_house: OpenHouse, autojump_clock: MockClock) -> None:
    house = open_house(timing=ON)
    for _ in range(3):
        first = await led(house)
        with trio.fail_after(4 * SUSPICION):
            await house.crash(first)
            await house.leader(*(name for name in house.names if name != first))
        for name in house.up:
            await house.stop(name)


async def test_node_with_an_empty_disk_is_readmitted_beside_a_leader_with_a_lease(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(timing=ON)
    leader = await led(house)
    lost = next(name for name in house.names if name != leader)
    await house.crash(lost)
    house.journals.pop(lost)
    await house.start(lost)
    with trio.fail_after(60):
        while not house.node(lost).status(1).voting:
            await trio.sleep(0.01)


async def test_node_that_is_closed_says_so(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(timing=ON)
    leader = await led(house)
    node = house.node(leader)
    await house.stop(leader)
    with pytest.raises(paxos.NodeClosed):
        await node.barrier(lease=True)
