"""The peers benchmark: every peer that is found does the same work, one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.peers.base import FAULTS
from benchmarks.peers.comparison import KINDS, Comparison, Failure, Idle, Loss, Row
from benchmarks.peers.contests import (
    CONTESTS,
    EtcdctlLock,
    HastyKazooElection,
    OurElect,
    OurHastyElect,
)
from benchmarks.peers.etcd import Etcd, HastyEtcd
from benchmarks.peers.holders import HolderLost
from benchmarks.peers.ours import Ours, OursInMemory
from benchmarks.peers.pysyncobj import PySyncObj
from benchmarks.peers.work import PeerFailed
from benchmarks.peers.zookeeper import ZooKeeper
from benchmarks.places import MEMORY, folder, missing, place
from benchmarks.suite import Size, Tell

WARM_UP: Final = 0.3
"""How much of the time is driven before anything is measured."""

_TROUBLES: Final = (PeerFailed, OSError, EOFError)
"""What may go wrong with other people's processes; it ends a turn, and is told."""


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    workers: tuple[str, ...]
    """The peers that put values."""
    losers: tuple[str, ...]
    """The peers that lose their leader."""
    inflight: tuple[int, ...]
    seconds: float
    rounds: int
    """How often all work is repeated, peer after peer, so that each meets the same machine."""
    losses: int
    """How often each peer's leader is harmed, for each fault."""
    contests: tuple[str, ...] = ()
    """The recipes of elections that lose their holder."""
    patience: float = 0.0
    """How many leases may be waited for in each contest, in seconds; one is in any case."""
    where: tuple[str, ...] = (MEMORY,)
    """At each of these places values are put; leaders and holders are lost at the first."""


def usual(size: Size, seed: int) -> Given:
    """Return the usual input."""
    losers = (Ours.name, Etcd.name, HastyEtcd.name, ZooKeeper.name, PySyncObj.name)
    if size is Size.QUICK:
        brief = (Ours.name, Etcd.name, ZooKeeper.name, OursInMemory.name, PySyncObj.name)
        short = (OurElect.name, *(c.name for c in (OurHastyElect, EtcdctlLock, HastyKazooElection)))
        return Given(seed, brief, losers[:3], (1, 64), 0.5, 1, 1, short)
    workers = tuple(name for name in KINDS if name != HastyEtcd.name)
    seconds, rounds, losses = (1.2, 2, 5) if size is Size.USUAL else (5.0, 5, 100)
    patience = 20.0 if size is Size.USUAL else 600.0
    flights = (1, 16, 64, 256)
    return Given(seed, workers, losers, flights, seconds, rounds, losses, tuple(CONTESTS), patience)


def run(given: Given, tell: Tell) -> Comparison:
    """Let every peer do the work, one after another, several times."""
    return _Comparing(given, tell).run()


class _Comparing:
    """One run of the benchmark, and what it has found so far."""

    def __init__(self, given: Given, tell: Tell) -> None:
        self._given, self._tell = given, tell
        peers = dict.fromkeys((*given.workers, *given.losers))
        self._missing = {name: KINDS[name].missing() for name in peers}
        self._missing |= {name: CONTESTS[name].missing() for name in given.contests}
        self._places: list[str] = []
        self._rows: list[Row] = []
        self._idle: list[Idle] = []
        self._losses: list[Loss] = []
        self._holders: list[HolderLost] = []
        self._failures: list[Failure] = []

    def run(self) -> Comparison:
        for number_of_place, where in enumerate(self._given.where):
            if why := missing(where):
                self._failures.append(Failure(where, why))
                continue
            with folder(where) as data:
                self._places.append(place(data))
                self._work(data, 0.6 * number_of_place / len(self._given.where))
                if number_of_place == 0:
                    self._lose_leaders(data)
                    self._lose_holders(data)
        return Comparison(
            tuple(self._places),
            tuple((name, why) for name, why in self._missing.items() if why),
            tuple(self._rows),
            tuple(self._idle),
            tuple(self._losses),
            tuple(self._failures),
            tuple(self._holders),
        )

    def _found(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if not self._missing[name]]

    def _work(self, data: Path, before: float) -> None:
        given, found = self._given, self._found(self._given.workers)
        turns = [(turn, name) for turn in range(given.rounds) for name in found]
        for done, (turn, name) in enumerate(turns):
            share = before + 0.6 * done / len(turns) / len(given.where)
            self._tell(share, f"{name} works, round {turn + 1} of {given.rounds}")
            try:
                with KINDS[name](data / f"work {turn} {name}", given.seed) as peer:
                    self._idle.append(Idle(name, peer.resident()))
                    peer.drive(max(given.inflight), WARM_UP * given.seconds)
                    for inflight in given.inflight:
                        work = peer.drive(inflight, given.seconds)
                        self._rows.append(Row(name, self._places[-1], inflight, turn, work))
            except _TROUBLES as error:
                self._failures.append(Failure(name, f"{type(error).__name__}: {error}"))

    def _lose_leaders(self, data: Path) -> None:
        given, found = self._given, self._found(self._given.losers)
        for done, name in enumerate(found):
            try:
                with KINDS[name](data / f"lose {name}", given.seed) as peer:
                    for fault in FAULTS:
                        for loss in range(given.losses):
                            self._tell(0.6 + 0.2 * done / len(found), f"{name}: {fault} {loss + 1}")
                            self._losses.append(Loss(name, fault, peer.lose_leader(fault)))
            except _TROUBLES as error:
                self._failures.append(Failure(name, f"{type(error).__name__}: {error}"))

    def _lose_holders(self, data: Path) -> None:
        given, found = self._given, self._found(self._given.contests)
        for done, name in enumerate(found):
            most = max(1, int(given.patience / CONTESTS[name].lease))
            try:
                with CONTESTS[name](data / f"hold {name}", given.seed) as contest:
                    for loss in range(min(given.losses, most)):
                        self._tell(0.8 + 0.2 * done / len(found), f"{name}: holder {loss + 1}")
                        self._holders.append(HolderLost(name, contest.lose_holder()))
            except _TROUBLES as error:
                self._failures.append(Failure(name, f"{type(error).__name__}: {error}"))
