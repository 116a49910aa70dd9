"""A node that stands for leader: it asks the others, then begins a ballot, or gives it up."""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send, Wake
from paxos.protocol.proposer import Proposer
from paxos.replicated.candidacy_states import Campaigning, Polling, State, Waiting
from paxos.replicated.heartbeats import Heartbeats
from paxos.replicated.messages import Poll, Polled
from paxos.replicated.pace import Pace

POLL_ATTEMPTS = 4
"""How often an unanswered poll or prepare is sent before the candidacy is given up."""


@define
class Candidate:
    """Asks a quorum whether it would be welcome, and only then spends a ballot."""

    proposer: Proposer
    pace: Pace
    heartbeats: Heartbeats
    frontier: int = 0
    """The first slot that this node has not learned."""
    state: State = field(factory=Waiting)
    failures: int = 0
    """Candidacies that failed in a row."""
    polls: int = 0
    asked_at: int = 0
    """When the last poll began, in microseconds of this node's clock."""
    last_leader: str | None = None
    """Behind it the members stand by rank."""
    via: tuple[str, float] | None = None
    """A node that hears a leader which this one does not, and until when that is believed."""
    why: str = "just started"
    """Why no leader is known, for people; empty when one is."""

    @property
    def disabled(self) -> bool:
        """Whether this node may not stand at all, as it may not vote."""
        return not self.heartbeats.admission.voting

    def retire(self) -> None:
        """Give up what is under way: this node cannot keep its ballots any more."""
        self.proposer.stop()
        self._stand_later(0)

    def advance(self, frontier: int) -> Effects:
        """Hear from this node's learner how far the log is learned."""
        self.frontier = max(self.frontier, frontier)
        return self.proposer.advance(frontier)

    def stand(self, now: float) -> Effects:
        """Ask the others whether a candidacy would be welcome.

        There is nobody to ask in a cluster of one, and nothing to ask with a ballot that is below
        every other: it can depose nobody. So a new cluster decides after four message delays.
        """
        if self.disabled:
            return self._stand_later(self.pace.timing.suspicion)
        self.polls += 1
        self.asked_at = int(now * 1e6)
        self.state = Polling(self.polls, {self.proposer.name})
        if self._is_quorum(self.state.granted) or self._has_the_least_ballot():
            return self.begin()
        return self._ask(self.state)

    def on_polled(self, source: str, polled: Polled, now: float) -> Effects:
        """Count the encouragements; a quorum of them begins the ballot."""
        self.proposer.highest = max(self.proposer.highest, polled.ballot)
        declined = self.state.declined if isinstance(self.state, Waiting) else None
        state = declined or self.state
        if not isinstance(state, Polling) or polled.number != state.number:
            return ()
        if state.attempts == 1:  # else nobody knows which attempt this answers
            self.pace.measure(polled.sent, now)
        if polled.granted:
            state.refused.pop(source, None)
            state.granted.add(source)
            return self.begin() if self._is_quorum(state.granted) else ()
        if source in state.granted:
            return ()  # an earlier answer, overtaken
        state.refused[source] = polled.ballot
        if polled.ballot.node != self.proposer.name:
            self.via = (source, now + 8 * self.pace.timing.suspicion)
        if declined or self._is_quorum(set(self._members()) - state.refused.keys()):
            return ()
        effects = self._fail(state.refusal())
        self.state = Waiting(declined=state)
        return effects

    def _has_the_least_ballot(self) -> bool:
        """Tell whether the next ballot would be the least that any member can ever begin."""
        proposer = self.proposer
        return proposer.highest == Ballot.ZERO and proposer.name == min(self._members())

    def begin(self) -> Effects:
        """Begin a ballot, welcome or not: that can only slow the others down."""
        self.state = Campaigning()
        return (*self.proposer.prepare(self.frontier), self.pace.retry(1))

    def _fail(self, why: str) -> Effects:
        """Give up this candidacy; the next comes after a random pause that doubles each time."""
        self.why = why
        self.failures += 1
        rest = self.pace.rest(self.failures)
        return (*self.proposer.stop(), *self._stand_later(rest / 2, rest))

    def _poll_again(self, state: Polling) -> Effects:
        if state.attempts == POLL_ATTEMPTS:
            answered, needed = len(state.granted) + len(state.refused), self._needed()
            if state.refused and answered >= needed:
                return self._fail(state.refusal())
            return self._fail(
                f"only {answered} of {len(self._members())} members answer each other, "
                f"this one included; {needed} are needed"
            )
        state.attempts += 1
        return self._ask(state)

    def _prepare_again(self, state: Campaigning) -> Effects:
        if state.attempts == POLL_ATTEMPTS:
            return self._fail("too few members promised in time")
        state.attempts += 1
        return (*self.proposer.repeat(), self.pace.retry(state.attempts))

    def _ask(self, state: Polling) -> Effects:
        """Ask everybody who has not agreed: a reason to refuse may have passed."""
        hesitant = tuple(node for node in self.others() if node not in state.granted)
        poll = Poll(state.number, self.asked_at)
        return (Send(hesitant, poll), self.pace.retry(state.attempts))

    def _stand_in_turn(self, now: float) -> Effects:
        """Stand at once if this node is next behind the lost leader, else in the order of rank."""
        rank = self._rank()
        return self._stand_later(rank * self.pace.stagger) if rank else self.stand(now)

    def _stand_later(
        self, earliest: float, latest: float | None = None, *, deferred: bool = False
    ) -> Effects:
        self.state = Waiting(deferred)
        return (Wake(earliest, 1.25 * earliest if latest is None else latest),)

    # The members.

    def _members(self) -> tuple[str, ...]:
        return self.proposer.quorums.members(self.frontier)

    def others(self) -> tuple[str, ...]:
        """Return the members but for this node, by rank."""
        return tuple(node for node in self._members() if node != self.proposer.name)

    def _index(self) -> int:
        return self._members().index(self.proposer.name)

    def _rank(self) -> int:
        """Count the members that stand before this one: those next behind the lost leader."""
        members = self._members()
        if self.last_leader not in members:
            return self._index()
        return (self._index() - members.index(self.last_leader) - 1) % len(members)

    def _is_quorum(self, nodes: set[str]) -> bool:
        return self.proposer.quorums.is_prepare_quorum(self.frontier, nodes)

    def _needed(self) -> int:
        members = self._members()
        return next(n for n in range(len(members) + 1) if self._is_quorum(set(members[:n])))
