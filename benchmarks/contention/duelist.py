"""A proposer that fights for its own values, in place of the product's one that stands for leader.

It has what a node asks of a proposer, so that only the policy differs between two runs.
"""

from __future__ import annotations

from typing import Protocol

from attrs import define

from benchmarks.contention.policies import Policy, Range
from paxos.protocol.effects import Effects, Wake
from paxos.protocol.messages import Message, Prepare, Promise
from paxos.protocol.proposer import Idle, Leading, Preparing, Proposer
from paxos.replicated.messages import Progress
from paxos.replicated.values import Batch, Command, Session

VALUE = b"x" * 16
"""What each proposer wants chosen, beside its own name."""


class Contender(Protocol):
    """What a node asks of whoever proposes; `paxos.replicated.log_proposer.LogProposer` has it."""

    def start(self) -> Effects:
        """Begin to take part."""
        ...

    def handle(self, source: str, message: Message, now: float) -> Effects:
        """Take one message."""
        ...

    def advance(self, progress: Progress, now: float) -> Effects:
        """Hear how far the log is learned."""
        ...

    def wake(self, now: float) -> Effects:
        """Do what is due."""
        ...

    def flush(self, now: float) -> Effects:
        """Propose what waits."""
        ...


@define
class Duelist:
    """Begins ballots until its value is chosen, then goes on with the next."""

    proposer: Proposer
    policy: Policy
    slots: int
    """It proposes nothing of its own in slots from here on."""
    losses: int = 0
    """Ballots lost in a row."""
    frontier: int = 0
    begun_at: float = 0.0
    number: int = 0
    """How many of its own values it has seen chosen."""
    proposed: bool = False
    """Whether its value is proposed at the ballot under way."""

    def start(self) -> Effects:
        """Begin a ballot at once: nobody else has begun one, as far as it knows."""
        return self._later((0.0, 0.0))

    def handle(self, source: str, message: Message, now: float) -> Effects:
        """Take one message."""
        if isinstance(message, Prepare):
            return self._on_rival(source, message)
        before = self.proposer.state
        effects = self.proposer.handle(source, message)
        after = self.proposer.state
        if isinstance(message, Promise) and isinstance(before, Preparing):
            self.policy.round_trip.add(max(0.0, now - self.begun_at))
        if isinstance(after, Idle) and not isinstance(before, Idle):
            self.losses += 1
            return (*effects, *self._later(self.policy.pause(self.losses)))
        return effects

    def wake(self, now: float) -> Effects:
        """Begin the next ballot, or send again what was not answered."""
        retry = Wake(*self.policy.retry())
        if isinstance(self.proposer.state, Idle):
            self.begun_at, self.proposed = now, False
            return (*self.proposer.prepare(self.frontier), retry)
        return (*self.proposer.repeat(), retry)

    def flush(self, now: float) -> Effects:
        """Propose this proposer's value once, as soon as the ballot is free to."""
        state = self.proposer.state
        if self.proposed or self.proposer.room <= 0 or not isinstance(state, Leading):
            return ()
        if state.next_slot >= self.slots:
            return ()
        self.proposed = True
        session = Session(self.proposer.name, 0)
        return self.proposer.propose(Batch((Command(session, self.number, VALUE),)))

    def advance(self, progress: Progress, now: float) -> Effects:
        """See slots chosen; with its own value among them it wants the next."""
        self.frontier = max(self.frontier, progress.frontier)
        if any(command[0].node == self.proposer.name for command in progress.settled):
            self.number += 1
            self.losses, self.proposed = 0, False
        state = self.proposer.state
        effects = self.proposer.advance(self.frontier)
        if isinstance(state, Leading) and not state.in_flight and not state.recovering:
            self.proposed = False
        return effects

    def _on_rival(self, source: str, prepare: Prepare) -> Effects:
        rival = source != self.proposer.name and prepare.ballot > self.proposer.highest
        self.proposer.handle(source, prepare)
        deference = self.policy.deference()
        if rival and deference is not None and isinstance(self.proposer.state, Idle):
            return self._later(deference)
        return ()

    def _later(self, pause: Range) -> Effects:
        return (Wake(*pause),)
