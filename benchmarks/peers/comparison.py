"""What the peers benchmark hands back: rates, latencies and losses, and ours in theirs."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Final

from attrs import frozen

from benchmarks.peers import base
from benchmarks.peers.etcd import Etcd, HastyEtcd
from benchmarks.peers.holders import HolderLost, holder_table
from benchmarks.peers.ours import Ours, OursInMemory, OursSmall
from benchmarks.peers.pysyncobj import JournaledPySyncObj, PySyncObj
from benchmarks.peers.work import Work
from benchmarks.peers.zookeeper import ZooKeeper
from benchmarks.results import Figure, Line, Output, Spread, Table, number

CLIENT_BOUND: Final = 0.85
"""A client that takes more than this share of a processor limits what is measured."""

KINDS: Final[dict[str, type[base.Peer]]] = {
    peer.name: peer
    for peer in (
        *(Ours, OursSmall, Etcd, HastyEtcd, ZooKeeper, JournaledPySyncObj),
        *(OursInMemory, PySyncObj),
    )
}
"""All peers, in the order of tables."""

DURABLE: Final = (OursSmall.name, Etcd.name, ZooKeeper.name, JournaledPySyncObj.name)
UNSYNCED: Final = (PySyncObj.name,)


@frozen
class Row:
    """One peer at one number of puts in flight, in one round."""

    peer: str
    place: str
    inflight: int
    round: int
    work: Work

    @property
    def rate(self) -> float:
        """Puts per second."""
        return self.work.commands / self.work.elapsed

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
    """A leader lost."""

    peer: str
    fault: str
    seconds: float
    """Until the next put was done."""


@frozen
class Failure:
    """A peer that did not do its work in one turn, or a place that is not to be had."""

    who: str
    why: str


@frozen
class Comparison(Output):
    """The benchmark's output."""

    places: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]
    """Peers that were not found, and why."""
    rows: tuple[Row, ...]
    idle: tuple[Idle, ...]
    losses: tuple[Loss, ...]
    failures: tuple[Failure, ...] = ()
    holders: tuple[HolderLost, ...] = ()

    def tables(self) -> tuple[Table, ...]:
        """Return rates, latencies, ratios, and leaders and holders lost."""
        tables: list[Table] = []
        for place in self.places:
            tables += (
                self._work_table(place),
                self._ratio_table(f"durable, on {place}", place, Ours.name, DURABLE),
                self._ratio_table("nothing synced", place, OursInMemory.name, UNSYNCED),
            )
        tables += (
            self._loss_table(),
            holder_table(self.holders),
            self._idle_table(),
            Table("Not found here", ("peer", "why"), self.missing),
            Table("Failed", ("who", "why"), tuple((one.who, one.why) for one in self.failures)),
        )
        return tuple(table for table in tables if table.rows)

    def figures(self) -> tuple[Figure, ...]:
        """Return rates over puts in flight, with all rounds."""
        return tuple(
            Figure(
                f"peers-rates-{number_of_place + 1}",
                f"Puts of 100 B, 3 nodes on loopback\ndata on {place}",
                "puts in flight",
                "puts per second, median round",
                tuple(self._line(place, peer) for peer in self._peers(place)),
                log_x=True,
                log_y=True,
                band="(band: all rounds)",
            )
            for number_of_place, place in enumerate(self.places)
        )

    def _peers(self, place: str) -> list[str]:
        return list(dict.fromkeys(row.peer for row in self.rows if row.place == place))

    def _flights(self) -> list[int]:
        return list(dict.fromkeys(row.inflight for row in self.rows))

    def _of(self, place: str, peer: str, inflight: int) -> dict[int, Row]:
        """Return the rows of one peer by round."""
        cell = (place, peer, inflight)
        return {r.round: r for r in self.rows if (r.place, r.peer, r.inflight) == cell}

    def _line(self, place: str, peer: str) -> Line:
        flights = self._flights()
        rates = [[r.rate for r in self._of(place, peer, n).values()] or [0.0] for n in flights]
        return Line(
            peer,
            tuple(float(inflight) for inflight in flights),
            tuple(map(median, rates)),
            tuple(map(min, rates)),
            tuple(map(max, rates)),
        )

    def _work_table(self, place: str) -> Table:
        return Table(
            f"Puts of 100 B, 3 nodes, data on {place}",
            (
                *("peer", "durability", "client", "in flight", "rounds", "puts/s"),
                *("p50 ms", "p99 ms", "client CPU"),
            ),
            tuple(
                (peer, KINDS[peer].durability, KINDS[peer].client, str(inflight), *cells)
                for peer in self._peers(place)
                for inflight in self._flights()
                for cells in self._work_cells(list(self._of(place, peer, inflight).values()))
            ),
            "Medians of the rounds. Ours and PySyncObj are embedded: the client is the node "
            "itself. etcd and ZooKeeper pay a hop from client to server, as their users do. "
            "Client CPU: of one processor.",
        )

    def _work_cells(self, rows: list[Row]) -> Iterator[tuple[str, ...]]:
        if rows:
            client = max(row.work.client for row in rows)
            yield (
                str(len(rows)),
                number(median(row.rate for row in rows)),
                number(1e3 * median(row.work.p50 for row in rows)),
                number(1e3 * median(row.work.p99 for row in rows)),
                f"{100 * client:.0f} %" if client else "part of the node",
            )

    def _ratio_table(self, kind: str, place: str, ours: str, others: tuple[str, ...]) -> Table:
        found, flights = self._peers(place), self._flights()
        return Table(
            f"Ours to theirs, {kind}: puts per second (p50, p99)",
            ("peer", *(f"{inflight} in flight" for inflight in flights)),
            tuple(
                (peer, *(self._ratio(place, ours, peer, inflight) for inflight in flights))
                for peer in others
                if peer in found and ours in found
            ),
            "Median of the rounds' own ratios. Above 1 we do more, and in brackets below 1 we are "
            "sooner. No ratio where the peer's client was the bottleneck: that would be no win.",
        )

    def _ratio(self, place: str, ours: str, peer: str, inflight: int) -> str:
        mine, theirs = self._of(place, ours, inflight), self._of(place, peer, inflight)
        if any(row.client_bound for row in theirs.values()):
            return "client-bound"
        pairs = [(mine[turn], theirs[turn]) for turn in mine.keys() & theirs.keys()]
        if not pairs:
            return ""
        rate = median(one.rate / other.rate for one, other in pairs)
        p50 = median(one.work.p50 / other.work.p50 for one, other in pairs)
        p99 = median(one.work.p99 / other.work.p99 for one, other in pairs)
        return f"{rate:.2f} ({p50:.2f}, {p99:.2f})"

    def _spread(self, peer: str, fault: str) -> Spread:
        cell = (peer, fault)
        return Spread.of(loss.seconds for loss in self.losses if (loss.peer, loss.fault) == cell)

    def _loss_table(self) -> Table:
        cells = dict.fromkeys((loss.fault, loss.peer) for loss in self.losses)

        def row(fault: str, peer: str) -> tuple[str, ...]:
            times, ours = self._spread(peer, fault), self._spread(Ours.name, fault)
            figures = (number(1e3 * time) for time in (times.p50, times.p90, times.most))
            ratio = f"{ours.p50 / times.p50:.2f}" if ours.count and times.p50 else ""
            return (peer, fault, str(times.count), *figures, ratio)

        return Table(
            "Leader lost: milliseconds until a survivor has put a value",
            ("peer", "fault", "runs", "p50", "p90", "most", "ours to theirs"),
            tuple(row(fault, peer) for fault, peer in sorted(cells, key=lambda cell: cell[0])),
            "ours to theirs: medians. A refused probe helps ours only while the machine of the "
            "dead process lives; SIGSTOP is like a silent cut. A client puts every few "
            "milliseconds at a survivor.",
        )

    def _idle_table(self) -> Table:
        peers = dict.fromkeys(one.peer for one in self.idle)
        ours = [one.resident for one in self.idle if one.peer == Ours.name]

        def row(peer: str) -> tuple[str, ...]:
            resident = median(one.resident for one in self.idle if one.peer == peer)
            ratio = f"{median(ours) / resident:.2f}" if ours else ""
            return (peer, number(resident / 2**20), ratio)

        return Table(
            "Resident memory of an idle node, before it has worked",
            ("peer", "MiB", "ours to theirs"),
            tuple(row(peer) for peer in peers),
            "Of the largest process of three; the median of the rounds.",
        )
