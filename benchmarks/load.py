"""The load benchmark: how many commands a cluster decides, how soon, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

import paxos
from benchmarks.member import SIZE, Drive, Member, members
from benchmarks.node_load import Measured, await_leader, measure
from benchmarks.places import MEMORY, folder, place
from benchmarks.results import Figure, Line, Output, Table, number
from benchmarks.suite import Size, Tell

SMALL_DATAGRAM: Final = 1_400
"""What passes nearly every path unfragmented, in bytes."""


@frozen
class Cell:
    """One thing to measure."""

    nodes: int = 3
    durable: bool = True
    inflight: int = 64
    size: int = SIZE
    at_leader: bool = True
    datagram: int | None = None
    """The largest datagram, in bytes; None for what loopback carries."""


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    seconds: float
    """For how long each cell is measured."""
    cells: tuple[Cell, ...]
    commands: int
    """How long a log is grown, to see what it costs then."""
    where: str = MEMORY


@frozen
class Row:
    """One cell, measured."""

    cell: Cell
    measured: Measured


@frozen
class Growth:
    """A cluster while its log grows; bytes are of the node that has the most."""

    commands: int
    ops_s: float
    resident: int
    stored: int


@frozen
class Load(Output):
    """The benchmark's output."""

    place: str
    rows: tuple[Row, ...]
    growth: tuple[Growth, ...]
    profile: tuple[tuple[str, float], ...]

    def tables(self) -> tuple[Table, ...]:
        """Return what was measured, how a log's growth shows, and where the time goes."""
        return (
            Table(
                f"Commands decided; durable ones on {self.place}",
                (
                    *("nodes", "durable", "in flight", "bytes", "at", "datagram"),
                    *("commands/s", "p50 us", "p99 us", "CPU us", "datagrams", "syncs"),
                    *("switches", "per slot"),
                ),
                tuple(_cells(row) for row in self.rows),
                "CPU, datagrams, syncs and thread switches: per command, over all nodes.",
            ),
            Table(
                "A growing log, 256 in flight, durable",
                ("commands so far", "commands/s", "MiB resident", "MiB on disk"),
                tuple(
                    (
                        f"{growth.commands:,}",
                        number(growth.ops_s),
                        *(number(value / 2**20) for value in (growth.resident, growth.stored)),
                    )
                    for growth in self.growth
                ),
            ),
            Table(
                "Where the leader's thread spends its time, 256 in flight",
                ("function", "share"),
                tuple((name, f"{100 * part:.1f} %") for name, part in self.profile),
                "Sampled, without what a function calls; shares of all time, idleness included.",
            ),
        )

    def figures(self) -> tuple[Figure, ...]:
        """Return the cost curves."""
        return tuple(_figures(self.rows, self.growth))


def _cells(row: Row) -> tuple[str, ...]:
    cell, measured = row.cell, row.measured
    values = (
        *(measured.ops_s, measured.p50_us, measured.p99_us, measured.cpu_us_per_command),
        *(measured.datagrams_per_command, measured.transactions_per_command),
        *(measured.switches_per_command, measured.commands_per_slot),
    )
    return (
        *(str(cell.nodes), "yes" if cell.durable else "no", str(cell.inflight), str(cell.size)),
        *("leader" if cell.at_leader else "follower", str(cell.datagram or "")),
        *map(number, values),
    )


def usual(size: Size, seed: int) -> Given:
    """Return the usual input: one thing varied at a time, around one point."""
    base = Cell()
    if size is Size.QUICK:
        cells = [base, evolve(base, inflight=1), evolve(base, durable=False)]
        return Given(seed, 0.5, tuple(cells), 20_000)
    flights = (1, 4, 16, 64, 256, 1024)
    cells = [
        *(evolve(base, durable=durable, inflight=n) for durable in (True, False) for n in flights),
        *(evolve(base, nodes=5, inflight=n) for n in flights),
        *(evolve(base, nodes=nodes, inflight=n) for nodes in (1, 7) for n in (1, 64, 256)),
        *(evolve(base, size=size) for size in (16, 1_024, 4_096, 16_384, 65_536)),
        *(evolve(base, at_leader=False, inflight=n) for n in flights),
        *(evolve(base, datagram=SMALL_DATAGRAM, inflight=n) for n in (1, 64, 256)),
    ]
    seconds, commands = (5.0, 10_000_000) if size is Size.LONG else (1.0, 1_000_000)
    return Given(seed, seconds, tuple(cells), commands)


