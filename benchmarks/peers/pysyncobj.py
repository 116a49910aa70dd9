"""PySyncObj: Raft in Python, in three processes; the leader's process proposes, as with ours."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks.peers.base import FAULTS, LIMIT, NODES, Peer, free_ports, resident_of, until
from benchmarks.peers.work import VALUE, PeerFailed, Work, sum_up

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
        self._addresses = [f"127.0.0.1:{port}" for port in free_ports(NODES)]
        self._nodes = [self._run(address) for address in self._addresses]
        self._leader = until("a leader of PySyncObj", self._find_leader)

    def _run(self, address: str) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        others = [other for other in self._addresses if other != address]
        journal = self.folder / f"{address}.journal" if self.journal else None
        process = context.Process(
            target=take_part, args=(address, others, journal, theirs), daemon=True
        )
        process.start()
        theirs.close()
        self._stack.callback(process.kill)
        return process, ours

    def drive(self, inflight: int, seconds: float) -> Work:
        """Put in the leader's process."""
        work: Work = self._ask(self._leader, Ask(inflight, seconds), seconds + LIMIT)
        return work

    def lose_leader(self, fault: str) -> float:
        """Harm the leader; a survivor puts until that is done."""
        lost = self._leader = until("a leader of PySyncObj", self._find_leader)
        survivor = next(n for n in range(NODES) if n != lost)
        self._ask(survivor, Ask(one=True), LIMIT)
        self.settle()
        process, pipe = self._nodes[lost]
        assert process.pid is not None
        os.kill(process.pid, FAULTS[fault])
        harmed = time.monotonic()
        done: float = self._ask(survivor, Ask(one=True), LIMIT)
        if fault == "SIGSTOP":
            os.kill(process.pid, signal.SIGCONT)
        else:
            process.join()
            pipe.close()
            self._nodes[lost] = self._run(self._addresses[lost])
        self._ask(lost, Ask(one=True), LIMIT)
        return done - harmed

    def resident(self) -> int:
        """Return the largest process's memory."""
        return max(resident_of(process.pid or 0) for process, _ in self._nodes)

    def _ask(self, number: int, ask: Ask, seconds: float) -> Any:
        _, pipe = self._nodes[number]
        pipe.send(ask)
        if not pipe.poll(seconds):
            raise PeerFailed(f"node {number} does not answer within {seconds:g} s")
        return pipe.recv()

    def _find_leader(self) -> int | None:
        leading = (number for number in range(NODES) if self._ask(number, Ask(), LIMIT))
        return next(leading, None)


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
