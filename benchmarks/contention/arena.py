"""One run of a contention on virtual time; all of its chance comes from one seed."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final, TextIO

from attrs import asdict, frozen

from benchmarks.contention.links import DELAYS, UNIT
from benchmarks.contention.policies import RANKED
from benchmarks.contention.station import Station, Surroundings, Voters, names
from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.events import BallotBegun, Event
from paxos.protocol.messages import Message
from paxos.protocol.records import Promised
from paxos.replicated.messages import Heartbeat, Knock
from paxos.replicated.routing import Role
from paxos.replicated.state import Applied
from paxos.testing.simulation.world import World
from paxos.wire import encode
from paxos.wire.sealing import Sealer

TIME_BOUND: Final = 10.0
BALLOT_BOUND: Final = 300
"""A run is undecided when so many seconds have passed, or so many ballots were begun; either way
it counts with the whole time."""

SLOTS: Final = 20
"""How many slots a run of many decrees decides."""

LEADER: Final = "leader"
"""A node that led and is gone, where a run begins with a leader's loss."""


@frozen
class Scene:
    """What a run is about."""

    kind: str = "one"
    """``one`` instance; ``many`` decrees in a row; or ``loss`` of a leader by all others."""
    policy: str = RANKED
    proposers: int = 3
    acceptors: int = 3
    loss: float = 0.0
    delay: str = "constant"
    spread: float = 0.0
    """Proposers start within so many units of each other."""


@frozen
class Run:
    """What came of it."""

    decided: int
    """Slots."""
    ballots: int
    """Begun until the last of them was chosen: rounds-to-decision, for one slot."""
    busiest: int
    """Ballots of the proposer that began the most."""
    hops: int
    """Messages one after another that led to the decision."""
    units: float
    """Time until the first learner knew, in units of the typical delay."""
    messages: int
    """Sent between nodes."""
    octets: int
    """Bytes of the datagrams, if each message has its own."""


class _Over(Exception):  # noqa: N818 - it ends a run; nothing is wrong
    pass


class Arena(Surroundings):
    """Nodes, links and time of one run."""

    def __init__(self, scene: Scene, seed: int, log: TextIO | None = None) -> None:
        self.scene = scene
        self._world = World(seed)
        self._random = self._world.random("links")
        self._delay = DELAYS[scene.delay]
        self._log = log
        everyone = names(max(scene.proposers, scene.acceptors))
        self._number = {name: number for number, name in enumerate(everyone)}
        # The first of the members is who led; it has a vote, and is gone.
        members = (LEADER, *everyone[:-1]) if scene.kind == "loss" else everyone
        self._number |= {LEADER: 0}
        quorums = Voters(members, scene.acceptors)
        proposing = scene.proposers - (scene.kind == "loss")
        standing = [name for name in members if name != LEADER]
        self.stations = {
            name: Station(
                name,
                quorums,
                votes=members.index(name) < scene.acceptors,
                proposes=rank < proposing,
                policy=scene.policy,
                slots=SLOTS if scene.kind == "many" else 1,
                around=self,
            )
            for rank, name in enumerate(standing)
        }
        self._overhead = Sealer("contention", bytes(32), "node01").overhead("node02") + 3
        self._alarms: Counter[tuple[str, str]] = Counter()
        self._hops = 0
        self._ballots: Counter[str] = Counter()
        self._decided = 0
        self._messages = self._octets = 0
        self._since = 0.0
        self._end = (0, 0.0)

    def run(self) -> Run:
        """Run until decided, or to the bound."""
        self._write("run", seed=self._world.seed, **asdict(self.scene))
        try:
            self._begin()
            self._world.run_until(TIME_BOUND)
        except _Over:
            pass
        if not self._decided:
            self._end = self._hops, TIME_BOUND
        hops, end = self._end
        return Run(
            decided=self._decided,
            ballots=self._ballots.total(),
            busiest=max(self._ballots.values(), default=0),
            hops=hops,
            units=(end - self._since) / UNIT,
            messages=self._messages,
            octets=self._octets,
        )

    def _begin(self) -> None:
        random = self._world.random("starts")
        for station in self.stations.values():
            offset = random.uniform(0.0, self.scene.spread) * UNIT
            if self.scene.kind == "loss":
                self._lose_leader(station, offset)
            else:
                self._world.after(offset, station.start)
            if self.scene.kind == "many" and self.scene.policy == RANKED:
                self._world.after(offset, station.want)
        if self.scene.kind == "loss":
            self._since = Timing().suspicion

    def _lose_leader(self, station: Station, offset: float) -> None:
        """Let a node hear its leader for the last time; what it does about it is its policy's."""
        ballot = Ballot(1, LEADER)
        station.roles.acceptor.recall(Promised(ballot))
        delay = offset + self._delay(self._random, 0, self._number[station.name])
        if self.scene.policy == RANKED:
            beat = Heartbeat(ballot, 0, 1, int(2e6 * UNIT), ())
            self._world.after(delay, station.receive, LEADER, beat)
        else:
            self._world.after(delay + Timing().suspicion, station.start)

    # What the stations ask.

    def now(self) -> float:
        """Return virtual time."""
        return self._world.now

    def send(self, source: str, target: str, message: Message) -> None:
        """Count a message, and let it arrive or not."""
        octets = self._overhead + (0 if type(message) is Knock else len(encode(message)))
        lost = target == LEADER or self._random.random() < self.scene.loss
        if self._world.now >= self._since:
            self._messages += 1
            self._octets += octets
            kind = type(message).__name__
            self._write("send", source=source, target=target, kind=kind, octets=octets, lost=lost)
        if not lost:
            delay = self._delay(self._random, self._number[source], self._number[target])
            self._world.after(delay, self._arrive, self._hops + 1, source, target, message)

    def wake(self, station: Station, role: Role, earliest: float, latest: float) -> None:
        """Set an alarm; what it leads to follows from what set it."""
        key = station.name, role
        self._alarms[key] += 1
        delay = self._random.uniform(earliest, max(earliest, latest))
        self._world.after(delay, self._ring, self._hops, station, role, self._alarms[key])

    def happened(self, station: Station, event: Event | Applied) -> None:
        """Count ballots and decisions."""
        match event:
            case BallotBegun(ballot):
                self._ballots[station.name] += 1
                self._write("ballot", node=station.name, number=ballot.number)
                if self._ballots.total() >= BALLOT_BOUND:
                    raise _Over
            case Applied(slot=slot):
                self._applied(station, event, slot)

    def _applied(self, station: Station, applied: Applied, slot: int) -> None:
        if slot >= self._decided:
            self._decided = slot + 1
            self._end = self._hops, self._world.now
            self._write("decided", node=station.name, slot=slot, hops=self._hops)
        if self._decided >= (SLOTS if self.scene.kind == "many" else 1):
            raise _Over
        if self.scene.policy == RANKED and applied.results:
            self._world.after(0.0, station.want)

    def _arrive(self, hops: int, source: str, target: str, message: Message) -> None:
        self._hops = hops
        self.stations[target].receive(source, message)

    def _ring(self, hops: int, station: Station, role: Role, alarm: int) -> None:
        if self._alarms[station.name, role] == alarm:
            self._hops = hops
            station.ring(role)

    def _write(self, event: str, **more: object) -> None:
        if self._log is not None:
            units = round((self._world.now - self._since) / UNIT, 6)
            self._log.write(json.dumps({"event": event, "units": units} | more) + "\n")
