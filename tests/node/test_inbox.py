from __future__ import annotations

import trio
from trio.testing import MockClock

from paxos.node.inbox import MAX_PATIENT, Inbox
from paxos.node.timers import Timers
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Learn
from paxos.replicated.messages import Resigned


async def test_everything_that_waits_is_drained_at_once_in_order() -> None:
    inbox = Inbox()
    inbox.put("a", Learn(0, 1))
    inbox.put("b", Learn(2, 3))
    assert list(await inbox.drain()) == [("a", Learn(0, 1)), ("b", Learn(2, 3))]


async def test_full_inbox_drops_and_counts_but_never_an_alarm() -> None:
    inbox = Inbox(bound=1)
    inbox.put("a", Learn(0, 1))
    inbox.put("a", Learn(2, 3))
    inbox.put("", None)
    assert inbox.dropped == 1
    assert list(await inbox.drain()) == [("a", Learn(0, 1)), ("", None)]


async def test_a_source_that_floods_displaces_no_other() -> None:
    inbox = Inbox(bound=2)
    for number in range(100):
        inbox.put("wild", Learn(number, number))
    inbox.put("calm", Learn(0, 1))
    assert inbox.dropped == 98
    assert [source for source, _ in await inbox.drain()] == ["wild", "wild", "calm"]
    inbox.put("wild", Learn(0, 1))
    assert len(await inbox.drain()) == 1


async def test_reader_wakes_for_a_message_and_survives_cancellation(
    autojump_clock: MockClock,
) -> None:
    inbox = Inbox()
    with trio.move_on_after(1):
        await inbox.drain()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 1)
        inbox.put("a", Learn(0, 1))
    assert len(await inbox.drain()) == 1


async def test_message_that_can_wait_wakes_nobody_and_is_kept_until_another_does(
    autojump_clock: MockClock,
) -> None:
    inbox = Inbox(can_wait=lambda _, message, *, company: isinstance(message, Learn))
    drained: list[list[object]] = []

    async def read() -> None:
        drained.append([message for _, message in await inbox.drain()])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(1)
        inbox.put("a", Learn(0, 1))
        inbox.put("a", Learn(2, 3))
        await trio.sleep(1)
        assert drained == []
        inbox.put("a", Resigned(Ballot(1, "a")))
    assert drained == [[Learn(0, 1), Learn(2, 3), Resigned(Ballot(1, "a"))]]


async def test_reader_can_be_woken_for_a_message_that_could_wait(
    autojump_clock: MockClock,
) -> None:
    inbox = Inbox(can_wait=lambda *_, company: True)
    inbox.hurry()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.drain)
        await trio.sleep(1)
        inbox.hurry()
        inbox.put("a", Learn(0, 0))
        await trio.sleep(1)
        assert nursery.child_tasks
        inbox.hurry()
        await trio.sleep(1)
        assert not nursery.child_tasks


async def test_so_many_messages_that_can_wait_wake_the_reader_that_memory_stays_bounded(
    autojump_clock: MockClock,
) -> None:
    inbox = Inbox(can_wait=lambda *_, company: True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.drain)
        await trio.sleep(1)
        for number in range(MAX_PATIENT):
            assert nursery.child_tasks
            inbox.put("a", Learn(number, number))


async def test_later_alarm_replaces_the_earlier_one(autojump_clock: MockClock) -> None:
    timers, rung = Timers(), list[float]()
    timers.register("learner", lambda: rung.append(trio.current_time()))
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timers.run)
        timers.set("learner", 1, 1)
        timers.set("learner", 2, 2)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert [round(at - start, 6) for at in rung] == [2]
