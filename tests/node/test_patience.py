"""What may wait does, for a moment; and nobody waits for what does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from paxos.journal import MemoryJournal
from paxos.node.post import PATIENCE
from paxos.protocol.messages import Accept, Accepted, Chosen, Message
from paxos.protocol.records import Record, Voted
from paxos.replicated.pending import FULL_BATCH
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.routing import Role
from paxos.testing import Faults
from paxos.wire import encode
from tests.node.house import TIMEOUTS, House

OpenHouse = Callable[..., House]

DELAY = 0.0001
"""Of every datagram, in seconds."""

STEADY = Faults(shortest=DELAY, longest=DELAY)


@contextmanager
def takes(delays: int, most: float = 0.0) -> Iterator[None]:
    """Demand so many delays of the network, and at most so many seconds more."""
    began = trio.current_time()
    yield
    took = trio.current_time() - began
    assert delays * DELAY <= took + 1e-9 <= delays * DELAY + most + 1e-6


async def settled(open_house: OpenHouse) -> tuple[House, str, list[str]]:
    """A cluster with a leader that has nothing to do."""
    house = open_house(faults=STEADY, max_datagram=60_000)
    leader, _ = await house.led()
    await trio.sleep(1)
    return house, leader, [name for name in house.names if name != leader]


async def test_command_of_the_leader_takes_one_round(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, _ = await settled(open_house)
    for number in range(5):
        with takes(2):
            await house.node(leader).propose(b"%d" % number)
        await trio.sleep(number * PATIENCE / 2)


async def test_command_of_a_follower_waits_for_nobodys_patience(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, followers = await settled(open_house)
    for number in range(5):
        with takes(4):
            await house.node(followers[0]).propose(b"%d" % number)
    await house.node(leader).propose(b"the followers hear of this later")
    with takes(4):
        await house.node(followers[1]).propose(b"another")


async def test_read_after_a_command_waits_for_nobodys_patience(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, followers = await settled(open_house)
    await house.node(leader).propose(b"a")
    with takes(4):
        await house.node(followers[0]).barrier()
    assert house.applied(followers[0]) == [b"a"]


async def test_reader_elsewhere_waits_for_nobodys_patience_with_what_is_under_way(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    """As where the votes for a slot below its read point take longer than to find that point."""
    house, leader, followers = await settled(open_house)

    def delay(delays: int) -> None:
        for name in followers:
            faults = Faults(shortest=delays * DELAY, longest=delays * DELAY)
            house.network.set_faults(house.address(leader), house.address(name), faults)

    async with trio.open_nursery() as nursery:
        delay(4)
        nursery.start_soon(house.node(leader).propose, b"a")
        await trio.sleep(DELAY / 2)
        delay(1)
        with takes(6 - 1, DELAY):
            await house.node(followers[0]).barrier()
    assert house.applied(followers[0]) == [b"a"]


async def test_others_hear_what_was_chosen_with_the_next_proposal_or_a_little_later(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, leader, followers = await settled(open_house)
    node = house.node(leader)
    sent = node.statistics()["datagrams_out"]
    for number in range(10):
        await node.propose(b"%d" % number)
    assert node.statistics()["datagrams_out"] - sent == 2 * 10
    with takes(1, PATIENCE):
        while len(house.applied(followers[0])) < 10:
            await trio.sleep(DELAY / 10)
    assert node.statistics()["datagrams_out"] - sent <= 2 * 11 + 2


@pytest.fixture
def learner_turns(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each node's learner was woken."""
    turns, turn = Counter[str](), Roles.turn

    def counted(self: Roles, role: Role, *arguments: Any) -> Turn:
        turns[self.learner.learner.name] += role == "learner"
        return turn(self, role, *arguments)

    monkeypatch.setattr(Roles, "turn", counted)
    return turns


async def test_follower_learns_several_slots_at_once_where_nothing_waits(
    open_house: OpenHouse, autojump_clock: MockClock, learner_turns: Counter[str]
) -> None:
    house, leader, followers = await settled(open_house)
    learner_turns.clear()
    for number in range(40):
        await house.node(leader).propose(b"%d" % number)
    assert all(1 <= learner_turns[name] <= 10 for name in followers)
    await trio.sleep(PATIENCE + 2 * DELAY)
    assert [len(house.applied(name)) for name in house.names] == [40, 40, 40]


async def test_follower_learns_each_slot_as_it_comes_where_a_task_waits_for_it(
    open_house: OpenHouse,
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    learner_turns: Counter[str],
) -> None:
    house, leader, (one, other) = await settled(open_house)

    async def follow() -> None:
        async for _ in house.node(one).decisions():
            pass

    nursery.start_soon(follow)
    await trio.sleep(1)
    learner_turns.clear()
    for number in range(40):
        await house.node(leader).propose(b"%d" % number)
    assert learner_turns[one] >= 39
    assert learner_turns[other] <= 10


