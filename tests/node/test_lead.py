from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.journal import MemoryJournal
from paxos.node.desk import Desk
from paxos.testing import Network
from tests.node.hall import ROUNDS, Hall
from tests.node.house import TIMEOUTS, Recorder, cluster_of

OpenHall = Callable[..., Awaitable[Hall]]


async def test_the_only_candidate_leads_and_resigns_at_the_end_of_the_block(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    billing = hall.election("node2")
    start = trio.current_time()
    async with billing.lead(b"address") as term:
        assert trio.current_time() - start < ROUNDS
        assert term.epoch == 1
        assert str(term.leadership) == "leader=node2, epoch=1"
        term.check()
        for name in hall.house.names:
            assert await hall.election(name).leader() == term.leadership
            assert hall.election(name).view.value == b"address"
    assert await billing.leader() is None
    assert billing.view.reason == "resigned"
    with pytest.raises(paxos.LeadershipLost, match="it has resigned") as lost:
        term.check()
    assert lost.value.reason == "resigned"


async def test_next_candidate_leads_a_few_rounds_after_a_resignation(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    for name in ("node2", "node1", "node3"):
        hall.hold(name, seconds=5)
        await trio.sleep(0.1)
    await hall.stop(3, within=20)
    assert [hall.terms[n].leadership.leader for n in (1, 2, 3)] == ["node2", "node1", "node3"]
    for epoch in (2, 3):
        assert 0 < hall.began[epoch] - hall.stopped[epoch - 1] < ROUNDS
    assert hall.lost == {}


async def test_crashed_leader_is_replaced_within_the_lease_and_a_few_rounds(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    holder = (await hall.house.leader()).leader  # the log's leader dies with the holder
    hall.hold(holder)
    await hall.epoch(1)
    hall.hold(hall.others(holder)[0])
    await trio.sleep(3.21)
    died = trio.current_time()
    await hall.house.crash(holder)
    await hall.epoch(2)
    drift = hall.house.cluster.timing.drift
    assert hall.lease / 2 < hall.began[2] - died < hall.lease * (1 + drift) + ROUNDS


async def test_body_is_cancelled_before_another_is_appointed_when_the_leader_is_cut_off(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    hall.hold("node1")
    await hall.epoch(1)
    hall.hold("node2")
    await trio.sleep(2)
    hall.house.isolate("node1")
    await hall.epoch(2)
    assert hall.stopped[1] < hall.began[2]
    hall.house.network.heal()
    await trio.sleep(ROUNDS)
    assert hall.lost == {1: "disconnected"}


async def test_term_outlives_leaders_of_the_log_and_keeps_its_epoch(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall(5)
    holder = await hall.follower()
    hall.hold(holder)
    term = await hall.epoch(1)
    hall.hold(hall.others(holder)[-1])
    while (leader := (await hall.house.leader()).leader) != holder and len(hall.house.up) > 3:
        await trio.sleep(0.9)
        await hall.house.crash(leader)
        await trio.sleep(3)
        term.check()
    assert len(hall.house.up) < 5
    assert await hall.election(holder).leader() == term.leadership


async def test_restarted_holder_is_replaced_at_once(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    holder = await hall.follower()
    successor = hall.others(holder)[0]
    hall.hold(holder)
    await hall.epoch(1)
    hall.hold(successor)
    await trio.sleep(2)
    views = hall.election(successor).observe()
    assert (await anext(views)).leadership is not None
    await hall.house.crash(holder)
    restarted = trio.current_time()
    await hall.house.start(holder)
    await hall.epoch(2)
    assert hall.began[2] - restarted < hall.house.cluster.timing.suspicion
    assert (await anext(views)).reason == "restarted"


async def test_stopped_node_is_replaced_at_once_also_when_it_is_cancelled(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    holder = await hall.follower()
    for epoch in (1, 3):
        hall.hold(holder)
        await hall.epoch(epoch)
        hall.hold(hall.others(holder)[0], seconds=1)
        await hall.candidates(hall.others(holder)[0])
        if epoch == 1:
            hall.house.lives[holder].scope.cancel()
        else:
            hall.house.lives[holder].stop.set()
        await hall.epoch(epoch + 1)
        assert 0 < hall.began[epoch + 1] - hall.stopped[epoch] < ROUNDS
        await hall.house.lives[holder].ended.wait()
        await hall.house.start(holder)
    assert hall.lost == {1: "resigned", 3: "resigned"}
    for epoch in (1, 3):
        with pytest.raises(paxos.LeadershipLost, match="its node was closed"):
            hall.terms[epoch].check()


async def test_term_of_a_node_that_fails_is_over_at_once_and_disconnected(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, terms = trio.Event(), list[paxos.Term]()

    async def fail(_: Desk) -> None:
        await broken.wait()
        raise LookupError("a bug")

    monkeypatch.setattr(Desk, "run", fail)
    cluster, network = cluster_of(1), Network(1)
    transport = network.open(("node1", 0))
    opened = paxos.open_node(
        cluster, "node1", data=MemoryJournal(), machine=Recorder(), transport=transport
    )
    with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
        async with opened as node, node.election("billing").lead() as term:
            terms.append(term)
            start = trio.current_time()
            broken.set()
            await trio.sleep_forever()
    assert trio.current_time() == start
    with pytest.raises(paxos.LeadershipLost, match="its node was closed") as lost:
        terms[0].check()
    assert lost.value.reason == "disconnected"


async def test_observer_sees_each_change_in_order_with_its_reason(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    views = hall.election("node3").observe()
    async with hall.election("node1").lead(b"a") as term:
        await term.proclaim(b"b")
        assert term.epoch == 1
    async with hall.election("node2").lead(b"c"):
        pass
    seen = [await anext(views) for _ in range(6)]
    assert [f"{view} {view.value.decode()}".strip() for view in seen] == [
        "nobody (nobody has led yet)",
        "leader=node1, epoch=1 a",
        "leader=node1, epoch=1 b",
        "nobody (resigned)",
        "leader=node2, epoch=2 c",
        "nobody (resigned)",
    ]


async def test_hand_over_goes_to_the_named_candidate_within_a_few_rounds(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    hall.hold("node1")
    await hall.epoch(1)
    hall.hold("node2", priority=5)
    hall.hold("node3")
    await hall.candidates("node2", "node3")
    leadership = await hall.election("node2").transfer("node3")
    assert leadership == paxos.Leadership("node3", 2, "billing")
    await hall.epoch(2)
    assert 0 < hall.began[2] - hall.stopped[1] < ROUNDS
    assert hall.lost == {1: "deposed"}


async def test_nobody_is_elected_without_a_quorum(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    hall.house.isolate("node1")
    hall.hold("node1")
    await trio.sleep(TIMEOUTS)
    assert hall.terms == {}
    hall.house.network.heal()
    await hall.epoch(1)


async def test_candidate_that_is_cut_off_remembers_no_renewal_but_the_last(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    follower = await hall.follower()
    hall.hold(hall.others(follower)[0])
    await hall.epoch(1)
    hall.hold(follower)
    await trio.sleep(1)
    hall.house.isolate(follower)
    await trio.sleep(30 * hall.lease)
    services = hall.house.services(follower)
    assert services.roles.numbers > 100
    assert len(services.elections._decrees) + len(services.roles.proposer.own) < 5
    hall.house.network.heal()
    await hall.candidates(follower)
