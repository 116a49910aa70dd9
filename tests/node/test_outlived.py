"""A life of a node whose boot is below an earlier life's: its journal was lost, its clock wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from paxos.errors import LeadershipLost, OutcomeUnknown
from paxos.replicated.messages import Propose
from paxos.replicated.values import Command, Session
from tests.node.house import TIMEOUTS, House

OpenHouse = Callable[..., House]


async def outlive(house: House, name: str, leader: str) -> Session:
    """Have a late command of an earlier life chosen, whose boot is higher; return its session."""
    node, boot = house.services(name).roles.office.session
    late = Command(Session(node, boot + 5), 0, f"late {node}".encode())
    house.services(leader).post.deliver(name, Propose((late,), 0))
    with trio.fail_after(TIMEOUTS):
        while late.data not in house.applied(leader):
            await trio.sleep(0.001)
    return late.session


async def lead_until_outlived(house: House, name: str, leader: str) -> None:
    async with house.node(name).election("billing").lead():
        await outlive(house, name, leader)
        await trio.sleep_forever()


async def test_commands_take_effect_again_as_soon_as_the_node_knows(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, other = await house.led()
    for name in (other, leader):
        late = await outlive(house, name, leader)
        await house.agreed()
        assert await house.node(name).propose(f"after {name}".encode())
        assert house.services(name).roles.office.session.boot > late.boot


async def test_commands_that_were_under_way_end(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, other = await house.led()
    ends: list[str] = []

    async def propose(command: bytes) -> None:
        try:
            await house.node(other).propose(command)
        except OutcomeUnknown:
            ends.append("unknown")
        else:
            ends.append("known")

    with trio.fail_after(TIMEOUTS):
        async with trio.open_nursery() as nursery:
            house.cut((other,), (leader,))
            for number in range(10):
                nursery.start_soon(propose, b"%d" % number)
            await outlive(house, other, leader)
            house.network.heal()
    assert len(ends) == 10


async def test_elections_are_led_again(open_house: OpenHouse, autojump_clock: MockClock) -> None:
    house = open_house()
    leader, other = await house.led()
    with trio.fail_after(10):
        with pytest.raises(LeadershipLost):
            await lead_until_outlived(house, other, leader)
        await outlive(house, leader, leader)  # it cannot appoint anybody before it knows
        async with house.node(other).election("billing").lead() as second:
            assert second.epoch == 2
