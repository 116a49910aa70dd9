from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

import paxos
from tests.node.house import SUSPICION, TIMEOUTS, House, shaky

OpenHouse = Callable[..., House]


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
async def test_after_a_barrier_every_node_has_what_was_answered_before(
    open_house: OpenHouse, autojump_clock: MockClock, nodes: int
) -> None:
    house = open_house(nodes)
    await house.start()
    for number in range(10):
        writer = house.names[number % nodes]
        await house.node(writer).propose(b"%d" % number)
        for reader in house.names:
            await house.node(reader).barrier()
            assert house.applied(reader)[number] == b"%d" % number


async def test_barriers_of_many_tasks_share_rounds_and_write_nothing(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    _, follower = await house.led()
    node = house.node(follower)
    await node.propose(b"x")
    await trio.sleep(1)
    before = [house.node(name).statistics()["records"] for name in house.names]
    sent = node.statistics()["udp_sent"]
    async with trio.open_nursery() as nursery:
        for _ in range(1000):
            nursery.start_soon(node.barrier)
    assert node.statistics()["udp_sent"] - sent < 20
    assert [house.node(name).statistics()["records"] for name in house.names] == before
    assert node.statistics()["readers"] == 0


async def test_deposed_leader_that_hears_nobody_answers_no_read(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    others = [name for name in house.names if name != first.leader]
    await house.node(first.leader).propose(b"old")
    house.isolate(first.leader)
    with trio.move_on_after(SUSPICION / 2) as too_early:  # it still believes to lead
        await house.node(first.leader).barrier()
    assert too_early.cancelled_caught
    assert house.node(first.leader).leader == first
    await house.leader(*others)
    await house.node(others[0]).propose(b"new")
    with trio.move_on_after(5) as in_vain:
        await house.node(first.leader).barrier()
    assert in_vain.cancelled_caught
    house.network.heal()
    with trio.fail_after(TIMEOUTS):
        await house.node(first.leader).barrier()
    assert house.applied(first.leader) == [b"old", b"new"]


async def test_node_that_hears_no_leader_reads_through_a_node_that_does(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, outcast = await house.led()
    house.cut([outcast], [leader])
    await trio.sleep(2)
    await house.node(leader).propose(b"x")
    with trio.fail_after(TIMEOUTS):
        await house.node(outcast).barrier()
    assert house.applied(outcast) == [b"x"]


async def test_node_that_its_leader_does_not_hear_reads_through_another(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, mute = await house.led()
    house.network.cut(house.address(mute), house.address(leader))
    await house.node(leader).propose(b"x")
    with trio.fail_after(TIMEOUTS):
        await house.node(mute).barrier()
    assert house.applied(mute) == [b"x"]


async def test_barrier_waits_for_a_leader_and_survives_the_loss_of_one(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(3, shaky(loss=0.1))
    await house.start()
    for number in range(5):
        first = await house.leader()
        reader = next(name for name in house.names if name != first.leader)
        await house.node(reader).propose(b"%d" % number)
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(house.node(reader).barrier)
            await house.crash(first.leader)
            with trio.fail_after(TIMEOUTS):
                await house.node(reader).barrier()
        await house.start(first.leader)


async def test_read_point_that_is_lost_with_its_leader_delays_a_reader_by_a_failover_only(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    """The leader proposes what reaches nobody, says so in a read point, and is lost."""
    house = open_house()
    first, reader = await house.led()
    house.services(first).roles.proposer.candidacy.proposer.state.next_slot += 5  # type: ignore[union-attr]
    with trio.move_on_after(0.1):
        await house.node(reader).barrier()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.node(reader).barrier)
        await trio.sleep(0.1)
        assert house.node(reader).statistics()["readers"] == 1
        await house.crash(first)
        nursery.cancel_scope.deadline = trio.current_time() + TIMEOUTS
    assert not nursery.cancel_scope.cancelled_caught


async def test_position_of_one_node_carried_to_another_gives_monotonic_reads(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, other = await house.led()
    await house.node(leader).propose(b"x")
    position = house.node(leader).position
    house.isolate(other)
    with trio.move_on_after(1) as too_early:
        await house.node(other).barrier(at_least=position)
    assert too_early.cancelled_caught
    house.network.heal()
    with trio.fail_after(TIMEOUTS):
        await house.node(other).barrier(at_least=position)
    assert house.applied(other) == [b"x"]
    house.isolate(other)
    await house.node(other).barrier(at_least=position)  # asks nobody


async def test_node_that_closes_tells_its_readers(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start("node1")
    node = house.node("node1")
    errors: list[str] = []

    async def read(at_least: int | None) -> None:
        with pytest.raises(paxos.NodeClosed) as caught:
            await node.barrier(at_least=at_least)
        errors.append(str(caught.value))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, None)
        nursery.start_soon(read, 10)
        await trio.sleep(0.1)
        await house.stop("node1")
    await read(None)
    assert len(errors) == 3
