"""An election with three candidates, each a process whose loss another one must make good.

Every candidate says a line on its standard output when it holds the election. So all are watched in
the same way, from outside. What dies is what a user would run: ``paxos elect`` and PySyncObj are
members of their cluster, so a voter dies with the holder; etcd's and ZooKeeper's candidates are
clients, and their servers stay.
"""

from __future__ import annotations

import importlib.util
import os
import selectors
import signal
import subprocess
import sys
import time
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from attrs import evolve

import paxos
from benchmarks.failover.drill import timing
from benchmarks.peers.base import LIMIT, NODES, Processes, free_ports, until
from benchmarks.peers.etcd import Etcd, HastyEtcd
from benchmarks.peers.work import PeerFailed
from benchmarks.peers.zookeeper import HastyZooKeeper, ZooKeeper

PYTHON: Final = (sys.executable, "-m")


class Contest(Processes):
    """Three candidates. Some need servers, which live on; others are themselves the cluster."""

    lease: ClassVar[float]
    """How long a dead holder is believed in, at most, in seconds."""
    dies: ClassVar[str]
    """What is killed."""
    usual: ClassVar[bool]
    """Whether the lease is what one gets without asking; else it is the shortest there is."""

    def start(self) -> None:
        """Start the candidates, and wait for the first holder."""
        self._candidates = [self._start(number) for number in range(NODES)]
        self._holder, _ = self._next(LIMIT)
        for number in range(NODES):
            self.await_standing(number)

    @abstractmethod
    def command(self, number: int) -> Sequence[str | Path]:
        """Return what a candidate runs."""

    def await_standing(self, number: int) -> None:
        """Wait until a candidate stands, where that can be told; all settle besides."""

    def lose_holder(self) -> float:
        """Kill the holder; return the seconds until another one says that it holds the election.

        Raises `PeerFailed`.
        """
        self.settle()
        for number in self._heard(0):
            self._holder = number  # by itself, on a machine that is too busy
        lost = self._holder
        killed = time.monotonic()
        self._candidates[lost].send_signal(signal.SIGKILL)
        self._holder, at = self._next(self.lease + LIMIT, without=lost)
        self._candidates[lost].wait()
        self._candidates[lost] = self._start(lost)
        self.await_standing(lost)
        return at - killed

    def log(self, number: int) -> Path:
        """Return where a candidate says what it does."""
        return self.folder / f"candidate{number}.log"

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        self.log(number).unlink(missing_ok=True)
        return self.run(self.command(number), self.log(number).name, heard=True)

    def _next(self, seconds: float, without: int | None = None) -> tuple[int, float]:
        """Return the next candidate that says that it holds the election, and when it did."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for number in self._heard(until - time.monotonic(), without):
                return number, time.monotonic()
        raise PeerFailed(f"nobody holds the election after {seconds:g} s")

    def _heard(self, seconds: float, without: int | None = None) -> list[int]:
        """Return who says anything until then; the first one ends it."""
        with selectors.DefaultSelector() as selector:
            for number, process in enumerate(self._candidates):
                if number != without and process.stdout is not None:
                    selector.register(process.stdout, selectors.EVENT_READ, number)
            spoken = [key for key, _ in selector.select(seconds)]
        for key in spoken:
            if not os.read(key.fd, 4096):
                raise PeerFailed(f"a candidate has ended: {self._end_of(key.data)}")
        return [key.data for key in spoken]

    def _end_of(self, number: int) -> str:
        return " ".join(self.log(number).read_text().splitlines()[-1:])


class OurElect(Contest):
    """``paxos elect`` with its defaults."""

    name = "paxos elect"
    lease, usual = 1.0, True
    dies = "a member, with its command"

    def start(self) -> None:
        """Make the cluster."""
        patience = paxos.Timing() if self.usual else timing(self.lease)
        self._cluster = evolve(paxos.Cluster.local(NODES), timing=patience)
        self._cluster.save(self.folder / "cluster.toml")
        super().start()

    def command(self, number: int) -> Sequence[str | Path]:
        """Run a command that says that it runs: its start is part of what is measured."""
        name = self._cluster.names[number]
        return (
            *(*PYTHON, "paxos.cli", "elect", "election", "--cluster", "cluster.toml"),
            *("--node", name, "--data", f"{name}.db", "--"),
            *("/bin/sh", "-c", "echo holds; exec sleep 1000000"),
        )

    def await_standing(self, number: int) -> None:
        """Wait until it says so: it is a voter, too."""
        until("a member that stands", lambda: "stands in" in self.log(number).read_text() or None)


class OurHastyElect(OurElect):
    """``paxos elect`` with the shortest lease."""

    name = "paxos elect, hasty"
    lease, usual = 0.1, False


class ClientsContest(Contest):
    """Candidates that are clients of servers."""

    dies = "a client"
    servers: ClassVar[type[Etcd] | type[ZooKeeper]]

    @classmethod
    def missing(cls) -> str:
        """Look for the servers."""
        return cls.servers.missing()

    def start(self) -> None:
        """Start the servers first."""
        self._servers = self.servers(self.folder / "servers")
        self._stack.enter_context(self._servers)
        super().start()


class EtcdctlElect(ClientsContest):
    """``etcdctl elect``, whose session cannot be chosen."""

    name = "etcdctl elect"
    lease, usual = 60.0, True
    servers = Etcd

    def command(self, number: int) -> Sequence[str | Path]:
        """Stand."""
        endpoints = self._servers.endpoints
        return ("etcdctl", "--endpoints", endpoints, "elect", "election", f"candidate{number}")


class EtcdctlLock(EtcdctlElect):
    """``etcdctl lock``: the same session and queue, of the shortest time that servers grant."""

    name = "etcdctl lock, hasty"
    lease, usual = 1.0, False
    servers = HastyEtcd

    def command(self, number: int) -> Sequence[str | Path]:
        """Stand."""
        session = ("lock", "--ttl", f"{self.lease:.0f}", "election")
        return ("etcdctl", "--endpoints", self._servers.endpoints, *session)


class KazooElection(ClientsContest):
    """ZooKeeper's recipe in kazoo, with kazoo's default session."""

    name = "kazoo Election"
    lease, usual = 10.0, True
    servers = ZooKeeper

    @classmethod
    def missing(cls) -> str:
        """Look for kazoo, too."""
        here = importlib.util.find_spec("kazoo") is not None
        return super().missing() or ("" if here else "no package kazoo")

    def command(self, number: int) -> Sequence[str | Path]:
        """Stand."""
        recipe = ("kazoo", self._servers.endpoints, str(self.lease))
        return (*PYTHON, "benchmarks.peers.candidate", *recipe)


class HastyKazooElection(KazooElection):
    """The shortest session: two ticks."""

    name = "kazoo Election, hasty"
    lease, usual = 2 * HastyZooKeeper.tick / 1000, False
    servers = HastyZooKeeper


class PySyncObjLock(Contest):
    """PySyncObj's lock that unlocks itself, tried again and again: it has no queue."""

    name = "PySyncObj lock"
    lease, usual = 1.0, False
    dies = "a member"

    @classmethod
    def missing(cls) -> str:
        """Look for the package."""
        return "" if importlib.util.find_spec("pysyncobj") else "no package pysyncobj"

    def start(self) -> None:
        """Choose where the members are."""
        self._addresses = [f"127.0.0.1:{port}" for port in free_ports(NODES)]
        super().start()

    def command(self, number: int) -> Sequence[str | Path]:
        """Be a member, and try to take the lock."""
        mine = self._addresses[number]
        others = ",".join(address for address in self._addresses if address != mine)
        recipe = ("pysyncobj", mine, others, str(self.lease))
        return (*PYTHON, "benchmarks.peers.candidate", *recipe)


CONTESTS: Final[dict[str, type[Contest]]] = {
    contest.name: contest
    for contest in (
        *(OurElect, EtcdctlElect, KazooElection),
        *(OurHastyElect, EtcdctlLock, HastyKazooElection, PySyncObjLock),
    )
}
"""All contests, in the order of the table: usual leases, then the shortest."""
