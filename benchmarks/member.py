"""One member of a cluster under measurement, in a process of its own.

It does what it is told over a pipe: count, drive proposals for some seconds, or end. A pipe that
closes ends it, too, so no member outlives whoever measures.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import trio
from attrs import astuple, evolve, frozen

import paxos
from benchmarks.nothing import Nothing
from paxos.journal import MemoryJournal

SIZE = 100
"""The bytes of a command, unless said otherwise: a small record."""


@frozen
class Count:
    """Ask for `Counters`."""


@frozen
class Drive:
    """Ask for `Driven`: propose with so many in flight, for so many seconds."""

    inflight: int
    seconds: float
    size: int = SIZE
    """Of each command, in bytes."""
    profiled: bool = False
    """Whether to find out meanwhile where the time goes, which costs some."""


@frozen
class Counters:
    """What one member, or all together, have done since they started."""

    cpu: float = 0.0
    """Processor time, in seconds."""
    datagrams: int = 0
    """Sent."""
    transactions: int = 0
    switches: int = 0
    """How often a thread of the process has gone to sleep."""

    def __add__(self, other: Counters) -> Self:
        return type(self)(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Counters) -> Self:
        return type(self)(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


@frozen
class Seen:
    """The answer to `Count`."""

    leading: bool
    slots: int
    """How many this member has learned."""
    resident: int
    """Bytes of memory of the process."""
    stored: int
    """Bytes of its files."""
    counters: Counters
    statistics: dict[str, int]
    """What the node itself counts."""
    peak: int
    """The most memory that it had so far, in bytes."""


@frozen
class Driven:
    """The answer to `Drive`; times are in seconds."""

    commands: int
    elapsed: float
    p50: float
    p99: float
    longest: float
    profile: tuple[tuple[str, float], ...] = ()
    """Functions and their share of the thread's time, without what they call."""


class Member:
    """The other end of the pipe: starts a member's process, and asks it."""

    def __init__(self, cluster: paxos.Cluster, name: str, data: Path | None) -> None:
        # Not a fork: a child would inherit open sockets, and threads' locks.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=run, args=(cluster, name, data, theirs), name=name, daemon=True
        )
        self._process.start()
        theirs.close()

    def count(self) -> Seen:
        """Return what it has done so far."""
        self._pipe.send(Count())
        seen = self._pipe.recv()
        assert isinstance(seen, Seen)
        return seen

    def drive(self, drive: Drive) -> Driven:
        """Have it propose, as fast as it gets answers."""
        self._pipe.send(drive)
        driven = self._pipe.recv()
        assert isinstance(driven, Driven)
        return driven

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(timeout=10)
        self._process.kill()


@contextmanager
def members(cluster: paxos.Cluster, where: Path | None) -> Iterator[list[Member]]:
    """Run every member of a cluster, each with a journal in ``where``, or in memory."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                closing(Member(cluster, name, None if where is None else where / f"{name}.db"))
            )
            for name in cluster.names
        ]


def run(cluster: paxos.Cluster, name: str, data: Path | None, pipe: Connection) -> None:
    """Be a member: what the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    trio.run(_serve, cluster, name, MemoryJournal() if data is None else data, pipe)


async def _serve(
    cluster: paxos.Cluster, name: str, data: Path | MemoryJournal, pipe: Connection
) -> None:
    async with paxos.open_node(cluster, name, data=data, machine=Nothing()) as node:
        while True:
            await trio.lowlevel.wait_readable(pipe.fileno())
            try:
                request = pipe.recv()
            except EOFError:
                return
            match request:
                case Count():
                    pipe.send(_count(node, data))
                case Drive():
                    pipe.send(await _drive_profiled(node, request))


def _count(node: paxos.Node, data: Path | MemoryJournal) -> Seen:
    statistics, usage = node.statistics(), resource.getrusage(resource.RUSAGE_SELF)
    counters = Counters(
        cpu=time.process_time(),
        datagrams=statistics["udp_sent"],
        transactions=statistics["transactions"],
        switches=usage.ru_nvcsw,
    )
    leading = node.leader is not None and node.leader.leader == node.name
    files = data.parent.glob(f"{data.name}*") if isinstance(data, Path) else ()
    return Seen(
        leading,
        statistics["frontier"],
        resident=_resident(),
        stored=sum(file.stat().st_size for file in files),
        counters=counters,
        statistics=statistics,
        peak=usage.ru_maxrss << 10,
    )


def _resident() -> int:
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # at its highest


async def _drive_profiled(node: paxos.Node, drive: Drive) -> Driven:
    if not drive.profiled:
        return await _drive(node, drive)
    from benchmarks.profiling import Profile

    with Profile() as profile:
        driven = await _drive(node, drive)
    return evolve(driven, profile=profile.shares())


async def _drive(node: paxos.Node, drive: Drive) -> Driven:
    latencies: list[float] = []
    command = b"x" * drive.size
    start = time.perf_counter()
    end = start + drive.seconds

    async def propose() -> None:
        while (sent := time.perf_counter()) < end:
            await node.propose(command)
            latencies.append(time.perf_counter() - sent)

    async with trio.open_nursery() as nursery:
        for _ in range(drive.inflight):
            nursery.start_soon(propose)
    elapsed = time.perf_counter() - start
    latencies.sort()
    count = len(latencies)
    p50, p99 = latencies[count // 2], latencies[count * 99 // 100]
    return Driven(count, elapsed, p50, p99, latencies[-1])
