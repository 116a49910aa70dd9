"""Contention between real processes over UDP: the same nodes, on real clocks and a real network."""

from __future__ import annotations

import multiprocessing
import select
import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack
from heapq import heappop, heappush
from itertools import product
from math import nan
from multiprocessing.connection import Connection, wait
from random import Random
from statistics import correlation
from typing import Final

from attrs import evolve, frozen

from benchmarks.contention.arena import Arena, Scene
from benchmarks.contention.policies import NAMES
from benchmarks.contention.station import Station, Surroundings, Voters, names
from benchmarks.results import Figure, Line, Output, Spread, Table, number, share
from benchmarks.suite import Size, Tell
from paxos.protocol.events import BallotBegun, Event
from paxos.protocol.messages import Message
from paxos.replicated.routing import Role
from paxos.replicated.state import Applied
from paxos.wire import decode, encode

LIMIT: Final = 2.0
"""Seconds after which a run is undecided."""

HEAD_START: Final = 0.02
"""Seconds between a run's announcement and its beginning, so that all begin at once."""

DATAGRAM: Final = 60_000
RUN_BYTES: Final = 8


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    runs: int
    scenes: tuple[Scene, ...]


@frozen
class Begin:
    """Tell a process to take part in a run, from a moment of the machine's monotonic clock on."""

    scene: Scene
    number: int
    """Of the run: what is left of an earlier one is recognised by it."""
    seed: int
    at: float


@frozen
class End:
    """Tell a process that the run is over, and ask for `Seen`."""


@frozen
class Decided:
    """A process to its parent: it has learned the value."""

    at: float


@frozen
class Seen:
    """When a process began ballots, and what it sent."""

    ballots: tuple[float, ...]
    messages: int


@frozen
class Row:
    """What the runs of one scene came to, and the same in the simulator."""

    scene: Scene
    ballots: Spread
    simulated: Spread
    """Ballots of as many simulated runs."""
    seconds: Spread
    messages: Spread
    undecided: int


@frozen
class Contention(Output):
    """The benchmark's output."""

    rows: tuple[Row, ...]

    def tables(self) -> tuple[Table, ...]:
        """Return one table."""
        return (
            Table(
                "One instance, real processes over UDP on loopback, 3 acceptors",
                (
                    *("policy", "proposers", "loss", "runs", "rounds", "p50", "p90", "most"),
                    *("simulated", "ms p50", "p90", "most", "messages", "undecided"),
                ),
                tuple(_cells(row) for row in self.rows),
                "simulated: mean rounds of the same scene in the simulator, whose messages take "
                "0.5 to 1.5 ms; here they take less, and all nodes share the processors.",
            ),
            self._agreement(),
        )

    def _agreement(self) -> Table:
        """Tell whether what needs more rounds in the simulator does so on real processes, too."""
        losses = sorted({row.scene.loss for row in self.rows})
        scenes = [[row for row in self.rows if row.scene.loss == loss] for loss in losses]
        return Table(
            "Real and simulated rounds: the same shape?",
            ("loss", "scenes", "rank correlation"),
            tuple(
                (
                    *(share(loss), str(len(rows))),
                    f"{agreement([(r.ballots.mean, r.simulated.mean) for r in rows]):.3f}",
                )
                for loss, rows in zip(losses, scenes, strict=True)
            ),
            "Spearman's, of the mean rounds of all policies and numbers of proposers: 1 where the "
            "order is the same.",
        )

    def figures(self) -> tuple[Figure, ...]:
        """Return rounds over proposers, for each loss."""
        return tuple(
            Figure(
                f"contention-udp-{100 * loss:g}-rounds",
                f"Ballots begun until a value is chosen: processes over UDP, {100 * loss:g} % loss",
                "proposers",
                "ballots, mean",
                tuple(self._line(policy, loss) for policy in NAMES),
                log_x=True,
                log_y=True,
                band="(band: 10th to 90th percentile)",
            )
            for loss in sorted({row.scene.loss for row in self.rows})
        )

    def _line(self, policy: str, loss: float) -> Line:
        rows = [r for r in self.rows if (r.scene.policy, r.scene.loss) == (policy, loss)]
        return Line(
            policy,
            tuple(float(row.scene.proposers) for row in rows),
            tuple(row.ballots.mean for row in rows),
            tuple(row.ballots.p10 for row in rows),
            tuple(row.ballots.p90 for row in rows),
        )


