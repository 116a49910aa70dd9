"""Who has nothing to do any more keeps nothing that it does not need: memory must not grow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from attrs import define

from paxos.protocol.learner import RETAINED
from paxos.protocol.proposer import Leading
from paxos.replicated.roles import Roles
from paxos.testing.checkers.base import Checker, Violation


@define
class Tidy(Checker):
    """Looks into a node that can reach the others, once the log has come to rest."""

    def rested(self, node: str, roles: Roles) -> None:
        """See that nothing is left of what is done."""
        if left := ", ".join((*_left_below(roles), *_left_under_way(roles))):
            raise Violation(f"{node} has nothing to do, and still keeps {left}")


def _left_below(roles: Roles) -> Iterator[str]:
    """Name what is kept of slots that are learned."""
    learner, acceptor = roles.learner.learner, roles.acceptor
    slots: dict[str, Mapping[int, object]] = {
        "proposals": learner.proposals,
        "tallies": learner.tallies,
        "choices": learner.chosen,
        "values": learner.learned,
        "votes": acceptor.votes,
    }
    for name, kept in slots.items():
        below = [slot for slot in kept if slot < acceptor.frontier]
        if below:
            yield f"{name} in slots {below[:5]} below {acceptor.frontier}"


def _left_under_way(roles: Roles) -> Iterator[str]:
    """Name what is still under way, though nothing is."""
    proposer, learner = roles.proposer, roles.learner
    state = proposer.candidacy.proposer.state
    under_way: dict[str, Collection[object]] = {
        "commands of its own": proposer.own,
        "commands that wait": range(len(proposer.pending)),
        "batches": proposer.proposed,
        "commands in batches": proposer.known,
        "slots in flight": state.in_flight if isinstance(state, Leading) else {},
        "snapshots to save": (learner.growth,) if learner.saving else (),
        "snapshots to take": (learner.growth,)
        if learner.growth.reaches(learner.compaction)
        else (),
        "snapshots to fetch": () if learner.fetching is None else (learner.fetching,),
        "values to teach too many": range(len(learner.learner.retained) - RETAINED),
        "questions": () if proposer.reading.idle else (proposer.reading,),
    }
    for name, kept in under_way.items():
        if kept:
            yield f"{len(kept)} {name}"
