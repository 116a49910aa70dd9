"""The acceptor by itself."""

from __future__ import annotations

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Persist, Send
from paxos.protocol.messages import Accept, Accepted, Chosen, Prepare, Promise, Rejected, Vote
from paxos.protocol.records import Begun, Learned, Promised, Voted

B1, B2, B3 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "a")


def replayed(effects: Effects) -> Acceptor:
    acceptor = Acceptor()
    for effect in effects:
        if isinstance(effect, Persist):
            acceptor.recall(effect.record)
    return acceptor


def test_promise_is_durable_before_it_is_sent() -> None:
    effects = Acceptor().handle("a", Prepare(B1, 0))
    assert effects == (Persist(Promised(B1)), Send(("a",), Promise(B1, 0, 0, ())))


def test_vote_is_durable_before_it_is_sent() -> None:
    effects = Acceptor().handle("a", Accept(B1, 0, "x"))
    assert effects == (Persist(Voted(0, B1, "x")), Send(("a",), Accepted(B1, 0)))


def test_equal_ballot_is_promised_again() -> None:
    acceptor = Acceptor()
    acceptor.handle("a", Prepare(B1, 0))
    assert acceptor.handle("a", Prepare(B1, 0)) == (Send(("a",), Promise(B1, 0, 0, ())),)


def test_equal_proposal_is_answered_again_without_a_second_write() -> None:
    acceptor = Acceptor()
    acceptor.handle("a", Accept(B1, 0, "x"))
    assert acceptor.handle("a", Accept(B1, 0, "x")) == (Send(("a",), Accepted(B1, 0)),)


def test_lower_ballot_is_refused_after_a_promise() -> None:
    acceptor = Acceptor()
    acceptor.handle("b", Prepare(B2, 0))
    refusal = (Send(("a",), Rejected(B1, B2)),)
    assert acceptor.handle("a", Accept(B1, 0, "x")) == refusal
    assert acceptor.handle("a", Prepare(B1, 0)) == refusal
    assert acceptor.votes == {}


def test_equal_numbers_of_two_proposers_are_two_ballots() -> None:
    acceptor = Acceptor()
    acceptor.handle("b", Prepare(Ballot(1, "b"), 0))
    refusal = (Send(("a",), Rejected(B1, Ballot(1, "b"))),)
    assert acceptor.handle("a", Prepare(B1, 0)) == refusal


def test_promised_ballot_may_be_voted_for() -> None:
    acceptor = Acceptor()
    acceptor.handle("a", Prepare(B1, 0))
    assert acceptor.handle("a", Accept(B1, 0, "x"))[-1] == Send(("a",), Accepted(B1, 0))


def test_vote_in_one_slot_promises_for_every_slot() -> None:
    acceptor = Acceptor()
    acceptor.handle("b", Accept(B2, 7, "y"))
    assert acceptor.handle("a", Accept(B1, 0, "x")) == (Send(("a",), Rejected(B1, B2)),)


def test_promise_reports_the_last_vote_of_every_open_slot_in_parts() -> None:
    acceptor = Acceptor()
    acceptor.handle("a", Accept(B1, 0, "x"))
    acceptor.handle("b", Accept(B2, 2, "z"))
    acceptor.handle("b", Accept(B2, 0, "y"))
    _, *parts = acceptor.handle("a", Prepare(B3, 0))
    assert parts == [
        Send(("a",), Promise(B3, 0, 2, (Vote(0, B2, "y"),))),
        Send(("a",), Promise(B3, 0, 2, (Vote(2, B2, "z"),))),
    ]


def test_promise_omits_what_the_proposer_has_learned() -> None:
    acceptor = Acceptor()
    acceptor.handle("a", Accept(B1, 0, "x"))
    acceptor.handle("a", Accept(B1, 1, "y"))
    *_, promise = acceptor.handle("b", Prepare(B2, 1))
    assert promise == Send(("b",), Promise(B2, 1, 1, (Vote(1, B1, "y"),)))


def test_advance_forgets_votes_below_the_frontier_and_no_other() -> None:
    acceptor = Acceptor()
    for slot in range(4):
        acceptor.handle("a", Accept(B1, slot, f"v{slot}"))
    acceptor.advance(2)
    assert sorted(acceptor.votes) == [2, 3]
    _, *parts = acceptor.handle("b", Prepare(B2, 0))
    assert [part.message for part in parts if isinstance(part, Send)] == [
        Promise(B2, 2, 2, (Vote(2, B1, "v2"),)),
        Promise(B2, 2, 2, (Vote(3, B1, "v3"),)),
    ]


def test_frontier_never_goes_back() -> None:
    acceptor = Acceptor()
    acceptor.advance(5)
    acceptor.advance(3)
    assert acceptor.frontier == 5


def test_learned_slot_is_not_voted_on_again() -> None:
    acceptor = Acceptor()
    acceptor.advance(3)
    assert acceptor.handle("a", Accept(B1, 2, "x")) == ()
    assert acceptor.votes == {}
    assert acceptor.handle("a", Accept(B1, 3, "x"))[-1] == Send(("a",), Accepted(B1, 3))


def test_lower_ballot_is_refused_even_in_a_learned_slot() -> None:
    acceptor = Acceptor()
    acceptor.advance(3)
    acceptor.handle("b", Prepare(B2, 0))
    assert acceptor.handle("a", Accept(B1, 0, "x")) == (Send(("a",), Rejected(B1, B2)),)


def test_node_far_behind_votes_only_within_its_horizon() -> None:
    acceptor = Acceptor(horizon=2)
    acceptor.advance(3)
    assert acceptor.handle("a", Accept(B1, 5, "far")) == ()
    assert acceptor.handle("a", Accept(B1, 4, "near")) != ()


def test_restart_restores_promise_and_votes() -> None:
    acceptor = Acceptor()
    effects = acceptor.handle("a", Accept(B1, 0, "x"))
    effects += acceptor.handle("a", Accept(B1, 1, "y"))
    effects += acceptor.handle("b", Prepare(B2, 0))
    assert replayed(effects) == acceptor


def test_restart_from_votes_alone_restores_the_promise() -> None:
    effects = Acceptor().handle("b", Accept(B2, 0, "y"))
    assert replayed(effects).handle("a", Accept(B1, 0, "x")) == (Send(("a",), Rejected(B1, B2)),)


def test_records_in_any_order_never_lower_a_promise() -> None:
    acceptor = Acceptor()
    for record in (Promised(B3), Voted(0, B1, "x"), Promised(B2), Begun(Ballot(9, "a"))):
        acceptor.recall(record)
    assert acceptor.promised == B3


def test_restart_with_a_trimmed_journal_does_not_report_learned_slots_as_empty() -> None:
    acceptor = Acceptor()
    for record in (Promised(B1), Learned(0, None, "x"), Learned(1, None, "y"), Voted(2, B1, "z")):
        acceptor.recall(record)
    assert acceptor.handle("b", Prepare(B2, 0)) == (
        Persist(Promised(B2)),
        Send(("b",), Promise(B2, 2, 1, (Vote(2, B1, "z"),))),
    )


def test_message_for_another_role_is_ignored() -> None:
    acceptor = Acceptor()
    assert acceptor.handle("a", Chosen(B1, 0)) == ()
    assert acceptor == Acceptor()
