# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of a proposer: it miscounts promises, chooses the wrong value, or reuses a ballot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import evolve

from paxos.protocol import proposer as module
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Persist, Send
from paxos.protocol.messages import Accept, Prepare, Promise, Rejected, Vote
from paxos.protocol.proposer import Idle, Leading, Parts, Preparing, Proposer
from paxos.protocol.records import Begun, Record
from paxos.protocol.values import NOOP, Value
from paxos.testing.mutants.registry import mutant

prepare, propose = Proposer.prepare, Proposer.propose
on_promise, on_rejected = Proposer.on_promise, Proposer.on_rejected
advance, lead_if_prepared = Proposer.advance, Proposer._lead_if_prepared
highest_votes = module.highest_votes


def recall_alive(self: Proposer, frontier: int) -> Effects:
    """Prepare as the unpatched proposer does; for bugs of the next life."""
    self.highest = Ballot(self.highest.number + 1, self.name)
    self.state = Preparing(self.highest, frontier)
    return (Persist(Begun(self.highest)), *self.repeat())


@mutant(Proposer, "on_promise", schedule=2)
def stale_promise_is_counted(self: Proposer, source: str, promise: Promise) -> Effects:
    """A promise of another ballot says nothing about this one."""
    if isinstance(self.state, Preparing):
        promise = evolve(promise, ballot=self.state.ballot)
    return on_promise(self, source, promise)


@mutant(Proposer, "on_promise", schedule=3)
def promise_is_counted_twice(self: Proposer, source: str, promise: Promise) -> Effects:
    """A promise that is delivered twice is one promise."""
    if isinstance(self.state, Preparing) and source in self.state.promises:
        members = self.quorums.members(0)
        source = next((node for node in members if node not in self.state.promises), source)
    return on_promise(self, source, promise)


@mutant(Parts, "whole", schedule=10, wrap=property)
def part_is_taken_for_whole(self: Parts) -> bool:
    """A promise is counted when all of its parts have arrived."""
    return True


@mutant(Proposer, "recall", schedule=4, prepare=recall_alive)
def ballot_is_reused_after_restart(self: Proposer, record: Record) -> None:
    """A ballot that was begun is never begun again."""


@mutant(Proposer, "prepare", schedule=4)
def begun_ballot_is_not_persisted(self: Proposer, frontier: int) -> Effects:
    """A ballot is durable before anybody hears of it."""
    return tuple(e for e in prepare(self, frontier) if not isinstance(e, Persist))


@mutant(Proposer, "prepare", schedule=4)
def prepares_before_persisting(self: Proposer, frontier: int) -> Effects:
    """The ballot is on stable storage before its prepare is sent, not after."""
    return tuple(reversed(prepare(self, frontier)))


@mutant(Proposer, "prepare")
def ballots_have_no_owner(self: Proposer, frontier: int) -> Effects:
    """Proposers choose their ballots from disjoint sets."""
    name, self.name = self.name, "x"
    effects = prepare(self, frontier)
    self.name = name
    return effects


@mutant(module, "highest_votes", schedule=6)
def most_frequent_value_wins(promises: Iterable[Parts], frontier: int) -> dict[int, Vote]:
    """P2c: the highest ballot's value is proposed, not the most frequent one."""
    votes = [vote for parts in promises for vote in parts.votes.values() if vote.slot >= frontier]
    count = Counter((vote.slot, str(vote.value)) for vote in votes)
    votes.sort(key=lambda vote: (count[vote.slot, str(vote.value)], vote.ballot))
    return {vote.slot: vote for vote in votes}


@mutant(module, "highest_votes")
def lowest_ballot_wins(promises: Iterable[Parts], frontier: int) -> dict[int, Vote]:
    """P2c: the highest ballot's value is proposed, not the lowest one's."""
    votes = [vote for parts in promises for vote in parts.votes.values() if vote.slot >= frontier]
    return {vote.slot: vote for vote in sorted(votes, key=lambda v: v.ballot, reverse=True)}


