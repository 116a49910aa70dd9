"""The peers benchmark: every peer that is found does the same work, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.peers.base import Peer, Work
from benchmarks.peers.etcd import Etcd, HastyEtcd
from benchmarks.peers.ours import Ours, OursInMemory, OursSmall
from benchmarks.peers.pysyncobj import JournaledPySyncObj, PySyncObj
from benchmarks.peers.zookeeper import ZooKeeper
from benchmarks.places import folder, place
from benchmarks.results import Figure, Line, Output, Spread, Table, number
from benchmarks.suite import Tell

PEERS: Final[dict[str, type[Peer]]] = {
    peer.name: peer
    for peer in (
        *(Ours, OursSmall, Etcd, HastyEtcd, ZooKeeper, JournaledPySyncObj),
        *(OursInMemory, PySyncObj),
    )
}

CLIENT_BOUND: Final = 0.85
"""A client that takes more than this share of a processor limits what is measured."""

WARM_UP: Final = 0.3
"""How much of the time is driven before anything is measured."""


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    peers: tuple[str, ...]
    inflight: tuple[int, ...]
    seconds: float
    rounds: int
    """How often all is repeated, peer after peer."""
    losses: int
    """How often each peer's leader is killed, in clusters of their own."""
    where: Path | None = None


@frozen
class Row:
    """One peer at one number of puts in flight, in one round."""

    peer: str
    inflight: int
    round: int
    work: Work

    @property
    def client_bound(self) -> bool:
        """Whether the client was the bottleneck."""
        return self.work.client > CLIENT_BOUND


@frozen
class Idle:
    """What a peer takes before it has worked."""

    peer: str
    resident: int
    """Bytes of its largest process."""


@frozen
class Loss:
    """A leader killed."""

    peer: str
    seconds: float
    """Until the next put was done."""


@frozen
class Comparison(Output):
    """The benchmark's output."""

    place: str
    missing: tuple[tuple[str, str], ...]
    """Peers that were not found, and why."""
    rows: tuple[Row, ...]
    idle: tuple[Idle, ...]
    losses: tuple[Loss, ...]

    def peers(self) -> list[str]:
        """Return the peers that were measured, in order."""
        return list(dict.fromkeys(row.peer for row in self.rows))

    def best(self, peer: str, inflight: int) -> Row:
        """Return the round in which this peer did the most."""
        rows = [row for row in self.rows if (row.peer, row.inflight) == (peer, inflight)]
        return max(rows, key=lambda row: row.work.commands / row.work.elapsed)

    def rate(self, peer: str, inflight: int) -> float:
        """Return its commands per second in that round."""
        work = self.best(peer, inflight).work
        return work.commands / work.elapsed

    def tables(self) -> tuple[Table, ...]:
        """Return rates, latencies, ratios, and leaders lost."""
        flights = list(dict.fromkeys(row.inflight for row in self.rows))
        tables = [
            self._work_table(flights),
            self._ratio_table("durable", Ours.name, DURABLE, flights),
            self._ratio_table("in memory", OursInMemory.name, UNSYNCED, flights),
            self._loss_table(),
        ]
        if self.missing:
            tables.append(Table("Not found here", ("peer", "why"), self.missing))
        return tuple(table for table in tables if table.rows)

    def figures(self) -> tuple[Figure, ...]:
        """Return rates over puts in flight."""
        flights = list(dict.fromkeys(row.inflight for row in self.rows))
        xs = tuple(float(inflight) for inflight in flights)
        return (
            Figure(
                "peers-rates",
                f"Puts of 100 B, 3 nodes on loopback, data on {self.place}",
                "puts in flight",
                "puts per second, best round",
                tuple(
                    Line(peer, xs, tuple(self.rate(peer, inflight) for inflight in flights))
                    for peer in self.peers()
                ),
                log_x=True,
                log_y=True,
            ),
        )

    def _work_table(self, flights: list[int]) -> Table:
        return Table(
            f"Puts of 100 B, 3 nodes, data on {self.place}, best round",
            (
                "peer",
                "durability",
                "client",
                "in flight",
                "puts/s",
                "p50 ms",
                "p99 ms",
                "client CPU",
            ),
            tuple(
                (
                    *(peer, PEERS[peer].durability, PEERS[peer].client, str(inflight)),
                    *self._work(peer, inflight),
                )
                for peer in self.peers()
                for inflight in flights
            ),
            "Ours and PySyncObj are embedded: the client is the node itself. etcd and ZooKeeper "
            "pay a hop from client to server, as their users do. Client CPU: of one processor.",
        )

    def _work(self, peer: str, inflight: int) -> tuple[str, ...]:
        row = self.best(peer, inflight)
        return (
            number(self.rate(peer, inflight)),
            *(number(1e3 * time) for time in (row.work.p50, row.work.p99)),
            f"{100 * row.work.client:.0f} %" if row.work.client else "none",
        )

    def _ratio_table(
        self, kind: str, ours: str, others: tuple[str, ...], flights: list[int]
    ) -> Table:
        found = self.peers()
        rows = [
            (peer, *(self._ratio(ours, peer, inflight) for inflight in flights))
            for peer in others
            if peer in found and ours in found
        ]
        return Table(
            f"Ours to theirs, {kind}: puts per second; p50 in brackets",
            ("peer", *(f"{inflight} in flight" for inflight in flights)),
            tuple(rows),
            "Above 1 we do more, and in brackets below 1 we are sooner. No ratio where the peer's "
            "client was the bottleneck: that would be no win.",
        )

    def _ratio(self, ours: str, peer: str, inflight: int) -> str:
        theirs = self.best(peer, inflight)
        if theirs.client_bound:
            return "client-bound"
        rate = self.rate(ours, inflight) / self.rate(peer, inflight)
        return f"{rate:.2f} ({self.best(ours, inflight).work.p50 / theirs.work.p50:.2f})"

    def _loss_table(self) -> Table:
        def cells(peer: str) -> Iterator[str]:
            times = Spread.of(loss.seconds for loss in self.losses if loss.peer == peer)
            yield peer
            yield str(times.count)
            yield from (number(1e3 * time) for time in (times.p50, times.p90, times.most))
            idle = [one.resident for one in self.idle if one.peer == peer]
            yield number(max(idle, default=0) / 2**20)

        return Table(
            "Leader killed (SIGKILL): milliseconds until a survivor has put a value",
            ("peer", "kills", "p50", "p90", "most", "MiB idle"),
            tuple(tuple(cells(peer)) for peer in self.peers()),
            "A refused probe helps ours only while the machine of the dead process lives. MiB: "
            "resident memory of the largest node before it has worked.",
        )


