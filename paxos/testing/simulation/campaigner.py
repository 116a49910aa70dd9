"""Applications that stand in elections, act while they lead, and leave; one on each node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from paxos.replicated.election_decrees import HandOver, Proclaim
from paxos.replicated.standing import Loss
from paxos.replicated.values import Leadership
from paxos.testing.simulation.charging import Charge

if TYPE_CHECKING:
    from paxos.testing.simulation.process import Process
    from paxos.testing.simulation.simulation import Simulation

ELECTIONS = ("blue", "red")

REST = (0.0, 0.5)
"""Seconds between one part in an election and the next."""

TERM = (0.01, 1.5)
"""Seconds after which a leader resigns."""

STOPPING = (0.0, 0.02)
"""Seconds that the work of a term takes to stop when the term is over."""

THINKING = (0.0, 0.01)
"""Seconds from the check of a term to the act that relies on it, and from there to the next."""


HASTE = 0.3
"""The share of runs whose rests and terms are much shorter: what is late comes in another term."""

LAST_MINUTE = 0.3
"""The share of terms at whose end a leader begins an effect: it is decided late, if at all."""


@define
class Work:
    """What a node does in a term."""

    leadership: Leadership
    resigns: float
    """When, by true time; it is no part of any rule."""
    stopping: bool = False
    charge: Charge | None = None
    """The effect that it causes at the moment."""


class Campaigner:
    """The application of one node. Whatever it wants to do waits while the node is paused."""

    def __init__(self, simulation: Simulation, process: Process) -> None:
        self._simulation = simulation
        self._process = process
        self._world = simulation.world
        self._random = simulation.world.random(f"campaigner {process.name}")
        self._works: dict[str, Work] = {}
        self._pace = 0.1 if self._world.random("haste").random() < HASTE else 1.0
        """By what rests and terms are shorter."""

    def start(self) -> None:
        """Begin, in each new life of the node."""
        self._works.clear()
        for name in ELECTIONS:
            self._rest(name)

    def stop(self) -> None:
        """Leave every election, for good."""
        for name in ELECTIONS:
            if name in self._works:
                self._stop(self._works[name])
            else:
                self._later(0.0, self._process.leave, name)

    def won(self, name: str, epoch: int) -> None:
        """Hear that the node leads: begin to work."""
        leadership = Leadership(self._process.name, epoch, name)
        work = Work(leadership, self._world.now + self._random.uniform(*TERM) * self._pace)
        self._works[name] = work
        if not self._simulation.campaigners_work:
            self._stop(work)
            return
        self._later(self._random.uniform(*THINKING), self._check, work)

    def lost(self, name: str, loss: Loss) -> None:
        """Hear that the term is over: stop working, and say so."""
        self._simulation.jury.elections.counts[f"terms {loss.value}"] += 1
        self._stop(self._works[name])

    def out(self, name: str) -> None:
        """Hear that the node has no part in the election any more."""
        self._works.pop(name, None)
        self._rest(name)

    def _later(self, delay: float, step: object, *arguments: object) -> None:
        self._process.later(delay, step, *arguments)  # type: ignore[arg-type]

    def _rest(self, name: str) -> None:
        self._later(self._random.uniform(*REST) * self._pace, self._stand, name)

    def _stand(self, name: str) -> None:
        if not self._simulation.campaigners_work:
            return
        self._process.stand(name, self._random.choice((0, 0, 0, 1)))
        if self._random.random() < 0.1:  # it loses patience, perhaps in the middle of its election
            self._later(self._random.uniform(0.0, 0.3), self._lose_patience, name)

    def _lose_patience(self, name: str) -> None:
        if name not in self._works:
            self._process.leave(name)

    def _stop(self, work: Work) -> None:
        if not work.stopping:
            work.stopping = True
            if self._random.random() < LAST_MINUTE:
                self._charge(work)
            self._later(self._random.uniform(*STOPPING), self._leave, work)

    def _leave(self, work: Work) -> None:
        if self._works.get(work.leadership.election) is work:
            self._process.leave(work.leadership.election)

    def _check(self, work: Work) -> None:
        """Check the term, and act on it a little later: the node may be stopped in between."""
        process, name = self._process, work.leadership.election
        if work.stopping or not process.roles.office.holds(name, process.clock()):
            self._stop(work)
            return
        if self._world.now >= work.resigns:
            self._stop(work)
            return
        self._later(self._random.uniform(*THINKING), self._act, work)
        if self._random.random() < self._simulation.paused_checks:
            self._simulation.injected["paused_check"] += 1
            process.pause()
            lease = self._simulation.timing.lease
            self._world.after(self._random.uniform(0.0, 3.0) * lease, process.resume)

    def _act(self, work: Work) -> None:
        self._simulation.jury.elections.acted(work.leadership)
        if work.stopping:
            return
        dice, name, epoch = self._random.random(), work.leadership.election, work.leadership.epoch
        if dice < 0.01:
            to = self._random.choice(self._simulation.names)
            self._process.submit_own(HandOver(name, epoch, to), lambda slot, ruling: None)
        elif dice < 0.1:
            self._charge(work)
        elif dice > 0.99:
            self._process.submit_own(Proclaim(name, epoch, b"v"), lambda slot, ruling: None)
        self._later(self._random.uniform(*THINKING), self._check, work)

    def _charge(self, work: Work) -> None:
        """Cause an effect, unless one is under way."""
        if work.charge is None or work.charge.over:
            work.charge = Charge(self._simulation, self._process, work.leadership)
            work.charge.start()
