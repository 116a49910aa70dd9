from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
from trio._core import _run as trio_run
from trio.testing import MockClock

from paxos.replicated.compaction import Compaction
from paxos.testing import Faults, Network
from tests.node.hall import Hall
from tests.node.house import House, cluster_of

OpenHouse = Callable[..., House]


@pytest.fixture
async def open_house(nursery: trio.Nursery, autojump_clock: MockClock) -> AsyncIterator[OpenHouse]:
    """Makes clusters, whose invariants are checked once more in the end."""
    houses: list[House] = []

    def make(
        nodes: int = 3,
        faults: Faults | None = None,
        compaction: Compaction | None = None,
        **changes: object,
    ) -> House:
        network = Network(random.randrange(1 << 32), faults)
        nursery.start_soon(network.deliver)
        houses.append(House(nursery, cluster_of(nodes, **changes), network, compaction=compaction))
        return houses[-1]

    yield make
    for house in houses:
        house.check()


@pytest.fixture
def drawn(seed: int) -> random.Random:
    """Make all that is random in a run of virtual time repeat itself: pauses and Trio's turns."""
    random.seed(seed)
    trio_run._r.seed(seed)
    return random.Random(seed)


OpenHall = Callable[..., Awaitable[Hall]]


@pytest.fixture
def open_hall(open_house: OpenHouse, nursery: trio.Nursery) -> OpenHall:
    """Makes clusters that have a leader, for nodes to stand in elections."""

    async def make(nodes: int = 3, faults: Faults | None = None, **changes: object) -> Hall:
        house = open_house(nodes, faults, **changes)
        await house.start()
        await house.leader()
        return Hall(house, nursery)

    return make
