"""Our own package, embedded: three processes; the leader's process proposes."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from attrs import evolve

import paxos
from benchmarks.failover.drill import Drill, Troubled
from benchmarks.member import Drive, Member, members
from benchmarks.node_load import NoLeader, await_leader
from benchmarks.peers.base import NODES, Peer, end, resident_of, until
from benchmarks.peers.idle import READY
from benchmarks.peers.work import PeerFailed, Work


class Ours(Peer):
    """Our own package with its defaults."""

    name = "paxos"
    durability = "synced by a majority"
    client = "part of the leader's process"
    durable: ClassVar[bool] = True
    datagram: ClassVar[int | None] = None

    def start(self) -> None:
        """Start nothing yet: what drives and what is harmed are clusters of their own."""

    def drive(self, inflight: int, seconds: float) -> Work:
        """Put in the leader's process."""
        try:
            driven = await_leader(self._members).drive(Drive(inflight, seconds))
        except NoLeader as error:
            raise PeerFailed(str(error)) from error
        return Work(driven.commands, driven.elapsed, driven.p50, driven.p99, 0.0)

    def lose_leader(self, fault: str) -> float:
        """Harm the leader; the survivors' clients propose."""
        try:
            return self._drill.lose_leader(fault).command
        except Troubled as error:
            raise PeerFailed(str(error)) from error

    def resident(self) -> int:
        """Return the largest process's memory: processes that only hold a node open."""
        cluster = paxos.Cluster.local(NODES)
        file = self.folder / "idle.toml"
        cluster.save(file)
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.peers.idle", file]
        where: str | Path = self.folder if self.durable else ""
        with ExitStack() as stack:
            started = [self.run([*command, name, where], "idle.log") for name in cluster.names]
            for process in started:
                stack.callback(end, process)
            heard = self.folder / "idle.log"
            until("idle nodes", lambda: heard.read_text().count(READY) == NODES or None)
            return max(resident_of(process.pid) for process in started)

    @cached_property
    def _members(self) -> list[Member]:
        cluster = evolve(paxos.Cluster.local(NODES), max_datagram=self.datagram)
        where = self.folder if self.durable else None
        return self._stack.enter_context(members(cluster, where))

    @cached_property
    def _drill(self) -> Drill:
        seed = self.chance.randrange(1 << 30)
        drill = self._stack.enter_context(Drill(NODES, self.folder / "drill", seed=seed))
        drill.drive(1)
        return drill


class OursInMemory(Ours):
    """Our own package with journals in memory."""

    name = "paxos, in memory"
    durability = "in memory only"
    durable = False


class OursSmall(Ours):
    """Our own package with datagrams that pass nearly every path."""

    name = "paxos, 1,400 B datagrams"
    datagram = 1_400
