"""Who stands in an election: the queue, its order, and who leaves it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

import paxos
from tests.node.hall import ROUNDS, Hall

OpenHall = Callable[..., Awaitable[Hall]]


async def test_campaigning_twice_on_one_node_is_refused_and_harms_neither_the_first_term(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    billing = hall.election("node1")
    async with billing.lead() as term:
        with pytest.raises(paxos.ElectionRefused, match="node1 stands in billing already"):
            await billing.lead().__aenter__()
        await trio.sleep(3)
        term.check()
    async with billing.lead() as again:
        assert again.epoch == 2


async def test_campaigning_again_at_once_waits_until_the_first_part_has_ended(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    billing = hall.election("node1")
    for epoch in range(1, 20):
        async with billing.lead() as term:
            assert term.epoch == epoch


async def test_candidate_that_dies_in_the_queue_does_not_delay_those_behind_it(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    holder, dying, last = "node1", "node2", "node3"
    if (await hall.house.leader()).leader == dying:
        holder, dying = dying, holder
    hall.hold(holder)
    term = await hall.epoch(1)
    hall.hold(dying)
    await hall.candidates(dying)
    hall.hold(last)
    await hall.candidates(dying, last)
    await hall.house.crash(dying)
    await trio.sleep(2 * hall.lease)
    await hall.candidates(last)
    resigned = trio.current_time()
    await term.resign()
    await hall.epoch(2)
    assert hall.terms[2].leadership.leader == last
    assert hall.began[2] - resigned < ROUNDS


async def test_candidate_that_has_just_died_costs_at_most_its_lease(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    dying = await hall.follower()
    first, last = hall.others(dying)
    hall.hold(first)
    term = await hall.epoch(1)
    hall.hold(dying)
    await hall.candidates(dying)
    hall.hold(last)
    await hall.candidates(dying, last)
    await hall.house.crash(dying)
    await term.resign()
    start = trio.current_time()
    await hall.epoch(3)  # the dead one was appointed, and expired
    assert trio.current_time() - start < 1.1 * hall.lease + ROUNDS


async def test_candidate_that_dies_together_with_the_leader_costs_nothing_more(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall(5)
    log_leader = (await hall.house.leader()).leader
    holder, dying, last = hall.others(log_leader)[:3]
    hall.hold(holder)
    await hall.epoch(1)
    hall.hold(dying)
    await hall.candidates(dying)
    hall.hold(last)
    await hall.candidates(dying, last)
    await trio.sleep(2.1)
    died = trio.current_time()
    await hall.house.crash(holder)
    await hall.house.crash(dying)
    await hall.epoch(2)
    assert hall.terms[2].leadership.leader == last
    drift = hall.house.cluster.timing.drift
    assert hall.began[2] - died < hall.lease * (1 + drift) + ROUNDS


async def test_cancelled_campaign_leaves_the_queue(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    hall.hold("node1")
    await hall.epoch(1)
    for patience in (0.0, 0.0005, 0.001, 0.002, 0.005, 0.5):
        with trio.move_on_after(patience):
            async with hall.election("node2").lead():
                pytest.fail("two leaders")
        await hall.candidates()


async def test_priority_comes_first_and_then_who_came_first(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall(5)
    hall.hold("node1")
    term = await hall.epoch(1)
    order = [("node2", 0), ("node3", 7), ("node4", 0), ("node5", 7)]
    for name, priority in order:
        hall.hold(name, seconds=0.1, priority=priority)
        await trio.sleep(0.05)
    await hall.candidates("node3", "node5", "node2", "node4")
    await term.resign()
    await hall.stop(5)
    leaders = [hall.terms[epoch].leadership.leader for epoch in range(2, 6)]
    assert leaders == ["node3", "node5", "node2", "node4"]


async def test_higher_priority_deposes_nobody(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    hall.hold("node1")
    term = await hall.epoch(1)
    hall.hold("node2", priority=100)
    await trio.sleep(5)
    term.check()


async def test_elections_are_independent_and_share_one_stream_of_renewals(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    names = [f"shard-{number}" for number in range(1000)]
    leading: set[str] = set()

    async def hold(name: str) -> None:
        with contextlib.suppress(paxos.LeadershipLost):
            async with hall.house.node("node1").election(name).lead():
                leading.add(name)
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(hold, name)
        with trio.fail_after(5):
            while len(leading) < len(names):
                await trio.sleep(0.01)
        before = hall.house.frontier("node2")
        await trio.sleep(10 * hall.lease)
        assert hall.house.frontier("node2") - before <= 41
        await hall.house.crash("node1")
        with trio.fail_after(2 * hall.lease):
            async with hall.house.node("node2").election(names[-1]).lead() as term:
                assert term.epoch == 2


async def test_hand_over_to_who_is_no_candidate_is_refused_and_changes_nothing(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    with pytest.raises(paxos.ElectionRefused, match="nobody leads billing"):
        await hall.election("node1").transfer("node2")
    hall.hold("node1")
    term = await hall.epoch(1)
    with pytest.raises(paxos.ElectionRefused, match="node2 is no candidate of billing"):
        await hall.election("node3").transfer("node2")
    assert await hall.election("node3").transfer("node1") == term.leadership
    term.check()


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", 7, None])
async def test_name_that_no_election_can_have_is_refused(
    open_hall: OpenHall, autojump_clock: MockClock, name: str
) -> None:
    hall = await open_hall(1)
    with pytest.raises(paxos.ElectionRefused, match="printable"):
        hall.house.node("node1").election(name)


async def test_priority_beyond_bounds_is_refused(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall(1)
    for priority in (1 << 31, -(1 << 31), "high"):
        with pytest.raises(paxos.ElectionRefused, match="a priority is a whole number"):
            await hall.election("node1").lead(priority=priority).__aenter__()  # type: ignore[arg-type]


async def test_closed_node_refuses_to_stand(open_hall: OpenHall, autojump_clock: MockClock) -> None:
    hall = await open_hall()
    billing = hall.election("node1")
    await hall.house.stop("node1")
    with pytest.raises(paxos.NodeClosed):
        await billing.lead().__aenter__()


async def test_candidate_whose_session_was_lost_while_it_waited_campaigns_again_by_itself(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    waiting = await hall.follower()
    holder, other = hall.others(waiting)
    hall.hold(holder)
    term = await hall.epoch(1)
    hall.hold(waiting)
    await hall.candidates(waiting)
    hall.house.isolate(waiting)
    await trio.sleep(3 * hall.lease)
    assert hall.election(other).candidates() == ()
    hall.house.network.heal()
    await hall.candidates(waiting)
    await term.resign()
    await hall.epoch(2)
    assert hall.terms[2].leadership.leader == waiting