def agreement(pairs: list[tuple[float, float]]) -> float:
    """Return Spearman's rank correlation; equal figures share the mean of their ranks."""
    ranks = [_ranks(side) for side in zip(*pairs, strict=True)]
    return correlation(*ranks) if all(len(set(side)) > 1 for side in ranks) else nan


def _ranks(figures: tuple[float, ...]) -> list[float]:
    ordered = sorted(figures)
    first = {figure: rank for rank, figure in reversed(list(enumerate(ordered)))}
    return [first[figure] + (ordered.count(figure) - 1) / 2 for figure in figures]


def _cells(row: Row) -> tuple[str, ...]:
    scene, rounds, seconds = row.scene, row.ballots, row.seconds
    return (
        *(scene.policy, str(scene.proposers), share(scene.loss), str(rounds.count)),
        *map(number, (rounds.mean, rounds.p50, rounds.p90, rounds.most, row.simulated.mean)),
        *(number(1e3 * value) for value in (seconds.p50, seconds.p90, seconds.most)),
        number(row.messages.mean),
        share(row.undecided / rounds.count),
    )


def usual(size: Size, seed: int) -> Given:
    """Return the usual input."""
    quick = size is Size.QUICK
    counts = (1, 5) if quick else (1, 2, 3, 5, 9)
    scenes = tuple(
        Scene(policy=policy, proposers=count, loss=loss)
        for policy, loss, count in product(NAMES, (0.0, 0.05), counts)
        if not quick or policy in ("none", "exponential", "ranked")
    )
    return Given(seed, {Size.QUICK: 3, Size.USUAL: 12, Size.LONG: 200}[size], scenes)


def run(given: Given, tell: Tell) -> Contention:
    """Run every scene, each so many times, on the same processes."""
    nodes = names(max(max(s.proposers, s.acceptors) for s in given.scenes))
    rows: list[Row] = []
    with Crowd(nodes) as crowd:
        for scene in given.scenes:
            tell(len(rows) / len(given.scenes), f"{scene.policy}, {scene.proposers} proposers")
            runs = [crowd.run(scene, given.seed + turn) for turn in range(given.runs)]
            virtual = evolve(scene, delay="jittered")  # as real ones are
            simulated = (Arena(virtual, given.seed + turn).run() for turn in range(given.runs))
            rows.append(
                Row(
                    scene,
                    Spread.of(ballots for ballots, _, _ in runs),
                    Spread.of(one.ballots for one in simulated),
                    Spread.of(seconds for _, seconds, _ in runs),
                    Spread.of(messages for _, _, messages in runs),
                    sum(seconds >= LIMIT for _, seconds, _ in runs),
                )
            )
    return Contention(tuple(rows))


