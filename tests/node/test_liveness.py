"""While one node reaches a quorum both ways, decisions go on, whatever else is cut."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
import trio
from trio.testing import MockClock

from tests.node.house import SUSPICION, House

OpenHouse = Callable[..., House]

FOUR_TIMEOUTS = 4 * SUSPICION
"""Nothing else is slow here, so no failure detector becomes more patient than its floor."""

GRAPHS = 60
"""How many are drawn."""


def cut_all_but(house: House, kept: set[frozenset[str]], one_way: float, drawn: Random) -> None:
    """Cut every link but these; of the others, keep one direction of some."""
    for source in house.names:
        for target in house.names:
            both = frozenset((source, target))
            if source != target and both not in kept and drawn.random() >= one_way:
                house.network.cut(house.address(source), house.address(target))


async def decide(house: House) -> None:
    """Let every node propose until one is answered."""
    async with trio.open_nursery() as nursery:

        async def propose(name: str) -> None:
            await house.node(name).propose(name.encode())
            nursery.cancel_scope.cancel()

        for name in house.up:
            nursery.start_soon(propose, name)


@pytest.mark.parametrize("seed", range(GRAPHS))
async def test_while_one_node_reaches_a_quorum_decisions_go_on_within_four_election_timeouts(
    open_house: OpenHouse, autojump_clock: MockClock, drawn: Random
) -> None:
    house = open_house(5)
    await house.start()
    await house.leader()
    hub, *friends = drawn.sample(house.names, 3)
    one_way = drawn.choice((0.0, 0.3, 0.6))
    cut_all_but(house, {frozenset((hub, friend)) for friend in friends}, one_way, drawn)
    with trio.fail_after(FOUR_TIMEOUTS):
        await decide(house)


@pytest.mark.parametrize("seed", [21, 24, 210])
async def test_candidates_that_are_heard_and_hear_nobody_hold_nobody_up(
    open_house: OpenHouse, autojump_clock: MockClock, drawn: Random
) -> None:
    """Both nodes that the hub needs hear two others, which ask for ever.

    With the pauses of these seeds that took too long when each question held the others up anew.
    """
    house = open_house(5)
    await house.start()
    await house.leader()
    for source in house.names:
        for target in house.names:
            deaf = source in ("node1", "node3") and target in ("node2", "node4")
            if "node5" not in (source, target) and not deaf and source != target:
                house.network.cut(house.address(source), house.address(target))
    house.cut(["node5"], ["node1", "node3"])
    with trio.fail_after(FOUR_TIMEOUTS):
        await decide(house)


@pytest.mark.parametrize("seed", range(10))
async def test_leader_whose_process_dies_is_replaced_as_soon_as_its_machine_refuses_something(
    open_house: OpenHouse, autojump_clock: MockClock, drawn: Random
) -> None:
    """Knocks come every 10 ms; a poll, a ballot and its leadership take a few round trips."""
    house = open_house(drawn.choice((3, 5)))
    await house.start()
    leader = await house.leader()
    await trio.sleep(drawn.uniform(0.5, 0.6))
    await house.crash(leader.leader)
    with trio.fail_after(0.035):
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
