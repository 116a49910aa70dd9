"""A term, and those who watch it: what users of etcd's and Curator's recipes rely on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.journal import MemoryJournal
from paxos.node.board import MAX_VIEWS
from paxos.node.clock import Clock
from tests.node.hall import ROUNDS, Hall

OpenHall = Callable[..., Awaitable[Hall]]


async def test_resigning_twice_is_resigning_once(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    views = hall.election("node2").observe()
    hall.hold("node1")
    term = await hall.epoch(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(term.resign)
        nursery.start_soon(term.resign)
    await term.resign()
    with pytest.raises(paxos.LeadershipLost) as lost:
        term.check()
    assert lost.value.reason == "resigned"
    assert hall.lost == {}  # the block ends without an error
    assert [str(await anext(views)) for _ in range(3)] == [
        "nobody (nobody has led yet)",
        "leader=node1, epoch=1",
        "nobody (resigned)",
    ]


async def test_resigning_inside_the_body_ends_it_there_and_the_block_without_an_error(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    async with hall.election("node1").lead() as term:
        await term.resign()
        pytest.fail("the body went on")
    assert await hall.election("node1").leader() is None


async def test_term_is_resigned_only_after_a_body_that_is_slow_to_stop(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    stopped = 0.0

    async def work() -> None:
        nonlocal stopped
        async with hall.election("node1").lead() as term:
            hall.terms[1] = term
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0.6)
                stopped = trio.current_time()

    hall.nursery.start_soon(work)
    term = await hall.epoch(1)
    hall.hold("node2")
    await hall.candidates("node2")
    await term.resign()
    await hall.epoch(2)
    assert 0 < hall.began[2] - stopped < ROUNDS


async def test_body_that_fails_resigns_and_its_error_is_passed_on(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    with pytest.raises(ZeroDivisionError):
        async with hall.election("node1").lead():
            raise ZeroDivisionError
    assert await hall.election("node2").leader() is None


async def test_body_that_hides_its_cancellation_is_told_of_the_loss_at_the_end(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    error: paxos.LeadershipLost | None = None

    async def work() -> None:
        nonlocal error
        try:
            async with hall.election("node1").lead() as term:
                hall.terms[1] = term
                with trio.CancelScope(shield=True):
                    await trio.sleep(3)
        except paxos.LeadershipLost as lost:
            error = lost

    hall.nursery.start_soon(work)
    await hall.epoch(1)
    hall.house.isolate("node1")
    await trio.sleep(3)
    assert error is not None
    assert error.reason == "disconnected"


async def test_observer_that_comes_late_sees_the_last_state_first(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    async with hall.election("node1").lead(b"x"):
        await hall.election("node2").leader()
        view = await anext(hall.election("node2").observe())
        assert (str(view), view.value) == ("leader=node1, epoch=1", b"x")


async def test_observer_that_falls_behind_misses_some_changes_but_never_the_last(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    views = hall.election("node2").observe()
    async with hall.election("node1").lead() as term:
        for number in range(MAX_VIEWS + 10):
            await term.proclaim(b"%d" % number)
        await hall.election("node2").leader()
    await hall.election("node2").leader()
    seen = [await anext(views) for _ in range(MAX_VIEWS)]
    assert views.missed > 0
    assert seen[0].leadership is not None
    assert seen[-1].reason == "resigned"
    with trio.move_on_after(1):
        await anext(views)
        pytest.fail("there was nothing left to see")


async def test_lost_leader_campaigns_again_in_a_loop_with_a_new_epoch(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    epochs: list[int] = []

    async def serve() -> None:
        while True:
            try:
                async with hall.election("node1").lead() as term:
                    epochs.append(term.epoch)
                    await trio.sleep_forever()
            except paxos.LeadershipLost:
                continue

    hall.nursery.start_soon(serve)
    for _ in range(3):
        await trio.sleep(1)
        hall.house.isolate("node1")
        await trio.sleep(3)
        hall.house.network.heal()
    await trio.sleep(1)
    assert epochs == [1, 2, 3, 4]


async def test_proclaiming_is_for_the_leader_only_and_bounded(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    async with hall.election("node1").lead() as term:
        with pytest.raises(paxos.ElectionRefused, match="the most is 4,096"):
            await term.proclaim(bytes(4097))
        with pytest.raises(TypeError):
            await term.proclaim("text")  # type: ignore[arg-type]
        await term.proclaim(b"new")
        assert (await hall.election("node2").leader()) == term.leadership
        assert hall.election("node2").view.value == b"new"
    with pytest.raises(paxos.LeadershipLost):
        await term.proclaim(b"late")


async def test_leader_of_a_node_whose_journal_failed_ends_in_time(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    holder = await hall.follower()
    hall.hold(holder)
    await hall.epoch(1)
    hall.hold(hall.others(holder)[0])
    journal = hall.house.journals[holder]
    assert isinstance(journal, MemoryJournal)
    journal.fail("the disk is full")
    await hall.epoch(2)
    assert hall.stopped[1] < hall.began[2]
    assert hall.lost == {1: "disconnected"}


async def test_machine_that_was_suspended_longer_than_its_lease_leads_no_more(
    open_hall: OpenHall, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = await open_hall()
    slept = 0.0
    monkeypatch.setattr(Clock, "asleep", lambda self: slept)
    hall.hold("node1")
    term = await hall.epoch(1)
    await trio.sleep(0.4)
    term.check()
    slept = 5.0  # Trio's clock does not know
    with pytest.raises(paxos.LeadershipLost):
        term.check()
    await hall.stop(1, within=hall.lease / 2)


async def test_check_fails_in_a_body_that_never_yields(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    with pytest.raises(paxos.LeadershipLost) as lost:  # noqa: PT012 - the block is what is tested
        async with hall.election("node1").lead() as term:
            for _ in range(1000):
                autojump_clock.jump(0.01)
                term.check()
    assert lost.value.reason == "stalled"


async def test_check_may_be_called_in_another_thread(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    hall.hold("node1")
    term = await hall.epoch(1)
    await trio.to_thread.run_sync(term.check)
    await term.resign()
    with pytest.raises(paxos.LeadershipLost):
        await trio.to_thread.run_sync(term.check)


async def test_valid_until_is_a_lease_less_the_drift_and_moves_on(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    async with hall.election("node1").lead() as term:
        for _ in range(20):
            left = term.valid_until - trio.current_time()
            assert hall.lease / 2 < left <= hall.lease * (1 - hall.house.cluster.timing.drift)
            await trio.sleep(0.3)
