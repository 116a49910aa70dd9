"""Schedules that broke real implementations: the log."""

from __future__ import annotations

from paxos.protocol import (
    NOOP,
    Accept,
    Accepted,
    Acceptor,
    Ballot,
    Deliver,
    Effects,
    Leading,
    Learner,
    Majority,
    Persist,
    Prepare,
    Preparing,
    Promise,
    Proposer,
    Send,
    Voted,
)

B1, B2 = Ballot(1, "a"), Ballot(2, "b")
THREE = ("a", "b", "c")


def promises(effects: Effects) -> list[Promise]:
    sent = [effect.message for effect in effects if isinstance(effect, Send)]
    return [message for message in sent if isinstance(message, Promise)]


def test_next_leader_fills_a_gap_with_a_no_op_keeps_what_is_chosen_and_applies_in_order() -> None:
    acceptors = {name: Acceptor() for name in THREE}
    learner = Learner("b", Majority(THREE))
    for acceptor in acceptors.values():
        acceptor.handle("a", Prepare(B1, 6))
    for name in ("a", "b"):  # slot 7 is chosen; what was proposed in slot 6 reached nobody
        acceptors[name].handle("a", Accept(B1, 7, "seven"))
    learner.frontier = learner.target = 6

    proposer = Proposer("b", Majority(THREE), highest=B1)
    proposer.prepare(6)
    effects: Effects = ()
    for name in ("b", "c"):
        for promise in promises(acceptors[name].handle("b", Prepare(B2, 6))):
            effects += proposer.handle(name, promise)
    accepts = [effect.message for effect in effects if isinstance(effect, Send)]
    assert accepts == [Accept(B2, 6, NOOP), Accept(B2, 7, "seven")]

    delivered: list[Deliver] = []
    for accept in reversed(accepts):  # the later slot is decided first
        assert isinstance(accept, Accept)
        learner.handle("b", accept)
        for name in ("b", "c"):
            acceptors[name].handle("b", accept)
            effects = learner.handle(name, Accepted(B2, accept.slot))
            delivered += (effect for effect in effects if isinstance(effect, Deliver))
    assert delivered == [Deliver(6, NOOP), Deliver(7, "seven")]


def test_promise_of_5000_votes_counts_only_when_its_last_part_has_arrived() -> None:
    acceptor = Acceptor()
    for slot in range(5000):
        acceptor.recall(Voted(slot, B1, f"v{slot}"))
    parts = promises(acceptor.handle("b", Prepare(B2, 0)))
    assert len(parts) == 5000
    proposer = Proposer("b", Majority(THREE), highest=B1)
    proposer.prepare(0)
    for part in parts:
        proposer.handle("b", part)
    lost = parts.pop(2500)
    for part in [*parts, parts[0]]:
        proposer.handle("c", part)
    assert isinstance(proposer.state, Preparing)
    assert proposer.repeat() == (Send(("a", "c"), Prepare(B2, 0)),)
    proposer.handle("c", lost)
    assert isinstance(proposer.state, Leading)
    assert proposer.state.next_slot == 5000


def test_cluster_of_one_acknowledges_only_after_its_sync() -> None:
    """A crash before the sync leaves nothing acknowledged, a crash after it leaves the vote."""
    quorums = Majority(("a",))
    acceptor, proposer = Acceptor(), Proposer("a", quorums)
    learner = Learner("a", quorums)
    *_, prepare = proposer.prepare(0)
    assert isinstance(prepare, Send)
    for promise in promises(acceptor.handle("a", prepare.message)):
        proposer.handle("a", promise)
    (accept,) = proposer.propose("x")
    assert isinstance(accept, Send)
    assert learner.handle("a", accept.message) == ()

    persist, accepted = acceptor.handle("a", accept.message)
    assert persist == Persist(Voted(0, B1, "x"))
    assert isinstance(accepted, Send)
    assert learner.handle("a", accepted.message)[-1] == Deliver(0, "x")
