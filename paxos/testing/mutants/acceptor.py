# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of an acceptor: it forgets, or it answers what it has promised to refuse."""

from __future__ import annotations

from attrs import evolve

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.effects import Effects, Persist, Send
from paxos.protocol.messages import Accept, Accepted, Prepare, Promise, Vote
from paxos.protocol.records import Promised, Record, Voted
from paxos.testing.mutants.registry import mutant

recall, on_prepare, on_accept = Acceptor.recall, Acceptor.on_prepare, Acceptor.on_accept
advance = Acceptor.advance


def remember_alive(self: Acceptor, record: Record) -> Effects:
    """Do in this life as the unpatched acceptor does; for bugs of the next life."""
    recall(self, record)
    return (Persist(record),)


def report(self: Acceptor, votes: dict[int, Vote], source: str, prepare: Prepare) -> Effects:
    """Promise, and report these votes."""
    kept, self.votes = self.votes, votes
    effects = on_prepare(self, source, prepare)
    self.votes = kept
    return effects


@mutant(Acceptor, "recall", schedule=1)
def vote_is_no_promise(self: Acceptor, record: Record) -> None:
    """A vote must raise the promise: else an older ballot is voted for after a newer one."""
    promised = self.promised
    recall(self, record)
    if isinstance(record, Voted):
        self.promised = promised


@mutant(Acceptor, "on_accept")
def accepts_below_its_promise(self: Acceptor, source: str, accept: Accept) -> Effects:
    """P1a: nothing is voted for below the promise."""
    promised, self.promised = self.promised, min(self.promised, accept.ballot)
    effects = on_accept(self, source, accept)
    self.promised = max(promised, self.promised)
    return effects


@mutant(Acceptor, "on_prepare")
def promises_a_lower_ballot(self: Acceptor, source: str, prepare: Prepare) -> Effects:
    """A prepare below the promise is refused, not promised, or the promise would go back."""
    if prepare.ballot < self.promised:
        self.promised = prepare.ballot
        return (Persist(Promised(prepare.ballot)), *on_prepare(self, source, prepare))
    return on_prepare(self, source, prepare)


@mutant(Acceptor, "on_prepare")
def promise_hides_votes(self: Acceptor, source: str, prepare: Prepare) -> Effects:
    """A promise reports the acceptor's votes."""
    return report(self, {}, source, prepare)


@mutant(Acceptor, "recall")
def first_vote_is_kept(self: Acceptor, record: Record) -> None:
    """A promise reports the last vote of a slot, not the first."""
    before = dict(self.votes)
    recall(self, record)
    if isinstance(record, Voted) and record.slot in before:
        self.votes[record.slot] = before[record.slot]


@mutant(Acceptor, "on_prepare")
def promise_reports_one_vote(self: Acceptor, source: str, prepare: Prepare) -> Effects:
    """A promise reports the votes of all open slots, not only of the first."""
    return report(self, dict(sorted(self.votes.items())[:1]), source, prepare)


@mutant(Acceptor, "on_accept", schedule=5)
def votes_before_persisting(self: Acceptor, source: str, accept: Accept) -> Effects:
    """No vote is told before it is durable."""
    return tuple(reversed(on_accept(self, source, accept)))


@mutant(Acceptor, "on_prepare", schedule=5)
def promises_before_persisting(self: Acceptor, source: str, prepare: Prepare) -> Effects:
    """No promise is given before it is durable."""
    return tuple(reversed(on_prepare(self, source, prepare)))


@mutant(Acceptor, "on_prepare", schedule=5)
def promise_is_not_persisted(self: Acceptor, source: str, prepare: Prepare) -> Effects:
    """A promise is durable."""
    return tuple(e for e in on_prepare(self, source, prepare) if not isinstance(e, Persist))


@mutant(Acceptor, "on_accept")
def vote_is_not_persisted(self: Acceptor, source: str, accept: Accept) -> Effects:
    """A vote is durable."""
    return tuple(e for e in on_accept(self, source, accept) if not isinstance(e, Persist))


@mutant(Acceptor, "recall", schedule=5, _remember=remember_alive)
def restart_forgets_promises(self: Acceptor, record: Record) -> None:
    """A restart restores what was promised."""
    if not isinstance(record, Promised):
        recall(self, record)


@mutant(Acceptor, "recall", _remember=remember_alive)
def restart_forgets_votes(self: Acceptor, record: Record) -> None:
    """A restart restores the votes, not only what they promised."""
    recall(self, Promised(record.ballot) if isinstance(record, Voted) else record)


@mutant(Acceptor, "on_prepare", schedule=11)
def trimmed_passes_for_empty(self: Acceptor, source: str, prepare: Prepare) -> Effects:
    """Slots below the acceptor's frontier are chosen: their votes are gone, not absent."""
    return tuple(
        evolve(effect, message=evolve(effect.message, frontier=prepare.frontier))
        if isinstance(effect, Send) and isinstance(effect.message, Promise)
        else effect
        for effect in on_prepare(self, source, prepare)
    )


@mutant(Acceptor, "on_accept")
def refused_is_called_accepted(self: Acceptor, source: str, accept: Accept) -> Effects:
    """Only a vote is told as a vote."""
    if accept.ballot < self.promised:
        return (Send((source,), Accepted(accept.ballot, accept.slot)),)
    return on_accept(self, source, accept)


@mutant(Acceptor, "advance", schedule=11, found_by="simulation")
def leap_drops_the_first_open_vote(self: Acceptor, frontier: int) -> None:
    """A slot at the frontier is open: its vote is kept, however far the frontier has come."""
    if frontier - self.frontier > len(self.votes):
        self.votes = {slot: vote for slot, vote in self.votes.items() if slot > frontier}
    advance(self, frontier)
