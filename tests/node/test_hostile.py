"""Attackers and operators' mistakes against whole nodes, on virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from paxos.errors import NameInUse
from paxos.journal import MemoryJournal
from paxos.node.alarms import CloneFound
from paxos.node.instrument import Instrument
from paxos.node.opening import open_node
from paxos.protocol.events import Event
from paxos.replicated.messages import Knock, Propose, Submit
from paxos.replicated.values import Command, Session
from paxos.testing import MemoryTransport, Network
from paxos.transport import Address
from paxos.wire import KeyRing, Wire, encode
from tests.node.house import KEY, House, Recorder

OpenHouse = Callable[..., House]


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Address, bytes]]]:
    """Note every datagram that is sent, with its target."""
    recorded: list[tuple[Address, bytes]] = []
    send = MemoryTransport.send

    def tap(self: MemoryTransport, address: Address, datagram: bytes) -> None:
        recorded.append((address, datagram))
        send(self, address, datagram)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryTransport, "send", tap)
        yield recorded


async def replay(network: Network, recorded: list[tuple[Address, bytes]], seconds: float) -> None:
    """Send recorded datagrams to where they went once, in any order, for some time."""
    attacker = network.open(("attacker", 666))
    with trio.move_on_after(seconds):
        while True:
            for address, datagram in random.sample(recorded, min(20, len(recorded))):
                attacker.send(address, datagram)
            await trio.sleep(0.001)
    attacker.close()


async def propose(house: House, *commands: bytes) -> None:
    for number, command in enumerate(commands):
        await house.node(house.names[number % len(house.names)]).propose(command)


async def test_schedule_29_a_cluster_does_not_hear_its_former_life(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same name, key, members and addresses: only the journals are new."""
    former = open_house()
    with recording(monkeypatch) as recorded:
        await former.start()
        await former.leader()
        await propose(former, *(b"former %d" % n for n in range(20)))
    for name in former.names:
        await former.crash(name)
    house = House(former.nursery, former.cluster, former.network)
    await house.start()
    house.nursery.start_soon(replay, house.network, recorded, 2.0)
    await house.leader()
    await propose(house, *(b"new %d" % n for n in range(50)))
    await trio.sleep(2)
    applied = await house.agreed()
    assert sorted(applied) == sorted(b"new %d" % n for n in range(50))
    for name in house.names:
        counts = house.node(name).statistics()
        assert counts["confirmed"] <= 2
        assert counts["unconfirmed"] > 20
        assert counts["clones"] == 0


async def test_what_a_member_or_client_may_not_send_is_dropped_and_counted(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, other = await house.led()
    post, counts = house.services(other).post, house.node(leader).statistics()
    command = Command(Session("client-1", 0), 0, b"sent round in circles")
    post.send((leader,), Propose((command,), 2))
    post.send((leader,), Submit(1, b"members propose in their own name"))
    post.flush()
    stranger = Wire(house.cluster.name, KEY, "client-2", 1400)
    desk = house.network.open(("desk", 1))
    for datagram in stranger.outgoing(leader, [encode(Propose((command,), 1))]):
        desk.send(house.address(leader), datagram)
    for datagram, address in await desk.receive():  # it must introduce itself
        incoming = stranger.incoming(datagram)
        assert incoming is not None
        for reply in incoming.replies:
            desk.send(address, reply)
    await trio.sleep(0.1)
    assert house.node(leader).statistics()["unfit"] == counts["unfit"] + 3
    assert house.applied(leader) == []
    knocked = house.node(other).statistics()["unroutable"]
    post.send(("nobody",), Knock())
    assert house.node(other).statistics()["unroutable"] == knocked + 1


async def test_keys_are_exchanged_in_a_running_cluster_without_a_lost_decision(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    leadership = await house.leader()
    await propose(house, b"first", b"second", b"third")
    confirmed = [house.node(name).statistics()["confirmed"] for name in house.names]
    done = 0

    async def go_on() -> None:
        nonlocal done
        while True:
            await propose(house, *(b"%d" % n for n in range(done, done + 3)))
            done += 3

    house.nursery.start_soon(go_on)
    old = house.cluster.keys
    both = old.add()
    steps = [both, both.use(both.ids[1]), both.use(both.ids[1]).remove(both.ids[0])]
    for ring in steps:
        for name in house.names:
            before = done
            house.services(name).post._wire.rekey(ring)
            await trio.sleep(0.2)
            assert done > before
    assert await house.leader() == leadership
    for name in house.names:
        counts = house.node(name).statistics()
        assert counts["unknown_key"] == counts["unauthentic"] == 0
    assert confirmed == [house.node(name).statistics()["confirmed"] for name in house.names]


class Heard(Instrument):
    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        self.events.append(event)


async def test_a_clone_is_told_to_stop_and_the_original_goes_on(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    heard = Heard()
    house.instruments = (heard,)
    await house.start()
    leadership = await house.leader()
    name = leadership.leader
    elsewhere = house.network.open(("elsewhere", 9))
    with pytest.RaisesGroup(
        pytest.RaisesExc(NameInUse, match=f"is {name} of"), flatten_subgroups=True
    ):
        async with open_node(
            house.cluster, name, data=MemoryJournal(), machine=Recorder(), transport=elsewhere
        ):
            with trio.fail_after(5):
                await trio.sleep_forever()
    assert CloneFound(name) in heard.events
    await propose(house, b"a", b"b", b"c")
    assert house.node(name).statistics()["frontier"] > 0
    assert await house.agreed() == [b"a", b"b", b"c"]


async def test_a_node_with_another_key_is_not_heard_and_gets_no_answer(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    leadership = await house.leader()
    stranger = house.network.open(("elsewhere", 9))
    cluster = evolve(house.cluster, keys=KeyRing.fresh())
    async with open_node(
        cluster, "node1", data=MemoryJournal(), machine=Recorder(), transport=stranger
    ):
        await trio.sleep(2)
        assert stranger.statistics()["received"] == 0
    assert await house.leader() == leadership
    counts = [house.node(name).statistics()["unknown_key"] for name in house.names]
    assert max(counts) > 0
