from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from paxos.replicated.values import Leadership
from tests.node.house import TIMEOUTS, House, shaky

OpenHouse = Callable[..., House]


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5])
async def test_a_cluster_that_starts_elects_one_leader(
    open_house: OpenHouse, autojump_clock: MockClock, nodes: int
) -> None:
    house = open_house(nodes)
    await house.start()
    leader = await house.leader(within=TIMEOUTS)
    assert leader.epoch == 1


async def test_followers_of_a_crashed_leader_elect_the_next_epoch(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    await house.crash(first.leader)
    second = await house.leader(within=TIMEOUTS)
    assert second.leader != first.leader
    assert second.epoch == 2


async def test_leader_that_stops_cleanly_is_replaced_without_waiting_for_silence(
    open_house: OpenHouse,
    autojump_clock: MockClock,
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    await house.stop(first.leader)
    start = trio.current_time()
    second = await house.leader()
    assert second.epoch == 2
    assert trio.current_time() - start < house.cluster.timing.suspicion / 2


async def test_leader_without_a_quorum_steps_down_and_says_why(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    house.isolate(first.leader)
    with trio.fail_after(TIMEOUTS):
        while house.node(first.leader).leader is not None:
            await trio.sleep(0.001)
    status = house.node(first.leader).status(0)
    assert status.role == "candidate"
    assert "only 0 of 2 others hear it" in status.why
    others = [name for name in house.names if name != first.leader]
    second = await house.leader(*others, within=TIMEOUTS)
    house.network.heal()
    assert await house.leader(within=TIMEOUTS) == second


async def test_node_that_was_cut_off_and_returns_deposes_nobody(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    leader = await house.leader()
    outcast = next(name for name in house.names if name != leader.leader)
    for _ in range(3):
        house.isolate(outcast)
        await trio.sleep(3)
        house.network.heal()
        await house.node(leader.leader).propose(f"after {trio.current_time()}".encode())
        assert await house.leader(within=TIMEOUTS) == leader
    assert house.epochs(leader.leader) == [leader]


async def test_node_that_restarts_deposes_nobody(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    leader = await house.leader()
    other = next(name for name in house.names if name != leader.leader)
    for _ in range(5):
        await house.crash(other)
        await trio.sleep(0.05)
        await house.start(other)
        assert await house.leader(within=TIMEOUTS) == leader


async def test_all_nodes_see_the_same_history_of_leaderships(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(3, shaky(loss=0.05))
    await house.start()
    for _ in range(8):
        leader = await house.leader()
        await house.crash(leader.leader)
        await house.leader()
        await house.start(leader.leader)
    await house.leader()
    await house.agreed()
    histories = [house.epochs(name) for name in house.names]
    assert histories[0] == histories[1] == histories[2]
    assert len(histories[0]) >= 9


async def test_leaderships_tells_every_change_with_none_between(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    watcher = next(name for name in house.names if name != first.leader)
    seen: list[Leadership | None] = []
    async for leadership in house.node(watcher).leaderships():
        seen.append(leadership)
        if leadership == first:
            await house.crash(first.leader)
        elif leadership is not None:
            break
    assert seen[:2] == [first, None]
    assert seen[-1] is not None
    assert seen[-1].epoch == 2


async def test_chain_of_nodes_finds_a_stable_leader(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    """1-2 and 2-3 are up, 1-3 is cut, 3 leads; 1 keeps trying."""
    house = open_house()
    await house.start("node2", "node3")
    first = await house.leader()
    if first.leader == "node2":
        await house.crash("node2")
        await house.start("node2")
        first = await house.leader()
    house.cut(["node1"], ["node3"])
    await house.start("node1")
    await trio.sleep(TIMEOUTS)
    leader = await house.leader("node2", "node3")
    await trio.sleep(10)
    assert await house.leader("node2", "node3") == leader
    with trio.fail_after(TIMEOUTS):
        assert await house.node("node1").propose(b"from node1") == b"1:from node1"


async def test_only_node_with_a_quorum_leads_although_it_lags(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    """The leader is isolated; only one node reaches a quorum, and it lags: it catches up."""
    house = open_house(5)
    await house.start()
    first = await house.leader()
    hub, *others = [name for name in house.names if name != first.leader]
    house.isolate(hub)
    for number in range(20):
        await house.node(first.leader).propose(b"%d" % number)
    house.network.heal()
    house.isolate(first.leader)
    for one in others:
        house.cut([one], [name for name in others if name != one])
    start = trio.current_time()
    with trio.fail_after(TIMEOUTS):
        await house.node(hub).propose(b"decided by the hub")
    second = await house.leader(hub, *others)
    assert second.leader == hub
    assert trio.current_time() - start < TIMEOUTS
    assert len(house.applied(hub)) == 21


async def test_partitioned_leader_decides_nothing_and_follows_after_the_heal(
    open_house: OpenHouse,
    autojump_clock: MockClock,
) -> None:
    house = open_house(5)
    await house.start()
    first = await house.leader()
    minority = [first.leader, next(n for n in house.names if n != first.leader)]
    majority = [name for name in house.names if name not in minority]
    house.isolate(*minority)
    answers: list[bytes] = []

    async def propose(name: str, command: bytes) -> None:
        answers.append(await house.node(name).propose(command))

    async with trio.open_nursery() as nursery:
        for name in minority:
            nursery.start_soon(propose, name, b"minority " + name.encode())
        second = await house.leader(*majority)
        await trio.sleep(2)
        assert answers == []
        await propose(majority[0], b"majority")
        assert house.applied(minority[0]) == house.applied(minority[1]) == []
        house.network.heal()
    assert answers[0] == b"1:majority"
    assert len(answers) == 3
    assert (await house.agreed())[0] == b"majority"
    assert await house.leader() == second


async def test_minority_never_decides(open_house: OpenHouse, autojump_clock: MockClock) -> None:
    house = open_house(5)
    await house.start("node1", "node2")
    with trio.move_on_after(20) as waiting:
        await house.node("node1").propose(b"x")
    assert waiting.cancelled_caught
    assert house.node("node1").leader is None
    status = house.node("node1").status(0)
    assert "only 2 of 5 members answer" in status.why
    assert "3 are needed" in status.why
    await house.start("node3")
    assert await house.node("node3").propose(b"y")


async def test_crashed_process_is_replaced_long_before_its_silence_is_suspicious(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    await trio.sleep(1)
    await house.crash(first.leader)
    start = trio.current_time()
    await house.leader()
    assert trio.current_time() - start < house.cluster.timing.suspicion / 4


async def test_forged_refusals_depose_nobody(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    for _ in range(100):
        for name in house.names:
            if name != first.leader:
                house.network.refuse(house.address(name), house.address(first.leader))
        await trio.sleep(0.01)
    assert await house.leader() == first


async def test_who_watches_a_node_hears_that_it_knows_of_no_leader_when_it_is_closed(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    _, other = await house.led()
    node = house.node(other)
    seen = node.leaderships()
    assert await anext(seen) == node.leader is not None
    await house.stop(other)
    with trio.fail_after(1):
        assert await anext(seen) is None
    assert node.leader is None
