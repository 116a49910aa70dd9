from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from paxos.errors import OutcomeUnknown, StateDiverged
from paxos.journal import MemoryJournal
from paxos.replicated.divergence import COMPARED_EVERY
from paxos.replicated.events import StateDiverged as Diverging
from paxos.replicated.messages import Query, Submit
from tests.node.house import TIMEOUTS, House

OpenHouse = Callable[..., House]

NUMBERS = count()


async def grow(house: House, name: str, until: int) -> None:
    """Let the log grow past a position at which states are compared."""
    with trio.fail_after(60):
        while house.frontier(name) <= until:
            await house.node(name).propose(b"%d" % next(NUMBERS))


def spoil(house: House, name: str) -> None:
    """Let a node's state machine answer as no other does."""
    machine = house.lives[name].machine
    apply = machine.apply
    machine.apply = lambda command: apply(command) + b"!"  # type: ignore[method-assign]


async def test_node_whose_state_differs_stops_and_says_so(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, other = await house.led()
    spoil(house, other)
    await grow(house, leader, COMPARED_EVERY)
    await trio.sleep(1)
    status = house.node(other).status(1)
    assert not status.voting
    assert f"below slot {COMPARED_EVERY} differs from that of" in status.why
    for name in house.names:
        assert house.node(name).status(1).voting == (name != other)
    with pytest.raises(StateDiverged, match="not deterministic"):
        await house.node(other).propose(b"more")
    with pytest.raises(StateDiverged):
        await house.node(other).barrier()
    desk = house.services(other).desk
    async with trio.open_nursery() as nursery:  # clients are left to the other members
        desk._take(nursery, "client-1", Submit(1, b"more"))
        desk._take(nursery, "client-1", Query(2, b"what"))
    stopped = house.frontier(other)
    await grow(house, leader, COMPARED_EVERY + 20)
    assert house.frontier(other) == stopped


async def test_leader_whose_state_differs_makes_way(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, _ = await house.led()
    spoil(house, leader)
    others = [name for name in house.names if name != leader]
    await grow(house, others[0], COMPARED_EVERY)
    assert (await house.leader(*others, within=TIMEOUTS)).leader != leader
    await house.node(others[1]).propose(b"goes on")


async def test_who_waits_at_a_node_that_has_diverged_is_told(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, other = await house.led()
    spoil(house, other)
    told: list[type[Exception]] = []

    async def propose_for_ever() -> None:
        try:
            while True:
                await house.node(other).propose(b"%d" % next(NUMBERS))
        except (OutcomeUnknown, StateDiverged) as error:
            told.append(type(error))

    async def wait_far_ahead() -> None:
        try:
            await house.node(other).barrier(at_least=10_000)
        except StateDiverged as error:
            told.append(type(error))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(propose_for_ever)
            nursery.start_soon(wait_far_ahead)
            await grow(house, leader, COMPARED_EVERY)
    assert len(told) == 2


async def test_node_with_a_fresh_journal_has_the_state_of_the_others_again(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, other = await house.led()
    spoil(house, other)
    await grow(house, leader, COMPARED_EVERY)
    await trio.sleep(1)
    assert house.node(other).status(1).why
    await house.crash(other)
    house.journals[other] = MemoryJournal()
    await house.start(other)
    await grow(house, leader, 2 * COMPARED_EVERY)
    await trio.sleep(1)
    assert house.frontier(other) > 2 * COMPARED_EVERY
    with trio.fail_after(TIMEOUTS):
        await house.node(other).propose(b"again")


async def test_command_of_a_client_at_a_node_that_diverges_is_left_to_the_other_members(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    _, other = await house.led()
    desk = house.services(other).desk
    house.isolate(other)
    async with trio.open_nursery() as nursery:
        desk._take(nursery, "client-1", Submit(1, b"a client's"))
        await trio.sleep(1)
        replies: list[object] = []
        desk._post.send = lambda targets, message: replies.append(message)  # type: ignore[method-assign]
        house.services(other).happened(Diverging(0, "it differs"))
    assert replies == []