@mutant(module, "highest_votes")
def last_answer_wins(promises: Iterable[Parts], frontier: int) -> dict[int, Vote]:
    """P2c: the highest ballot's value is proposed, not that of the last answer."""
    votes = [vote for parts in promises for vote in parts.votes.values() if vote.slot >= frontier]
    return {vote.slot: vote for vote in votes}


@mutant(module, "highest_votes")
def own_value_wins(promises: Iterable[Parts], frontier: int) -> dict[int, Vote]:
    """P2c: where somebody voted, a proposer is not free to propose what it likes."""
    return {}


@mutant(Proposer, "_lead_if_prepared")
def one_promise_is_enough(self: Proposer, state: Preparing) -> Effects:
    """Phase 1 is complete when a quorum has promised."""
    for node in self.quorums.members(state.frontier):
        state.promises.setdefault(node, Parts(state.frontier, 0))
    return lead_if_prepared(self, state)


@mutant(Proposer, "_lead_if_prepared", schedule=9)
def gap_is_given_to_a_command(self: Proposer, state: Preparing) -> Effects:
    """A gap below a recovered slot is filled with a no-op; what is free comes after all votes."""
    effects = lead_if_prepared(self, state)
    leading = self.state
    if not isinstance(leading, Leading):
        return effects
    gaps = [slot for slot, value in leading.in_flight.items() if value == NOOP]
    for slot in gaps:
        del leading.in_flight[slot]
        leading.next_slot = min(leading.next_slot, slot)
    return tuple(e for e in effects if not _proposes(e, NOOP))


@mutant(Proposer, "_lead_if_prepared", schedule=9, found_by="settling")
def gap_is_left_open(self: Proposer, state: Preparing) -> Effects:
    """A gap below a recovered slot is filled, or nothing above it ever takes effect."""
    effects = lead_if_prepared(self, state)
    if isinstance(self.state, Leading):
        gaps = [slot for slot, value in self.state.in_flight.items() if value == NOOP]
        for slot in gaps:
            del self.state.in_flight[slot]
    return tuple(e for e in effects if not _proposes(e, NOOP))


@mutant(Proposer, "propose")
def two_values_for_a_slot(self: Proposer, value: Value) -> Effects:
    """A ballot proposes one value for a slot: the next value goes to the next slot."""
    effects = propose(self, value)
    if isinstance(self.state, Leading) and self.state.next_slot > 1:
        self.state.next_slot -= 1
        self.state.in_flight.pop(self.state.next_slot)
    return effects


@mutant(Proposer, "on_rejected", found_by="settling")
def refusal_is_ignored(self: Proposer, source: str, rejected: Rejected) -> Effects:
    """A refused proposer abandons its ballot: nobody will ever answer it."""
    return ()


@mutant(Proposer, "on_rejected", schedule=8, found_by="simulation")
def late_refusal_aborts_a_newer_ballot(self: Proposer, source: str, rejected: Rejected) -> Effects:
    """A refusal of an older ballot says nothing about this one."""
    self.highest = max(self.highest, rejected.promised)
    return self.stop(rejected.promised)


@mutant(Proposer, "repeat", found_by="settling")
def nothing_is_repeated(self: Proposer, most: int = 16) -> Effects:
    """What was lost is sent again."""
    if isinstance(self.state, Leading | Idle):
        return ()
    return (Send(self.quorums.members(0), Prepare(self.state.ballot, self.state.frontier)),)


@mutant(Proposer, "advance", found_by="settling")
def window_is_never_freed(self: Proposer, frontier: int) -> Effects:
    """A slot that is learned makes room in the window."""
    return ()


def _proposes(effect: object, value: Value) -> bool:
    return (
        isinstance(effect, Send)
        and isinstance(effect.message, Accept)
        and effect.message.value == value
    )
