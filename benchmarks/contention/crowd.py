"""Processes that contend over UDP, one run after another: the parent's side and theirs."""

from __future__ import annotations

import multiprocessing
import select
import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack
from heapq import heappop, heappush
from multiprocessing.connection import Connection, wait
from random import Random
from typing import Final

from attrs import frozen

from benchmarks.contention.arena import Scene
from benchmarks.contention.station import Station, Surroundings, Voters, names
from paxos.protocol.events import BallotBegun, Event
from paxos.protocol.messages import Message
from paxos.replicated.messages import Knock
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
        if type(message) is Knock:
            return  # it would say nothing, and nobody is gone who could refuse it
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
