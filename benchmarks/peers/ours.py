"""Our own package, embedded: three processes; the leader's process proposes."""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

import paxos
from benchmarks.failover.drill import Drill
from benchmarks.member import Drive, Member, members
from benchmarks.node_load import await_leader
from benchmarks.peers.base import NODES, Peer, Work


class Ours(Peer):
    """Our own package with its defaults."""

    name = "paxos"
    durability = "synced by a majority"
    client = "part of the leader's process"
    durable: ClassVar[bool] = True
    datagram: ClassVar[int | None] = None

    def start(self) -> None:
        """Start the processes."""
        cluster = evolve(paxos.Cluster.local(NODES), max_datagram=self.datagram)
        self._members: list[Member] = self._stack.enter_context(
            members(cluster, self.folder if self.durable else None)
        )
        await_leader(self._members)

    def drive(self, inflight: int, seconds: float) -> Work:
        """Put in the leader's process."""
        driven = await_leader(self._members).drive(Drive(inflight, seconds))
        return Work(driven.commands, driven.elapsed, driven.p50, driven.p99, 0.0)

    def lose_leader(self) -> float:
        """Kill the leader of a cluster of its own, whose survivors' clients propose."""
        with Drill(NODES, self.folder / "drill") as drill:
            drill.drive(1)
            return drill.lose_leader("kill -9").command

    def resident(self) -> int:
        """Return the largest process's memory."""
        return max(member.count().resident for member in self._members)


class OursInMemory(Ours):
    """Our own package with journals in memory."""

    name = "paxos, in memory"
    durability = "in memory only"
    durable = False


class OursSmall(Ours):
    """Our own package with datagrams that pass nearly every path."""

    name = "paxos, 1,400 B datagrams"
    datagram = 1_400
