"""While the cluster is calm nobody waits for an alarm to be answered, whatever was before."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from paxos.testing import Faults
from tests.node.calm import DELAY, FORWARDED, ROUND, SHAKY, SLOW, STEADY, Calm
from tests.node.house import House

OpenHouse = Callable[..., House]


MORE = [pytest.param(seed, marks=pytest.mark.campaign) for seed in range(1, 50)]
"""Seeds for whoever looks for what the first one has not met."""


@pytest.mark.parametrize("seed", [0, *MORE])
@pytest.mark.parametrize(
    ("nodes", "window", "faults"),
    [
        (1, 1, STEADY),
        (2, 64, SHAKY),
        (3, 1, STEADY),
        (3, 64, SHAKY),
        (4, 1, SHAKY),
        (5, 64, STEADY),
    ],
)
async def test_everybody_is_answered_without_an_alarm(
    open_house: OpenHouse,
    autojump_clock: MockClock,
    drawn: Random,
    nodes: int,
    window: int,
    faults: Faults,
) -> None:
    house = open_house(nodes, faults, window=window, timing=SLOW, max_datagram=60_000)
    calm = await begin(house, drawn)
    for _ in range(2):
        await calm.operate(25)
        if nodes > 2:
            await calm.hand_over(10)
            await calm.vanish(3)
            await calm.vanish(1)
            await calm.operate(5)
        await calm.disturb()
    await calm.operate(10)
    assert calm.late == []
    assert calm.done > 60


@pytest.mark.parametrize("seed", [0, *MORE])
async def test_leases_for_reads_hold_up_no_leader_that_takes_over_in_order(
    open_house: OpenHouse, autojump_clock: MockClock, drawn: Random
) -> None:
    timing = evolve(SLOW, lease_reads=True)
    calm = await begin(open_house(3, STEADY, timing=timing, max_datagram=60_000), drawn)
    for _ in range(4):
        await calm.hand_over(5)
        await calm.operate(5)
    assert calm.late == []


async def test_leader_of_the_log_appoints_who_stands_in_two_elections_with_one_renewal(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(3, STEADY, timing=SLOW)
    _, follower = await house.led()

    async def lead(election: str) -> None:
        began = trio.current_time()
        async with house.node(follower).election(election).lead():
            took[election] = trio.current_time() - began
            await trio.sleep(1)  # no end of a term may remind anybody

    took: dict[str, float] = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lead, "billing")
        # Just before the renewal is known to be chosen; after it, billing has its leader already.
        await trio.sleep(FORWARDED * DELAY + ROUND * DELAY - DELAY / 2)
        nursery.start_soon(lead, "shipping")
    appointed = (FORWARDED + 2 * ROUND) * DELAY + 1e-6
    assert all(seconds <= appointed for seconds in took.values()), took


async def begin(house: House, drawn: Random) -> Calm:
    await house.start()
    calm = Calm(house, drawn)
    await calm.settle()
    return calm
