"""An acceptor that has forgotten something votes again only when that can do no harm."""

from __future__ import annotations

from paxos.protocol import (
    Accept,
    Acceptor,
    AskMemory,
    Ballot,
    Begun,
    Majority,
    Memory,
    Persist,
    Prepare,
    Promise,
    Promised,
    Proposer,
    Readmission,
    Readmitted,
    Send,
    Vote,
    Voted,
)

A7, B5, B9 = Ballot(7, "a"), Ballot(5, "b"), Ballot(9, "b")


def memory(highest: Ballot, frontier: int = 0, number: int = 1) -> Memory:
    return Memory(number, highest, frontier, 0, 0)


def asked(frontier: int = 0) -> Readmission:
    """Node c has asked a and b, and b has answered."""
    readmission = Readmission("c", ("a", "b"))
    assert readmission.ask() == (Send(("a", "b"), AskMemory(1)),)
    assert readmission.on_memory("b", memory(B5), frontier) == ()
    return readmission


def prepared(frontier: int = 0) -> tuple[Readmission, Ballot]:
    readmission = asked(frontier)
    readmission.on_memory("a", memory(A7), frontier)
    assert readmission.preparing is not None
    return readmission, readmission.preparing.ballot


def test_it_prepares_above_every_ballot_that_anybody_has_begun_or_promised() -> None:
    ballot = Ballot(8, "c")
    assert asked(3).on_memory("a", memory(A7), frontier=3) == (
        Persist(Begun(ballot)),
        Send(("a", "b"), Prepare(ballot, 3)),
    )


def test_an_answer_to_an_earlier_attempt_is_not_counted() -> None:
    readmission = asked()
    readmission.ask()
    assert readmission.on_memory("a", memory(A7), 0) == ()
    assert readmission.on_memory("b", memory(B9, number=2), 0) == ()
    assert readmission.preparing is None


def test_a_node_that_is_far_behind_ends_nobodys_ballot() -> None:
    assert asked().on_memory("a", memory(A7, frontier=1000), frontier=10) == ()


def test_all_others_must_promise_not_only_a_quorum() -> None:
    readmission, ballot = prepared()
    readmission.on_promise("a", Promise(ballot, 0, 0, ()))
    readmission.on_promise("a", Promise(ballot, 0, 0, ()))
    readmission.on_promise("d", Promise(ballot, 0, 0, ()))
    assert readmission.conclude(0, {}) == ()
    readmission.on_promise("b", Promise(ballot, 0, 0, ()))
    assert readmission.conclude(0, {}) == (Promised(ballot), Readmitted(ballot))


def test_a_promise_of_another_ballot_is_not_counted() -> None:
    readmission, ballot = prepared()
    readmission.on_promise("a", Promise(ballot, 0, 0, ()))
    readmission.on_promise("b", Promise(Ballot(6, "c"), 0, 0, ()))
    assert readmission.conclude(0, {}) == ()


def test_a_promise_of_which_a_part_is_missing_is_not_counted() -> None:
    readmission, ballot = prepared()
    readmission.on_promise("a", Promise(ballot, 0, 0, ()))
    readmission.on_promise("b", Promise(ballot, 0, 2, (Vote(0, B5, "x"),)))
    assert readmission.conclude(0, {}) == ()
    readmission.on_promise("b", Promise(ballot, 0, 2, (Vote(1, B5, "y"),)))
    assert len(readmission.conclude(0, {})) == 4


def test_it_takes_the_highest_vote_of_each_slot_for_its_own() -> None:
    readmission, ballot = prepared()
    readmission.on_promise("a", Promise(ballot, 0, 2, (Vote(0, A7, "x"), Vote(2, B5, "z"))))
    readmission.on_promise("b", Promise(ballot, 0, 1, (Vote(0, B5, "y"),)))
    assert readmission.conclude(0, {}) == (
        Promised(ballot),
        Voted(0, A7, "x"),
        Voted(2, B5, "z"),
        Readmitted(ballot),
    )


def test_a_later_vote_that_it_still_has_is_kept() -> None:
    readmission, ballot = prepared()
    readmission.on_promise("a", Promise(ballot, 0, 1, (Vote(0, B5, "x"),)))
    readmission.on_promise("b", Promise(ballot, 0, 0, ()))
    held = {0: Vote(0, A7, "y")}
    assert readmission.conclude(0, held) == (Promised(ballot), Readmitted(ballot))


def test_it_first_learns_what_the_others_report_no_votes_for() -> None:
    readmission, ballot = prepared()
    readmission.on_promise("a", Promise(ballot, 4, 0, ()))
    readmission.on_promise("b", Promise(ballot, 2, 1, (Vote(3, B5, "x"),)))
    assert readmission.conclude(3, {}) == ()
    assert readmission.conclude(4, {}) == (Promised(ballot), Readmitted(ballot))


def test_what_its_forgotten_vote_helped_to_choose_is_found_again() -> None:
    """A and c chose x, and c's disk was wiped. B never heard of x; b and c are the next quorum."""
    nodes = ("a", "b", "c")
    acceptors = {name: Acceptor() for name in nodes}
    for name in ("a", "c"):
        acceptors[name].handle("a", Accept(Ballot(1, "a"), 0, "x"))
    acceptors["c"] = Acceptor()

    readmission = Readmission("c", ("a", "b"))
    readmission.ask()
    readmission.on_memory("a", memory(Ballot(1, "a")), 0)
    readmission.on_memory("b", memory(Ballot.ZERO), 0)
    assert readmission.preparing is not None
    for name in ("a", "b"):
        prepare = Prepare(readmission.preparing.ballot, 0)
        for effect in acceptors[name].handle("c", prepare):
            if isinstance(effect, Send) and isinstance(effect.message, Promise):
                readmission.on_promise(name, effect.message)
    for record in readmission.conclude(0, {}):
        acceptors["c"].recall(record)

    proposer = Proposer("b", Majority(nodes), highest=Ballot(2, "c"))
    *_, send = proposer.prepare(0)
    assert isinstance(send, Send)
    for name in ("b", "c"):
        *_, promise = acceptors[name].handle("b", send.message)
        assert isinstance(promise, Send)
        effects = proposer.handle(name, promise.message)
    assert isinstance(effects[-1], Send)
    assert effects[-1].message == Accept(Ballot(3, "b"), 0, "x")


def test_second_attempt_begins_another_ballot_than_the_first() -> None:
    readmission = Readmission("c", ("a", "b"))
    begun = []
    for attempt in (1, 2):
        readmission.ask()
        memory = Memory(attempt, Ballot(7, "a"), 0, 0, 0)
        readmission.on_memory("a", memory, 0)
        begun += [e.record for e in readmission.on_memory("b", memory, 0) if isinstance(e, Persist)]
    assert begun == [Begun(Ballot(8, "c")), Begun(Ballot(9, "c"))]
