"""*Paxos Made Simple*, section 3: implementing a state machine."""

from __future__ import annotations

from paxos.protocol import (
    NOOP,
    Accept,
    Accepted,
    Acceptor,
    Ballot,
    Chosen,
    Deliver,
    Learner,
    Majority,
    Message,
    Prepare,
    Promise,
    Proposer,
    Send,
    Vote,
)

THREE = ("a", "b", "c")
B1, B2 = Ballot(1, "a"), Ballot(2, "b")


def leading(window: int = 64) -> Proposer:
    proposer = Proposer("b", Majority(THREE), window=window, highest=B1)
    proposer.prepare(0)
    for name in ("b", "c"):
        proposer.handle(name, Promise(B2, 0, 0, ()))
    return proposer


def sent(effects: tuple[object, ...]) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def test_one_prepare_covers_infinitely_many_instances() -> None:
    """The leader “executes phase 1 for infinitely many instances of the consensus algorithm”."""
    acceptor = Acceptor()
    acceptor.handle("b", Prepare(B2, 0))
    for slot in (0, 7, 10**9):
        refusals = sent(acceptor.handle("a", Accept(B1, slot, "x")))
        assert Accepted(B1, slot) not in refusals
    assert acceptor.votes == {}


def test_short_message_answers_for_all_instances() -> None:
    """An acceptor “responds with more than a simple OK only if it has already received a phase 2
    message”."""
    acceptor = Acceptor()
    acceptor.handle("a", Accept(B1, 140, "v140"))
    assert sent(acceptor.handle("b", Prepare(B2, 135))) == [
        Promise(B2, 135, 1, (Vote(140, B1, "v140"),))
    ]
    assert sent(Acceptor().handle("b", Prepare(B2, 135))) == [Promise(B2, 135, 0, ())]


def test_new_leader_completes_the_open_instances_and_fills_the_gaps_between_them() -> None:
    """The gaps are filled with “a special "no-op" command that leaves the state unchanged”."""
    proposer = Proposer("b", Majority(THREE), highest=B1)
    proposer.prepare(135)
    proposer.handle("b", Promise(B2, 135, 1, (Vote(135, B1, "v135"),)))
    effects = proposer.handle("c", Promise(B2, 135, 1, (Vote(138, B1, "v138"),)))
    assert sent(effects) == [
        Accept(B2, 135, "v135"),
        Accept(B2, 136, NOOP),
        Accept(B2, 137, NOOP),
        Accept(B2, 138, "v138"),
    ]
    assert sent(proposer.propose("next")) == [Accept(B2, 139, "next")]


def test_new_leader_does_not_propose_where_another_server_knows_the_command() -> None:
    """It “should know most of the commands that have already been chosen”; the rest it learns."""
    proposer = Proposer("b", Majority(THREE), highest=B1)
    proposer.prepare(135)
    proposer.handle("b", Promise(B2, 135, 1, (Vote(135, B1, "v135"),)))
    effects = proposer.handle("c", Promise(B2, 138, 1, (Vote(139, B1, "v139"),)))
    assert sent(effects) == [Accept(B2, 138, NOOP), Accept(B2, 139, "v139")]


def test_stable_leader_needs_phase_2_only() -> None:
    """The effective cost of a command “is the cost of executing only phase 2”."""
    proposer = leading()
    for slot in range(10):
        assert sent(proposer.propose(slot)) == [Accept(B2, slot, slot)]


def test_leader_may_propose_before_it_knows_that_the_previous_command_is_chosen() -> None:
    """A leader may “propose commands i + 1 through i +” window after i commands are chosen."""
    proposer = leading(window=3)
    for value in ("x", "y", "z"):
        proposer.propose(value)
    assert proposer.room == 0
    proposer.advance(1)
    assert proposer.room == 1


def test_command_is_executed_only_after_all_before_it() -> None:
    """The value chosen by instance i is the i-th command, so execution waits for a gap to close."""
    learner = Learner("c", Majority(THREE))
    for slot, value in ((1, "second"), (0, "first")):
        learner.handle("b", Accept(B2, slot, value))
    assert Deliver(1, "second") not in learner.handle("b", Chosen(B2, 1))
    effects = learner.handle("b", Chosen(B2, 0))
    delivered = [effect for effect in effects if isinstance(effect, Deliver)]
    assert delivered == [Deliver(0, "first"), Deliver(1, "second")]


def test_same_number_serves_all_instances() -> None:
    """“Using the same proposal number for all instances”."""
    proposer = leading()
    accepts = sent(proposer.propose("x") + proposer.propose("y"))
    assert [accept.ballot for accept in accepts if isinstance(accept, Accept)] == [B2, B2]