async def test_read_at_a_follower_waits_for_nobodys_patience_while_others_propose(
    open_house: OpenHouse, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    house, leader, followers = await settled(open_house)

    async def propose() -> None:
        for number in count():
            await house.node(leader).propose(b"%d" % number)

    nursery.start_soon(propose)
    for number in range(20):
        await trio.sleep(0.001 + number * DELAY / 7)
        with takes(4, 4 * DELAY):  # the leader asks the others, and what it answered is chosen
            await house.node(followers[0]).barrier()


async def withheld(open_house: OpenHouse) -> tuple[House, str, list[str], int]:
    """Followers that did not look at the last news, from a leader that is gone; and its slot."""
    house, leader, followers = await settled(open_house)
    node = house.node(leader)
    await node.propose(b"a")
    slot = node.position - 1
    with trio.move_on_after(DELAY * 1.5):
        await node.propose(b"b")
    house.isolate(*house.names[:2])
    house.isolate(*house.names[1:])
    assert [house.node(name).position for name in followers] == [slot, slot]
    return house, leader, followers, slot


async def test_news_that_came_before_somebody_waited_for_it_is_heard_at_once(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, _, (one, other), slot = await withheld(open_house)
    with trio.fail_after(1), takes(0):
        await house.node(one).barrier(at_least=slot + 1)
    with trio.fail_after(1), takes(0):
        await anext(house.node(other).decisions())
    assert house.applied(one) == house.applied(other) == [b"a"]


async def test_news_is_heard_when_the_leader_is_lost(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, _, followers, slot = await withheld(open_house)
    await trio.sleep(TIMEOUTS)
    assert [house.node(name).position for name in followers] == [slot + 1, slot + 1]


async def test_news_that_comes_along_with_no_proposal_is_heard_at_once(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, followers = await settled(open_house)
    node = house.node(leader)
    await node.propose(b"a")
    with takes(2):  # it asks the others, and tells them by the way
        await node.barrier()
    assert all(house.node(name).position == node.position for name in followers)


async def test_what_is_patient_goes_along_with_what_is_urgent_and_waits_no_longer_than_it_may(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, (one, other) = await settled(open_house)
    post = house.services(leader).post
    ballot = house.node(leader).status(0).ballot
    sent = post.statistics()["datagrams_out"]

    def count() -> int:
        return post.statistics()["datagrams_out"] - sent

    chosen = Chosen(ballot, 0)  # known to all: nothing comes of it
    assert len(encode(chosen)) < 100
    post.send((one,), chosen)
    post.dispatch()
    assert count() == 0
    await trio.sleep(PATIENCE / 2)
    post.send((other,), chosen)
    post.dispatch()
    assert count() == 0
    await trio.sleep(PATIENCE / 2 + DELAY)
    assert count() == 2
    post.send((one,), chosen)
    post.dispatch(urgent=True)
    assert count() == 3


async def test_long_proposals_go_one_by_one_so_that_the_others_begin_at_once(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, _ = await settled(open_house)
    node = house.node(leader)
    slots, sent = node.position, node.statistics()["datagrams_out"]
    commands = [b"%04d" % number + bytes(96) for number in range(3 * FULL_BATCH)]
    with takes(2):
        await node.propose_many(commands)
    assert node.position - slots == 3
    assert node.statistics()["datagrams_out"] - sent == 2 * 3


class Witnessed(MemoryJournal):
    """Keeps in which slots its node has voted."""

    def __init__(self) -> None:
        super().__init__()
        self.voted: list[int] = []

    def write(self, records: Sequence[Record]) -> None:
        self.voted += [record.slot for record in records if isinstance(record, Voted)]
        super().write(records)


@pytest.mark.parametrize("nodes", [3, 5])
async def test_leader_does_not_vote_for_what_the_others_choose_meanwhile(
    open_house: OpenHouse, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, nodes: int
) -> None:
    house = open_house(nodes)
    house.open_journal = Witnessed
    leader, _ = await house.led()
    journal, post = house.journals[leader], house.services(leader).post
    others = [name for name in house.names if name != leader]
    send = post.send

    async def answer(accept: Accept) -> None:  # in the next turn of the loop, as it hears datagrams
        for name in others[: nodes // 2 + 1]:
            post.deliver(name, Accepted(accept.ballot, accept.slot))

    def answered_at_once(targets: tuple[str, ...], message: Message) -> None:
        if isinstance(message, Accept):
            nursery.start_soon(answer, message)
        send(targets, message)

    monkeypatch.setattr(post, "send", answered_at_once)
    await trio.sleep(1)
    assert isinstance(journal, Witnessed)
    before = len(journal.voted)
    for number in range(20):  # tasks run in an order that differs each time
        await house.node(leader).propose(b"%d" % number)
    assert journal.voted[before:] == []


async def test_leader_votes_as_soon_as_the_others_do_not_answer_at_once(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    house.open_journal = Witnessed
    leader, _ = await house.led()
    journal = house.journals[leader]
    assert isinstance(journal, Witnessed)
    before = len(journal.voted)
    await house.node(leader).propose(b"a")
    assert len(journal.voted) == before + 1
