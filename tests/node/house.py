"""Whole nodes in one process, over a network in memory and on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio
from attrs import Factory, define, field

from paxos.demo.cable import Cable
from paxos.journal import MemoryJournal
from paxos.node.cluster import Cluster, Member, Timing
from paxos.node.instrument import Instrument
from paxos.node.node import Node
from paxos.node.opening import open_node
from paxos.node.services import Services
from paxos.protocol.values import Value
from paxos.replicated.compaction import Compaction
from paxos.replicated.values import Batch, Leadership
from paxos.testing import Faults, Network
from paxos.transport import Address

KEY = bytes(range(32))
SUSPICION = Timing().suspicion
TIMEOUTS = 4 * 4 * SUSPICION
"""Four election timeouts, where each may be as long as the failure detector's cap allows."""


class Recorder:
    """A state machine that keeps what was applied and refuses what begins with ``!``."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []

    def apply(self, command: bytes) -> bytes:
        if command.startswith(b"!"):
            raise ValueError(command.decode())
        self.commands.append(command)
        return b"%d:%s" % (len(self.commands), command[:20])

    def snapshot(self) -> bytes:
        return b"\n".join(self.commands)

    def restore(self, snapshot: bytes) -> None:
        self.commands = snapshot.split(b"\n") if snapshot else []


@define
class Life:
    """One life of one node."""

    node: Node
    machine: Recorder
    cable: Cable
    stop: trio.Event
    scope: trio.CancelScope
    ended: trio.Event = Factory(trio.Event)


def cluster_of(nodes: int, **changes: object) -> Cluster:
    members = tuple(Member(f"node{n}", f"host{n}", n) for n in range(1, nodes + 1))
    return Cluster("shop", members, KEY, **changes)  # type: ignore[arg-type]


@define
class House:
    """A cluster's nodes, and what may happen to them."""

    nursery: trio.Nursery
    cluster: Cluster
    network: Network
    open_journal: Callable[[], MemoryJournal] = MemoryJournal
    instruments: tuple[Instrument, ...] = ()
    compaction: Compaction | None = None
    journals: dict[str, MemoryJournal] = field(factory=dict)
    lives: dict[str, Life] = field(factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.cluster.names

    @property
    def up(self) -> list[str]:
        return [name for name, life in self.lives.items() if not life.ended.is_set()]

    def node(self, name: str) -> Node:
        return self.lives[name].node

    def applied(self, name: str) -> list[bytes]:
        return self.lives[name].machine.commands

    async def start(self, *names: str) -> None:
        """Begin a life of each of these nodes, or of all, with what its journal holds."""
        for name in names or self.names:
            old = self.journals.get(name)
            self.journals[name] = self.open_journal() if old is None else old.reopened()
            await self.nursery.start(self._live, name)

    async def led(self) -> tuple[str, str]:
        """Start every node; return the first leader and the first of the others."""
        await self.start()
        leader = (await self.leader()).leader
        return leader, next(name for name in self.names if name != leader)

    async def _live(self, name: str, task_status: trio.TaskStatus[None]) -> None:
        member = self.cluster.member(name)
        limit = self.cluster.datagram_limit
        cable = Cable(self.network.open((member.host, member.port), limit))
        machine, stop = Recorder(), trio.Event()
        with trio.CancelScope() as scope:
            try:
                async with open_node(
                    self.cluster,
                    name,
                    data=self.journals[name],
                    machine=machine,
                    transport=cable,
                    instruments=self.instruments,
                    compaction=self.compaction,
                ) as node:
                    self.lives[name] = Life(node, machine, cable, stop, scope)
                    task_status.started()
                    await stop.wait()
            finally:
                self.lives[name].ended.set()

    async def stop(self, name: str) -> None:
        """Leave the node's block."""
        self.lives[name].stop.set()
        await self.lives[name].ended.wait()

    async def crash(self, name: str) -> None:
        """End the node without a word to anybody."""
        life = self.lives[name]
        life.cable.pulled = True
        self.services(name).close()
        life.scope.cancel()
        await life.ended.wait()

    def services(self, name: str) -> Services:
        """Return what a node is made of."""
        return self.node(name)._services

    def cut(self, ones: Iterable[str], others: Iterable[str]) -> None:
        """Cut every link between the ones and the others, both ways."""
        others = list(others)
        for one in ones:
            for other in others:
                self.network.cut(self.address(one), self.address(other))
                self.network.cut(self.address(other), self.address(one))

    def isolate(self, *names: str) -> None:
        """Cut these nodes off from the others, not from one another."""
        self.cut(names, [name for name in self.names if name not in names])

    def address(self, name: str) -> Address:
        member = self.cluster.member(name)
        return (member.host, member.port)

    async def leader(self, *names: str, within: float = 10.0) -> Leadership:
        """Wait until these nodes, or all that are up, agree on a leader among them."""
        names = names or tuple(self.up)
        with trio.fail_after(within):
            while True:
                seen = {self.node(name).leader for name in names}
                leader = seen.pop()
                if not seen and leader is not None and leader.leader in names:
                    return leader
                await trio.sleep(0.001)

    async def agreed(self, within: float = 10.0) -> list[bytes]:
        """Wait until all that are up have applied the same; return it."""
        with trio.fail_after(within):
            while len({self.frontier(name) for name in self.up}) > 1:
                await trio.sleep(0.001)
        self.check()
        return self.applied(self.up[0])

    def frontier(self, name: str) -> int:
        return self.node(name).statistics()["frontier"]

    def log(self, name: str) -> list[Value]:
        """What the node's journal holds, slot by slot."""
        return list(self.slots(name).values())

    def slots(self, name: str) -> dict[int, Value]:
        """The same by slot: a compacted log does not begin at 0."""
        journal = self.journals[name]
        return dict(journal.read(journal.first, journal.frontier, 1 << 40))

    def epochs(self, name: str) -> list[Leadership]:
        return [value for value in self.log(name) if isinstance(value, Leadership)]

    def check(self) -> None:
        """One log; every command once; epochs that rise by one."""
        longest = self.slots(max(self.journals, key=lambda name: self.journals[name].frontier))
        for name in self.journals:
            for slot, value in self.slots(name).items():
                assert longest.get(slot, value) == value, f"{name} has another log"
        for name in self.up:
            applied, others = self.applied(name), self.applied(self.up[0])
            both = min(len(applied), len(others))
            assert applied[:both] == others[:both]
            assert len(set(applied)) == len(applied), f"{name} applied a command twice"
        epochs = [value.epoch for value in longest.values() if isinstance(value, Leadership)]
        assert epochs == list(range(*(epochs[0], epochs[-1] + 1) if epochs else (0,)))

    def batches(self, name: str) -> list[Batch]:
        return [value for value in self.log(name) if isinstance(value, Batch)]


def shaky(loss: float = 0.2, duplication: float = 0.1) -> Faults:
    """A network that loses, doubles and reorders."""
    return Faults(shortest=0.0005, longest=0.006, loss=loss, duplication=duplication)


async def propose_all(house: House, commands: dict[bytes, str]) -> dict[bytes, bytes]:
    """Propose every command at once, each from its node; return the answers."""
    answers: dict[bytes, bytes] = {}

    async def propose(command: bytes, name: str) -> None:
        answers[command] = await house.node(name).propose(command)

    async with trio.open_nursery() as nursery:
        for command, name in commands.items():
            nursery.start_soon(propose, command, name)
    return answers


def spread(house: House, count: int, start: int = 0) -> dict[bytes, str]:
    """Numbered commands, in turn for every node."""
    names = house.names
    return {b"%d" % number: names[number % len(names)] for number in range(start, start + count)}
