"""Schedules that broke real implementations: the core of the protocol."""

from __future__ import annotations

from paxos.protocol import (
    Accept,
    Accepted,
    Acceptor,
    Ballot,
    Begun,
    Deliver,
    Effects,
    Idle,
    Leading,
    Learner,
    Majority,
    Message,
    Persist,
    Prepare,
    Preparing,
    Promise,
    Promised,
    Proposer,
    Rejected,
    Send,
    Vote,
)

QUORUMS = Majority(("a", "b", "c"))
B1, B2, B3 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "a")


def begun(ballot: Ballot) -> Proposer:
    """A proposer that is preparing ``ballot``."""
    proposer = Proposer(ballot.node, QUORUMS, highest=Ballot(ballot.number - 1, "z"))
    proposer.prepare(0)
    return proposer


def answer(effects: Effects) -> Message:
    """The message that is sent last."""
    sent = [effect.message for effect in effects if isinstance(effect, Send)]
    return sent[-1]


def crash_and_restart(effects: Effects, before: int) -> Acceptor:
    """An acceptor that died before effect number ``before`` was carried out."""
    restarted = Acceptor()
    for effect in effects[:before]:
        if isinstance(effect, Persist):
            restarted.recall(effect.record)
    return restarted


def test_delayed_accept_is_refused_by_an_acceptor_that_only_voted() -> None:
    a, b, c = Acceptor(), Acceptor(), Acceptor()
    for acceptor in (a, b):
        acceptor.handle("a", Prepare(B1, 0))
        acceptor.handle("b", Prepare(B2, 0))
    for acceptor in (b, c):
        assert answer(acceptor.handle("b", Accept(B2, 0, "y"))) == Accepted(B2, 0)
    assert answer(c.handle("a", Accept(B1, 0, "x"))) == Rejected(B1, B2)

    proposer = begun(B3)
    for name, acceptor in (("a", a), ("c", c)):
        effects = proposer.handle(name, answer(acceptor.handle("a", Prepare(B3, 0))))
    assert answer(effects) == Accept(B3, 0, "y")


def test_promise_for_an_older_ballot_of_the_same_proposer_is_not_counted() -> None:
    proposer = begun(B3)
    proposer.handle("b", Promise(B3, 0, 0, ()))
    proposer.handle("c", Promise(B1, 0, 0, ()))
    assert isinstance(proposer.state, Preparing)


def test_promise_that_arrives_twice_is_one_promise() -> None:
    proposer = begun(B3)
    for _ in range(2):
        proposer.handle("b", Promise(B3, 0, 0, ()))
    assert isinstance(proposer.state, Preparing)


def test_ballot_whose_prepare_was_the_last_thing_before_the_crash_is_not_reused() -> None:
    persist, *_, send = Proposer("a", QUORUMS).prepare(0)
    assert persist == Persist(Begun(B1))
    assert send == Send(("a", "b", "c"), Prepare(B1, 0))
    next_life = Proposer("a", QUORUMS)
    next_life.recall(Begun(B1))
    assert next_life.prepare(0)[0] == Persist(Begun(Ballot(2, "a")))
    next_life.handle("b", Promise(B1, 0, 0, ()))
    next_life.handle("c", Promise(B1, 0, 0, ()))
    assert isinstance(next_life.state, Preparing)


def test_no_reply_leaves_before_it_would_survive_a_power_cut() -> None:
    for message in (Prepare(B2, 0), Accept(B2, 0, "y")):
        effects = Acceptor().handle("b", message)
        for before, effect in enumerate(effects):
            if isinstance(effect, Send):
                restarted = crash_and_restart(effects, before)
                assert answer(restarted.handle("a", Accept(B1, 0, "x"))) == Rejected(B1, B2)


def test_promise_made_with_an_older_one_on_disk_survives_the_power_cut() -> None:
    acceptor = Acceptor()
    effects = acceptor.handle("a", Prepare(B1, 0)) + acceptor.handle("b", Prepare(B2, 0))
    assert [e.record for e in effects if isinstance(e, Persist)] == [Promised(B1), Promised(B2)]
    restarted = crash_and_restart(effects, len(effects))
    assert answer(restarted.handle("a", Accept(B1, 0, "x"))) == Rejected(B1, B2)


def test_vote_of_the_highest_ballot_wins_not_the_most_frequent_value() -> None:
    votes = {"a": Vote(0, B1, "x"), "b": Vote(0, B1, "x"), "c": Vote(0, B2, "w")}
    proposer = Proposer("e", Majority(("a", "b", "c", "d", "e")), highest=B3)
    proposer.prepare(0)
    ballot = Ballot(4, "e")
    for source, vote in votes.items():
        effects = proposer.handle(source, Promise(ballot, 0, 1, (vote,)))
    assert answer(effects) == Accept(ballot, 0, "w")


def test_acceptances_of_different_ballots_choose_nothing() -> None:
    for other, value in ((B2, "y"), (B3, "x")):
        learner = Learner("a", QUORUMS)
        learner.handle("a", Accept(B1, 0, "x"))
        learner.handle("b", Accept(other, 0, value))
        effects = learner.handle("a", Accepted(B1, 0)) + learner.handle("b", Accepted(other, 0))
        assert not any(isinstance(effect, Deliver) for effect in effects)
        assert learner.chosen == {}


def test_late_refusal_of_an_old_ballot_does_not_abort_the_new_one() -> None:
    proposer = begun(B3)
    assert proposer.handle("b", Rejected(B1, B2)) == ()
    assert isinstance(proposer.state, Preparing)
    for source in ("b", "c"):
        proposer.handle(source, Promise(B3, 0, 0, ()))
    for source in ("a", "b", "c"):
        assert proposer.handle(source, Rejected(B1, B2)) == ()
    assert isinstance(proposer.state, Leading)


def test_lost_refusal_does_not_livelock_its_proposer() -> None:
    acceptors = {name: Acceptor() for name in ("a", "b", "c")}
    for acceptor in acceptors.values():
        acceptor.handle("c", Prepare(Ballot(9, "c"), 0))
    proposer = begun(B3)
    for _ in range(2):  # the first refusals are lost, and the prepare is repeated
        (repeated,) = proposer.repeat()
        assert isinstance(repeated, Send)
        refusals = [answer(acceptors[n].handle("a", repeated.message)) for n in repeated.targets]
    proposer.handle("b", refusals[0])
    assert isinstance(proposer.state, Idle)
    assert proposer.prepare(0)[0] == Persist(Begun(Ballot(10, "a")))


def test_lost_refusals_of_an_accept_come_again_when_it_is_repeated() -> None:
    proposer = begun(B3)
    for source in ("a", "b"):
        proposer.handle(source, Promise(B3, 0, 0, ()))
    acceptors = {name: Acceptor() for name in ("a", "b", "c")}
    for acceptor in acceptors.values():
        acceptor.handle("c", Prepare(Ballot(9, "c"), 0))
    (lost,) = proposer.propose("x")
    assert (lost,) == proposer.repeat()
    for name in ("b", "c"):
        proposer.handle(name, answer(acceptors[name].handle("a", Accept(B3, 0, "x"))))
    assert isinstance(proposer.state, Idle)
    assert proposer.highest == Ballot(9, "c")
