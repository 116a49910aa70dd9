"""What may wait does, for a moment; and nobody waits for what does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

from paxos.node.post import PATIENCE
from paxos.protocol.messages import Chosen
from paxos.replicated.pending import FULL_BATCH
from paxos.testing import Faults
from paxos.wire import encode
from tests.node.house import House

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