class Crowd:
    """Processes that take part in one run after another; ended with the block."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self._stack = ExitStack()
        self._nodes = nodes
        self._pipes: dict[str, Connection] = {}
        self._runs = 0

    def __enter__(self) -> Crowd:
        """Start them."""
        context = multiprocessing.get_context("spawn")
        for name in self._nodes:
            ours, theirs = context.Pipe()
            process = context.Process(target=take_part, args=(name, theirs), daemon=True)
            process.start()
            theirs.close()
            self._stack.callback(process.join, 5)
            self._stack.callback(ours.close)
            self._pipes[name] = ours
        ports = {name: pipe.recv() for name, pipe in self._pipes.items()}
        for pipe in self._pipes.values():
            pipe.send(ports)
        return self

    def __exit__(self, *_: object) -> None:
        """End them: each ends when its pipe closes."""
        self._stack.close()

    def run(self, scene: Scene, seed: int) -> tuple[int, float, int]:
        """Return the ballots begun until somebody knew, the seconds, and messages sent."""
        count = max(scene.proposers, scene.acceptors)
        pipes = [self._pipes[name] for name in self._nodes[:count]]
        self._runs += 1
        at = time.monotonic() + HEAD_START
        for number_of_node, pipe in enumerate(pipes):
            pipe.send(Begin(scene, self._runs, seed * 100 + number_of_node, at))
        decided = self._await_decision(pipes, at)
        seen: list[Seen] = []
        for pipe in pipes:
            pipe.send(End())
        for pipe in pipes:
            while not isinstance(message := pipe.recv(), Seen):
                decided = min(decided, message.at)
            seen.append(message)
        ballots = sum(begun <= decided for one in seen for begun in one.ballots)
        return ballots, decided - at, sum(one.messages for one in seen)

    def _await_decision(self, pipes: list[Connection], at: float) -> float:
        ready = wait(pipes, timeout=HEAD_START + LIMIT)
        for pipe in pipes:
            if pipe in ready:
                first = pipe.recv()
                assert isinstance(first, Decided)
                return first.at
        return at + LIMIT


class OneProcess(Surroundings):
    """One process's world: a socket, a clock, and alarms. Datagrams are not sealed."""

    def __init__(self, name: str, sock: socket.socket, ports: dict[str, int], begin: Begin) -> None:
        self._socket = sock
        self._ports = ports
        self._scene = begin.scene
        self._header = begin.number.to_bytes(RUN_BYTES, "big") + name.encode()
        self._random = Random(begin.seed)  # noqa: S311 - losses and pauses, no secret
        self._alarms: list[tuple[float, int, Role]] = []
        self._current: Counter[Role] = Counter()
        self.decided: float | None = None
        self.ballots: list[float] = []
        self.messages = 0

    def now(self) -> float:
        """Return the machine's monotonic time."""
        return time.monotonic()

    def send(self, source: str, target: str, message: Message) -> None:
        """Send a datagram of its own, or lose it."""
        self.messages += 1
        if self._random.random() < self._scene.loss:
            return
        datagram = self._header + encode(message)
        self._socket.sendto(datagram, ("127.0.0.1", self._ports[target]))

    def wake(self, station: Station, role: Role, earliest: float, latest: float) -> None:
        """Set the alarm of a role."""
        self._current[role] += 1
        due = self.now() + self._random.uniform(earliest, max(earliest, latest))
        heappush(self._alarms, (due, self._current[role], role))

    def happened(self, station: Station, event: Event | Applied) -> None:
        """Note ballots and the decision."""
        if isinstance(event, BallotBegun):
            self.ballots.append(self.now())
        elif isinstance(event, Applied) and self.decided is None:
            self.decided = self.now()

    def ring(self, station: Station) -> float:
        """Let alarms ring that are due; return the seconds until the next."""
        while self._alarms and self._alarms[0][0] <= self.now():
            _, alarm, role = heappop(self._alarms)
            if alarm == self._current[role]:
                station.ring(role)
        return max(0.0, self._alarms[0][0] - self.now()) if self._alarms else LIMIT

    def receive(self, station: Station) -> None:
        """Hand over all that has arrived."""
        while True:
            try:
                datagram = self._socket.recv(DATAGRAM + 1)
            except BlockingIOError:
                return
            if datagram[:RUN_BYTES] == self._header[:RUN_BYTES]:
                length = len(self._header)  # all names have the same
                source = datagram[RUN_BYTES:length].decode()
                station.receive(source, decode(datagram[length:]))


def take_part(name: str, pipe: Connection) -> None:
    """Be a node of one run after another: what a process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    pipe.send(sock.getsockname()[1])
    try:
        ports = pipe.recv()
        while True:
            begin = pipe.recv()
            pipe.send(_run(name, sock, ports, begin, pipe))
    except EOFError:
        return


def _run(
    name: str, sock: socket.socket, ports: dict[str, int], begin: Begin, pipe: Connection
) -> Seen:
    """Take part in one run, until told that it is over."""
    scene = begin.scene
    everyone = names(max(scene.proposers, scene.acceptors))
    rank = everyone.index(name)
    world = OneProcess(name, sock, ports, begin)
    station = Station(
        name,
        Voters(everyone, scene.acceptors),
        votes=rank < scene.acceptors,
        proposes=rank < scene.proposers,
        policy=scene.policy,
        slots=1,
        around=world,
    )
    time.sleep(max(0.0, begin.at - time.monotonic()))
    station.start()
    told = False
    while True:
        pause = world.ring(station)
        if world.decided is not None and not told:
            pipe.send(Decided(world.decided))
            told = True
        waited: list[socket.socket | Connection] = [sock, pipe]
        ready, _, _ = select.select(waited, [], [], pause)
        if pipe in ready:
            assert isinstance(pipe.recv(), End)
            return Seen(tuple(world.ballots), world.messages)
        if sock in ready:
            world.receive(station)