def run(given: Given, tell: Tell) -> Load:
    """Measure each cell on fresh clusters, then grow one log."""
    rows: list[Row] = []
    with folder(given.where) as data:
        groups = groupby(given.cells, lambda cell: (cell.nodes, cell.durable, cell.datagram))
        for number_of_group, (_, cells) in enumerate(groups):
            where = data / str(number_of_group)
            where.mkdir()
            for row in _measure(list(cells), where, given.seconds):
                rows.append(row)
                tell(0.7 * len(rows) / len(given.cells), f"{row.cell.inflight} in flight")
        where = data / "growth"
        where.mkdir()
        with members(paxos.Cluster.local(3), where) as processes:
            growth = tuple(_grow(processes, given, tell))
            drive = Drive(256, given.seconds, profiled=True)
            profile = await_leader(processes).drive(drive).profile
        at = place(data)
    return Load(at, tuple(rows), growth, profile)


def _measure(cells: list[Cell], where: Path, seconds: float) -> Iterator[Row]:
    """Measure cells that can share one cluster."""
    cluster = evolve(paxos.Cluster.local(cells[0].nodes), max_datagram=cells[0].datagram)
    with members(cluster, where if cells[0].durable else None) as processes:
        for cell in cells:
            drive = Drive(cell.inflight, seconds, cell.size)
            yield Row(cell, measure(processes, drive, at_leader=cell.at_leader))


def _grow(processes: list[Member], given: Given, tell: Tell) -> Iterator[Growth]:
    """Propose until the log is as long as it shall be; tell of ten points on the way."""
    leader = await_leader(processes)
    yield _seen(processes, 0, 0.0)
    commands, elapsed = 0, 0.0
    since, mark = 0, given.commands // 10
    while commands < given.commands:
        driven = leader.drive(Drive(256, min(given.seconds, 1.0)))
        commands, elapsed = commands + driven.commands, elapsed + driven.elapsed
        if commands >= mark:
            yield _seen(processes, commands, (commands - since) / elapsed)
            since, elapsed, mark = commands, 0.0, commands + given.commands // 10
            tell(0.7 + 0.3 * min(1.0, commands / given.commands), f"{commands:,} commands")


def _seen(processes: list[Member], commands: int, ops_s: float) -> Growth:
    seen = [process.count() for process in processes]
    resident = max(one.resident for one in seen)
    return Growth(commands, ops_s, resident, max(one.stored for one in seen))


def _figures(rows: tuple[Row, ...], growth: tuple[Growth, ...]) -> Iterator[Figure]:
    base = Cell()
    flights = [row for row in rows if evolve(row.cell, inflight=64, durable=True) == base]
    for what, title in (("ops_s", "commands per second"), ("cpu_us_per_command", "CPU us each")):
        yield Figure(
            f"load-inflight-{what.replace('_', '-')}",
            "What grows with the number of commands in flight: 3 nodes, 100 B",
            "commands in flight",
            title,
            tuple(
                _line(
                    "durable" if durable else "in memory",
                    [row for row in flights if row.cell.durable is durable],
                    "inflight",
                    what,
                )
                for durable in (True, False)
            ),
            log_x=True,
            log_y=True,
        )
    sizes = [row for row in rows if evolve(row.cell, size=SIZE) == base]
    yield Figure(
        "load-size",
        "What grows with the size of commands: 3 nodes, durable, 64 in flight",
        "bytes of a command",
        "CPU us per command",
        (_line("all nodes", sizes, "size", "cpu_us_per_command"),),
        log_x=True,
        log_y=True,
    )
    nodes = [row for row in rows if evolve(row.cell, nodes=3, inflight=64) == base]
    yield Figure(
        "load-nodes",
        "What grows with the number of nodes: durable, 100 B",
        "nodes",
        "CPU us per command",
        tuple(
            _line(f"{n} in flight", [r for r in nodes if r.cell.inflight == n], "nodes", COST)
            for n in (1, 64, 256)
        ),
        log_y=True,
    )
    grown = growth[1:]
    yield Figure(
        "load-growth",
        "What a long log costs: 3 nodes, durable, 256 in flight",
        "commands so far",
        "commands per second",
        (Line("all", tuple(g.commands for g in grown), tuple(g.ops_s for g in grown)),),
    )


COST: Final = "cpu_us_per_command"


def _line(label: str, rows: list[Row], x: str, y: str) -> Line:
    points = sorted((float(getattr(r.cell, x)), float(getattr(r.measured, y))) for r in rows)
    return Line(label, tuple(at for at, _ in points), tuple(value for _, value in points))
