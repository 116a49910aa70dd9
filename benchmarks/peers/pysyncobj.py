"""PySyncObj: Raft in Python, in three processes; the leader's process proposes, as with ours."""

from __future__ import annotations

import importlib.util
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks.peers.base import NODES, VALUE, Peer, Work, free_ports, resident_of, sum_up, until

TICK = 0.001
"""Seconds for which a tick waits for the network, and between two messages to a follower."""


@frozen
class Ask:
    """Ask a process: does it lead, and is all well? Or drive, or put one value."""

    inflight: int = 0
    seconds: float = 0.0
    one: bool = False


class PySyncObj(Peer):
    """PySyncObj without a journal, at the settings at which it is the fastest."""

    name = "PySyncObj"
    durability = "in memory only"
    client = "part of the leader's process"
    journal = False

    @classmethod
    def missing(cls) -> str:
        """Look for the package."""
        return "" if importlib.util.find_spec("pysyncobj") else "no package pysyncobj"

    def start(self) -> None:
        """Start the processes."""
        context = multiprocessing.get_context("spawn")
        addresses = [f"127.0.0.1:{port}" for port in free_ports(NODES)]
        self._pipes: list[Connection] = []
        self._processes = []
        for address in addresses:
            ours, theirs = context.Pipe()
            others = [other for other in addresses if other != address]
            journal = self.folder / f"{address}.journal" if self.journal else None
            process = context.Process(
                target=take_part, args=(address, others, journal, theirs), daemon=True
            )
            process.start()
            theirs.close()
            self._stack.callback(process.kill)
            self._pipes.append(ours)
            self._processes.append(process)
        self._leader = until("a leader of PySyncObj", self._find_leader)

    def drive(self, inflight: int, seconds: float) -> Work:
        """Put in the leader's process."""
        self._pipes[self._leader].send(Ask(inflight, seconds))
        work: Work = self._pipes[self._leader].recv()
        return work

    def lose_leader(self) -> float:
        """Kill the leader; a survivor puts until that is done."""
        survivor = next(n for n in range(NODES) if n != self._leader)
        pid = self._processes[self._leader].pid
        assert pid is not None
        self._processes[self._leader].kill()
        killed = time.monotonic()
        self._pipes[survivor].send(Ask(one=True))
        done: float = self._pipes[survivor].recv()
        return done - killed

    def resident(self) -> int:
        """Return the largest process's memory."""
        return max(resident_of(process.pid or 0) for process in self._processes)

    def _find_leader(self) -> int | None:
        for number, pipe in enumerate(self._pipes):
            pipe.send(Ask())
            if pipe.recv():
                return number
        return None


class JournaledPySyncObj(PySyncObj):
    """PySyncObj with its journal."""

    name = "PySyncObj, journal"
    durability = "journal written through a mapped file, flushed"
    journal = True


def take_part(address: str, others: list[str], journal: Path | None, pipe: Connection) -> None:
    """Be a node: what a process does. It ticks by itself, and drives itself between ticks."""
    from pysyncobj import SyncObj, SyncObjConf, replicated

    class Store(SyncObj):  # type: ignore[misc]  # the package ships no types
        def __init__(self) -> None:
            conf = SyncObjConf(
                autoTick=False,
                commandsQueueSize=1_000_000,
                appendEntriesPeriod=TICK,  # commands wait for it; by default 100 ms
                journalFile=None if journal is None else str(journal),
            )
            super().__init__(address, others, conf)
            self.values: dict[int, bytes] = {}

        @replicated  # type: ignore[untyped-decorator]
        def put(self, key: int, value: bytes) -> None:
            self.values[key] = value

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    store = Store()
    while True:
        store.doTick(TICK)
        if not pipe.poll():
            continue
        try:
            ask = pipe.recv()
        except EOFError:
            return
        if ask.one:
            pipe.send(_put_until_done(store))
        elif ask.inflight:
            pipe.send(_drive(store, ask.inflight, ask.seconds))
        else:
            pipe.send(bool(store.isReady() and store._isLeader()))


def _drive(store: Any, inflight: int, seconds: float) -> Work:
    latencies: list[float] = []
    began = time.perf_counter()
    end = began + seconds
    waiting = 0

    def propose() -> None:
        nonlocal waiting
        waiting += 1
        store.put(waiting % 1000, VALUE, callback=_answered(time.perf_counter()))

    def _answered(sent: float) -> Callable[[object, object], None]:
        def answered(result: object, error: object) -> None:
            nonlocal waiting
            now = time.perf_counter()
            latencies.append(now - sent)
            waiting -= 1
            if now < end:
                propose()

        return answered

    for _ in range(inflight):
        propose()
    while waiting:
        store.doTick(TICK)
    return sum_up(latencies, time.perf_counter() - began, 0.0)


def _put_until_done(store: Any) -> float:
    """Put again and again, as an application would; return when one was done."""
    done: list[float] = []

    def answered(result: object, error: int) -> None:
        if error == 0:
            done.append(time.monotonic())

    while not done:
        store.put(0, VALUE, callback=answered)
        again = time.monotonic() + 0.01
        while not done and time.monotonic() < again:
            store.doTick(TICK)
    return done[0]
