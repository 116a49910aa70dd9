"""While one node reaches a quorum both ways, decisions go on, whatever else is cut."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from tests.node.house import SUSPICION, House

OpenHouse = Callable[..., House]

FOUR_TIMEOUTS = 4 * SUSPICION
"""Nothing else is slow here, so no failure detector becomes more patient than its floor."""


def cut_all_but(house: House, kept: set[frozenset[str]], one_way: float) -> None:
    """Cut every link but these; of the others, keep one direction of some."""
    for source in house.names:
        for target in house.names:
            both = frozenset((source, target))
            if source != target and both not in kept and random.random() >= one_way:
                house.network.cut(house.address(source), house.address(target))


async def decide(house: House) -> None:
    """Let every node propose until one is answered."""
    async with trio.open_nursery() as nursery:

        async def propose(name: str) -> None:
            await house.node(name).propose(name.encode())
            nursery.cancel_scope.cancel()

        for name in house.names:
            nursery.start_soon(propose, name)


@pytest.mark.parametrize("one_way", [0.0, 0.3])
@pytest.mark.parametrize("hub", [f"node{n}" for n in range(1, 6)])
async def test_while_one_node_reaches_a_quorum_decisions_go_on_within_four_election_timeouts(
    open_house: OpenHouse, autojump_clock: MockClock, hub: str, one_way: float
) -> None:
    for _ in range(3):
        house = open_house(5)
        await house.start()
        await house.leader()
        friends = random.sample([name for name in house.names if name != hub], 2)
        cut_all_but(house, {frozenset((hub, friend)) for friend in friends}, one_way)
        with trio.fail_after(FOUR_TIMEOUTS):
            await decide(house)


async def test_command_of_a_node_that_its_leader_does_not_hear_goes_through_another(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    leader = await house.leader()
    mute = next(name for name in house.names if name != leader.leader)
    house.network.cut(house.address(mute), house.address(leader.leader))
    with trio.fail_after(FOUR_TIMEOUTS * 2):
        await house.node(mute).propose(b"by way of another")
    assert await house.leader() == leader