DURABLE: Final = (OursSmall.name, Etcd.name, ZooKeeper.name, JournaledPySyncObj.name)
UNSYNCED: Final = (PySyncObj.name,)


def usual(quick: bool, seed: int) -> Given:
    """Return the usual input."""
    if quick:
        brief = (Ours.name, Etcd.name, ZooKeeper.name, OursInMemory.name, PySyncObj.name)
        return Given(seed, brief, (1, 64), 0.5, 1, 1)
    return Given(seed, tuple(PEERS), (1, 16, 64, 256), 3.0, 3, 10)


def run(given: Given, tell: Tell) -> Comparison:
    """Let every peer do the work, one after another, several times."""
    missing = {name: PEERS[name].missing() for name in given.peers}
    found = [name for name in given.peers if not missing[name]]
    rows: list[Row] = []
    idle: list[Idle] = []
    losses: list[Loss] = []
    turns = [(turn, name) for turn in range(given.rounds) for name in found]
    with folder(given.where) as data:
        for done, (turn, name) in enumerate(turns):
            tell(0.6 * done / len(turns), f"{name} works")
            with PEERS[name](data / f"{turn}-{len(rows)}") as peer:
                idle.append(Idle(name, peer.resident()))
                peer.drive(max(given.inflight), WARM_UP * given.seconds)
                rows.extend(
                    Row(name, inflight, turn, peer.drive(inflight, given.seconds))
                    for inflight in given.inflight
                )
        kills = [(kill, name) for kill in range(given.losses) for name in found]
        for done, (kill, name) in enumerate(kills):
            tell(0.6 + 0.4 * done / len(kills), f"{name} loses its leader")
            with PEERS[name](data / f"kill-{kill}-{done}") as peer:
                losses.append(Loss(name, peer.lose_leader()))
    return Comparison(
        place(given.where),
        tuple((name, why) for name, why in missing.items() if why),
        tuple(rows),
        tuple(idle),
        tuple(losses),
    )
