"""The three roles of one node, together: what a runner needs to know of them, and nothing else.

The Trio node and the simulator run the same turn: take all that has arrived for a role, let the
role handle every message, sync once what it wants persisted, then carry out the rest in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from attrs import define, frozen

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.effects import Effect, Effects, Persist, PersistLater, Send
from paxos.protocol.learner import Learner
from paxos.protocol.messages import AskMemory, Chosen, Memory, Message, Prepare
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Quorums
from paxos.protocol.records import Record, Snapshotted
from paxos.replicated.admission import Admission
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.compaction import Compaction
from paxos.replicated.decrees import Decree
from paxos.replicated.election_decrees import Renew
from paxos.replicated.heartbeats import Heartbeats
from paxos.replicated.log_learner import LogLearner
from paxos.replicated.log_proposer import LogProposer
from paxos.replicated.messages import Advanced
from paxos.replicated.office import Office
from paxos.replicated.pace import Pace
from paxos.replicated.plausible import (
    MAX_BALLOT_LEAP,
    MAX_SLOT_LEAP,
    Implausible,
    is_plausible,
    reach,
)
from paxos.replicated.read_leases import Grants, ReadLease, length_of
from paxos.replicated.reading import Reading
from paxos.replicated.routing import Role
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.state import Applied, ReplicatedState, StateMachine
from paxos.replicated.timing import Timing
from paxos.replicated.values import Command, CommandId, Session

VOTING_HORIZON = 1024
"""How many slots above its frontier an acceptor votes in; behind that it learns first."""


@frozen
class Turn:
    """What one drained inbox led to."""

    records: list[Record]
    """To be durable before any of the effects is carried out."""
    effects: list[Effect]
    """In order; no `Persist` and no `PersistLater` is among them."""
    later: list[Record]
    """To be written when convenient."""

    @classmethod
    def of(cls, effects: Iterable[Effect]) -> Turn:
        """Sort effects. All records go first: that makes each durable before what follows it."""
        turn = cls([], [], [])
        for effect in effects:
            if type(effect) is Persist:
                turn.records.append(effect.record)
            elif type(effect) is PersistLater:
                turn.later.append(effect.record)
            else:
                turn.effects.append(effect)
        return turn


@define
class Roles:
    """Acceptor, proposer and learner of one life of one node."""

    acceptor: Acceptor
    proposer: LogProposer
    learner: LogLearner
    admission: Admission
    office: Office
    implausible: int = 0
    """How many messages were dropped for what they said."""
    bounds: tuple[int, int] = (0, 0)
    """The highest number of a ballot and the highest slot that are plausible. They may be those of
    an earlier moment, which were lower."""
    numbers: int = 0
    """How many commands of its own this life of the node has numbered in its session."""
    _numbered: Session | None = None
    _renewal: CommandId | None = None

    @classmethod
    def begin(
        cls,
        session: Session,
        quorums: Quorums,
        timing: Timing,
        machine: StateMachine,
        records: Iterable[Record],
        *,
        load: Callable[[Snapshotted], Snapshot] | None = None,
        window: int = 64,
        doubt: str = "",
        journal: Callable[[], tuple[int, int]] = lambda: (0, 0),
        compaction: Compaction | None = None,
        clock: Callable[[], float] = lambda: math.inf,
    ) -> Roles:
        """Return the roles as the journal's records restore them.

        ``load`` reads the snapshot that one of them may tell of. ``doubt`` says why the journal
        may have forgotten something, and ``journal`` tells its identity and how many of its
        writes are durable at the moment. ``clock`` tells the time in seconds by which leases for
        reads end; it goes on while the machine is suspended.
        """
        name, length, acceptor = session.node, length_of(timing), Acceptor(horizon=VOTING_HORIZON)
        proposer = Proposer(name, quorums, window=window)
        admission = Admission(name, quorums, timing, journal, doubt)
        reading = Reading(proposer, session.boot)
        grants = Grants(length, lambda: acceptor.promised)
        lease = ReadLease(length, timing.drift, clock)
        pace = Pace(timing)
        heartbeats = Heartbeats(name, pace, admission, grants, lease)
        log_proposer = LogProposer(Candidacy(proposer, pace, heartbeats), reading)
        state = ReplicatedState(machine)
        roles = cls(
            acceptor,
            log_proposer,
            LogLearner(Learner(name, quorums), state, compaction or Compaction()),
            admission,
            Office(session, state, log_proposer, timing),
        )
        for record in records:
            roles.acceptor.recall(record)
            roles.proposer.recall(record)
            if isinstance(record, Snapshotted):
                assert load is not None, "a journal with a snapshot comes with what reads it"
                roles.learner.install(record, load(record))
            else:
                roles.learner.recall(record)
        return roles

    def start(self, now: float) -> dict[Role, Turn]:
        """Begin to take part: what the roles want before any message has arrived."""
        self.proposer.candidacy.heartbeats.grants.start(now)
        return {
            "learner": Turn.of(self.learner.flush()),
            "proposer": Turn.of((*self.proposer.start(), *self.admission.wake(now))),
        }

    def turn(self, role: Role, inbox: Iterable[tuple[str, Message | None]], now: float) -> Turn:
        """Let a role handle all that has arrived for it; None is its alarm.

        ``now`` is the time in seconds on the node's own monotonic clock.
        """
        effects: list[Effect] = []
        if role == "acceptor":
            self.acceptor.advance(self.learner.learner.frontier)
            handle = self._accept
        elif role == "learner":
            handle = self._learn
        else:
            progress = self.learner.progress()
            if progress is not None:
                effects += self.proposer.advance(progress, now)
            handle = self._propose
        for source, message in inbox:
            if message is None or self._believes(source, message, effects):
                effects += handle(source, message, now)
        if role == "learner":
            effects += self._report()
        elif role == "proposer":
            effects += self.proposer.flush(now)
        return Turn.of(effects)

    def is_awaited(self, applied: Applied) -> bool:
        """Tell whether another node may wait for a slot: for its own commands, or to read."""
        return applied.urgent or applied.slot < self.proposer.reading.awaited

    def is_old_news(self, message: Message) -> bool:
        """Tell whether a learner may hear of a chosen slot later, if the next proposal came along.

        It is told at once where another node may wait for it (`is_awaited`). So what has come with
        the next proposal was told without hurry, and more will be said when that is chosen; until
        then it can wait, unless this node's proposer waits for progress, or a later slot has been
        told of already: that may have been told in a hurry, and overtaken this.
        """
        learner = self.learner.learner
        complete = learner.frontier >= learner.target
        return type(message) is Chosen and complete and self.is_patient

    @property
    def is_patient(self) -> bool:
        """Whether the proposer waits for nothing that the learner has not heard yet."""
        return self.proposer.can_wait(self.learner.state.leadership)

    def _believes(self, source: str, message: Message, effects: list[Effect]) -> bool:
        """Tell whether a member can have meant this; each doubling of what is not is an alarm."""
        if source == self.learner.learner.name or is_plausible(message, *self.bounds):
            return True
        proposer, learner = self.proposer.candidacy.proposer, self.learner.learner
        self.bounds = (
            max(self.acceptor.promised.number, proposer.highest.number) + MAX_BALLOT_LEAP,
            max(learner.frontier, learner.target) + MAX_SLOT_LEAP,
        )
        if is_plausible(message, *self.bounds):
            return True
        self.implausible += 1
        if self.implausible & (self.implausible - 1) == 0:
            effects.append(Implausible(source, type(message).__name__, *reach(message)))
        return False

    def _learn(self, source: str, message: Message | None, now: float) -> Effects:
        if message is None:
            return self.learner.wake(now)
        return self.learner.handle(source, message, now)

    def _report(self) -> Effects:
        """Do what follows a learner's turn; its proposer is woken only if it waits for progress."""
        learner = self.learner
        effects = learner.flush()
        if learner.diverged:
            self.fail(learner.diverged)
        progress = learner.told != learner.learner.frontier
        if progress and not self.is_patient:
            effects += (Send((learner.learner.name,), Advanced()),)
        return effects

    def _propose(self, source: str, message: Message | None, now: float) -> Effects:
        if message is None:
            return self.proposer.wake(now) + self.admission.wake(now)
        if isinstance(message, AskMemory):
            return (self._remember(source, message),)
        if isinstance(message, Advanced):
            return ()  # every turn begins with what is new
        admitted = self._admit(source, message, now) if self.admission.asking else ()
        return admitted + self.proposer.handle(source, message, now)

    @property
    def failure(self) -> str:
        """Why this node votes no more: its journal failed, or its state diverged; empty if not."""
        return self.admission.failure

    def fail(self, why: str) -> None:
        """Vote no more, and begin no ballot any more.

        The journal cannot be written, or the state has diverged. A failed sync is final: what it
        should have made durable was never said to anybody.
        """
        self.admission.failure = self.failure or why
        self.proposer.candidacy.retire()
        self.office.disabled = True

    def next_id(self) -> CommandId:
        """Return the name of this node's next command."""
        session = self.office.current_session()
        if session is not self._numbered:
            self._numbered, self.numbers = session, 0
        self.numbers += 1
        return session, self.numbers - 1

    def decree(self, decree: Decree) -> Command:
        """Return a decree of the office as this node's next command; a renewal replaces the last.

        What was sent of that may still be chosen, but only the newest is sent again.
        """
        command = Command(*self.next_id(), decree)
        if isinstance(decree, Renew):
            if self._renewal is not None:
                self.proposer.withdraw(self._renewal)
            self._renewal = command.id
        return command

    def _accept(self, source: str, message: Message | None, now: float) -> Effects:
        if message is None or not self.admission.voting:
            return ()
        grants = self.proposer.candidacy.heartbeats.grants
        if isinstance(message, Prepare) and grants.hold_back(message.ballot, now):
            return ()
        return self.acceptor.handle(source, message)

    def _remember(self, source: str, asked: AskMemory) -> Effect:
        """Tell another node what is remembered of it here."""
        highest = max(self.acceptor.promised, self.proposer.candidacy.proposer.highest)
        frontier = self.proposer.candidacy.frontier
        memory = Memory(asked.number, highest, frontier, *self.admission.remember(source))
        return Send((source,), memory)

    def _admit(self, source: str, message: Message, now: float) -> Effects:
        """Let this node vote if nothing speaks against it any more."""
        frontier = self.proposer.candidacy.frontier
        self.admission.readmission.begun = self.proposer.candidacy.proposer.highest
        effects, records = self.admission.handle(source, message, frontier, self.acceptor.votes)
        for effect in effects:
            if isinstance(effect, Persist):  # the ballot that it prepares is never begun again
                self.proposer.recall(effect.record)
        for record in records:
            self.acceptor.recall(record)
        effects += tuple(Persist(record) for record in records)
        return effects + (self.proposer.candidacy.admit() if self.admission.admitted else ())
