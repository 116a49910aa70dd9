# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of a learner: it takes for chosen what is not, or hands the log over in another order."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from attrs import evolve

from paxos.protocol.effects import Deliver, Effects, PersistLater
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Accept, Accepted, Teach
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Learned, Record
from paxos.testing.mutants.registry import mutant

on_accepted, conclude, deliver = Learner.on_accepted, Learner._conclude, Learner._deliver
on_accept, recall = Learner.on_accept, Learner.recall
hear_frontier = Learner.hear_frontier


@mutant(Learner, "on_accepted", schedule=7)
def learner_mixes_ballots(self: Learner, source: str, accepted: Accepted) -> Effects:
    """Votes of different ballots are never added up."""
    tally = self.tallies.get(accepted.slot)
    if tally is not None:
        tally.ballot = max(tally.ballot, accepted.ballot)
        accepted = evolve(accepted, ballot=tally.ballot)
    return on_accepted(self, source, accepted)


@mutant(Learner, "on_accepted", schedule=7, found_by="simulation")
def late_vote_counts_for_a_newer_ballot(self: Learner, source: str, accepted: Accepted) -> Effects:
    """A vote at an older ballot, which comes late, is no vote at the newer one."""
    tally = self.tallies.get(accepted.slot)
    if tally is not None and tally.ballot > accepted.ballot:
        tally.voters.add(source)
        return ()
    return on_accepted(self, source, accepted)


@mutant(Learner, "_conclude")
def lower_proposal_is_believed(self: Learner, slot: int) -> Effects:
    """A proposal below the chosen ballot does not tell the chosen value."""
    if slot in self.chosen and slot in self.proposals:
        self.proposals[slot].ballot = max(self.chosen[slot], self.proposals[slot].ballot)
    return conclude(self, slot)


@mutant(Learner, "on_accept")
def proposed_passes_for_chosen(self: Learner, source: str, accept: Accept) -> Effects:
    """A proposal is not chosen before a quorum has voted."""
    if accept.slot >= self.frontier:
        self.chosen.setdefault(accept.slot, accept.ballot)
    return on_accept(self, source, accept)


@mutant(Majority, "is_accept_quorum")
def any_two_are_a_quorum(self: Majority, slot: int, nodes: AbstractSet[str]) -> bool:
    """Any two quorums meet: two of five do not."""
    return len(self._set & nodes) >= 2


@mutant(Majority, "is_prepare_quorum")
def any_two_may_promise(self: Majority, slot: int, nodes: AbstractSet[str]) -> bool:
    """A quorum of promises meets every quorum of votes: two of five do not."""
    return len(self._set & nodes) >= 2


@mutant(Learner, "_deliver")
def delivers_out_of_order(self: Learner) -> Effects:
    """Slots are handed over in order, not as they come."""
    slots = [slot for slot in sorted(self.learned) if slot > self.frontier]
    early = [Deliver(slot, self.learned[slot].value) for slot in slots]
    return (*early, *deliver(self))


@mutant(Learner, "_deliver")
def skips_a_gap(self: Learner) -> Effects:
    """A slot that was not learned is waited for."""
    if self.learned:
        self.frontier = min(self.learned)
    return deliver(self)


@mutant(Learner, "recall")
def restart_delivers_nothing(self: Learner, record: Record) -> Effects:
    """A new life hears the log from its beginning."""
    recall(self, record)
    return ()


@mutant(Learner, "recall")
def restart_forgets_its_place(self: Learner, record: Record) -> Effects:
    """A slot is handed over once in a life, also by a restart."""
    effects = recall(self, record)
    again = (e for e in effects if isinstance(e, Deliver) and isinstance(record, Learned))
    return (*effects, *again)


@mutant(Learner, "on_teach")
def every_lesson_is_delivered(self: Learner, source: str, teach: Teach) -> Effects:
    """What is taught waits for the slots below it, and is handed over once."""
    record = Learned(teach.slot, None, teach.value)
    self.frontier = max(self.frontier, teach.slot + 1)
    self.retained[teach.slot] = teach.value
    return (PersistLater(record), Deliver(teach.slot, teach.value))


@mutant(Learner, "wake", found_by="settling")
def nobody_asks_again(self: Learner) -> Effects:
    """Who misses a slot asks for it until it comes."""
    return ()


@mutant(Learner, "hear_frontier", found_by="simulation")
def one_slot_behind_is_near_enough(self: Learner, source: str, frontier: int) -> Effects:
    """Who hears that another has learned one slot more asks for it, though nothing follows."""
    return hear_frontier(self, source, frontier) if frontier > self.frontier + 1 else ()


@mutant(Learner, "_deliver", found_by="simulation")
def votes_of_learned_slots_are_kept(self: Learner) -> Effects:
    """What was heard of a slot is forgotten when it is learned: memory must not grow."""
    tallies = dict(self.tallies)
    effects = deliver(self)
    self.tallies |= tallies
    return effects
