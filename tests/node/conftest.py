from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable

import pytest
import trio
from trio.testing import MockClock

from paxos.testing import Faults, Network
from tests.node.house import House, cluster_of

OpenHouse = Callable[..., House]


@pytest.fixture
async def open_house(nursery: trio.Nursery, autojump_clock: MockClock) -> AsyncIterator[OpenHouse]:
    """Makes clusters, whose invariants are checked once more in the end."""
    houses: list[House] = []

    def make(nodes: int = 3, faults: Faults | None = None, **changes: object) -> House:
        network = Network(random.randrange(1 << 32), faults)
        nursery.start_soon(network.deliver)
        houses.append(House(nursery, cluster_of(nodes, **changes), network))
        return houses[-1]

    yield make
    for house in houses:
        house.check()
