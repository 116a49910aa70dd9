"""Which messages a learner need not hear at once."""

from __future__ import annotations

import pytest

from paxos.protocol.ballot import Ballot
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Accept, Accepted, Chosen, Message
from paxos.protocol.quorums import Majority
from paxos.protocol.values import NOOP
from paxos.replicated.log_learner import LogLearner
from paxos.replicated.state import ReplicatedState
from paxos.testing.lease_seats import NoMachine

B1 = Ballot(1, "a")


def log_learner(*others: str) -> LogLearner:
    learner = Learner("a", Majority(("a", *others)))
    return LogLearner(learner, ReplicatedState(NoMachine()))


def test_value_waits_until_it_is_known_to_be_chosen() -> None:
    learner = log_learner("b", "c")
    assert learner.can_wait("a", Accept(B1, 0, NOOP))
    learner.handle("b", Chosen(B1, 0), 0.0)
    assert not learner.can_wait("a", Accept(B1, 0, NOOP))
    assert learner.can_wait("a", Accept(B1, 1, NOOP))


def test_whoever_proposes_in_a_slot_that_is_learned_is_taught_at_once() -> None:
    learner = log_learner("b", "c")
    learner.handle("b", Accept(B1, 0, NOOP), 0.0)
    learner.handle("b", Chosen(B1, 0), 0.0)
    assert not learner.can_wait("b", Accept(B1, 0, NOOP))


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_vote_that_may_complete_a_quorum_is_heard_at_once(first: str, second: str) -> None:
    learner = log_learner("b", "c")
    vote = Accepted(B1, 0)
    assert learner.can_wait(first, vote) == (first == "a")  # of one's own there is but one
    learner.handle(first, vote, 0.0)
    assert not learner.can_wait(second, vote)


def test_own_vote_is_heard_at_once_where_no_other_is_needed() -> None:
    assert not log_learner().can_wait("a", Accepted(B1, 0))


def test_vote_in_a_slot_that_is_learned_waits() -> None:
    learner = log_learner("b", "c")
    messages: tuple[tuple[str, Message], ...] = (
        ("a", Accept(B1, 0, NOOP)),
        ("a", Accepted(B1, 0)),
        ("b", Accepted(B1, 0)),
    )
    for source, message in messages:
        learner.handle(source, message, 0.0)
    assert learner.learner.frontier == 1
    assert learner.can_wait("c", Accepted(B1, 0))
    assert not learner.can_wait("c", Accepted(B1, 1))
