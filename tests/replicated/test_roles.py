"""What the roles of one node hear of each other."""

from __future__ import annotations

from collections.abc import Iterable

from paxos.machines import Counter
from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Send
from paxos.protocol.messages import Accept, Accepted, Chosen, Message, Promise
from paxos.protocol.quorums import Majority
from paxos.replicated.messages import Adopted, Advanced, Heartbeat
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.routing import Role
from paxos.replicated.values import Batch, Command, Leadership, Session

NODES = ("node1", "node2", "node3")
B1 = Ballot(1, "node1")
MINE = Session("node1", 7)


def begin(name: str = "node1") -> Roles:
    session = Session(name, 7)
    roles = Roles.begin(session, Majority(NODES), Timing(), Counter(), ())
    roles.admission.admitted = True
    roles.start(0.0)
    return roles


def hear(roles: Roles, role: Role, *messages: tuple[str, Message | None]) -> Turn:
    return roles.turn(role, messages, 0.0)


def sent(turn: Turn) -> list[Message]:
    return [effect.message for effect in turn.effects if isinstance(effect, Send)]


def learn(roles: Roles, slot: int, value: object, voters: Iterable[str] = NODES[:2]) -> Turn:
    votes = [(voter, Accepted(B1, slot)) for voter in voters]
    return hear(roles, "learner", ("node1", Accept(B1, slot, value)), *votes)


def leader() -> Roles:
    """A node that has opened its epoch, and has proposed one command of its own."""
    roles = begin()
    hear(roles, "proposer", ("", None))
    promises = [(node, Promise(B1, 0, 0, ())) for node in NODES[:2]]
    assert Accept(B1, 0, Leadership("node1", 1)) in sent(hear(roles, "proposer", *promises))
    assert Advanced() in sent(learn(roles, 0, Leadership("node1", 1))), "it waits for its epoch"
    hear(roles, "proposer", ("node1", Advanced()))
    assert roles.proposer.serving
    return roles


def propose(roles: Roles) -> Batch:
    command = Command(*roles.next_id(), b"x")
    assert roles.proposer.adopt(command)
    (accept,) = sent(hear(roles, "proposer", ("node1", Adopted())))
    assert isinstance(accept, Accept)
    assert isinstance(accept.value, Batch)
    return accept.value


def test_a_proposer_that_waits_for_nothing_hears_of_progress_with_whatever_comes_next() -> None:
    roles = leader()
    batch = propose(roles)
    assert Advanced() not in sent(learn(roles, 1, batch))
    assert roles.proposer.own
    hear(roles, "proposer")
    assert not roles.proposer.own
    assert roles.proposer.candidacy.frontier == 2


def test_a_proposer_that_waits_to_read_is_woken_by_progress() -> None:
    roles = leader()
    batch = propose(roles)
    roles.proposer.reading.begin()
    assert Advanced() in sent(learn(roles, 1, batch))


def test_a_proposer_is_woken_as_long_as_it_has_not_heard_of_progress_for_which_it_waits() -> None:
    roles = leader()
    batch = propose(roles)
    assert Advanced() not in sent(learn(roles, 1, batch))
    roles.proposer.reading.begin()
    assert Advanced() in sent(hear(roles, "learner", ("node2", Chosen(B1, 0))))


def test_a_follower_need_not_hear_of_progress_before_its_next_turn() -> None:
    roles = begin("node2")
    hear(roles, "proposer", ("node1", Heartbeat(B1, 0, 1, 500, ())))
    opening = Leadership("node1", 1)
    accept = ("node1", Accept(B1, 0, opening))
    hear(roles, "acceptor", accept)
    assert Advanced() in sent(hear(roles, "learner", accept, ("node1", Chosen(B1, 0))))
    hear(roles, "proposer", ("node2", Advanced()))
    assert roles.proposer.leadership == opening
    batch = Batch((Command(MINE, 0, b"x"),))
    accept = ("node1", Accept(B1, 1, batch))
    hear(roles, "acceptor", accept)
    assert Advanced() not in sent(hear(roles, "learner", accept, ("node1", Chosen(B1, 1))))


def test_news_is_old_only_while_the_proposer_waits_for_nothing() -> None:
    roles = begin("node2")
    news = Chosen(B1, 1)
    assert not roles.is_old_news(news)  # it looks for a leader
    hear(roles, "proposer", ("node1", Heartbeat(B1, 0, 1, 500, ())))
    assert roles.is_old_news(news)
    assert not roles.is_old_news(Accept(B1, 1, Leadership("node1", 1)))
    roles.proposer.reading.begin()
    assert not roles.is_old_news(news)


def test_news_is_not_old_where_that_of_a_later_slot_has_overtaken_it() -> None:
    roles = begin("node2")
    hear(roles, "proposer", ("node1", Heartbeat(B1, 0, 1, 500, ())))
    assert roles.is_old_news(Chosen(B1, 0))
    hear(roles, "learner", ("node1", Chosen(B1, 1)))
    assert not roles.is_old_news(Chosen(B1, 0))


def test_an_acceptor_begins_each_turn_by_letting_go_of_what_is_learned_here() -> None:
    roles = begin("node2")
    accept = ("node1", Accept(B1, 0, Leadership("node1", 1)))
    hear(roles, "acceptor", accept)
    assert roles.acceptor.votes
    hear(roles, "learner", accept, ("node1", Chosen(B1, 0)))
    assert not sent(hear(roles, "acceptor", accept)), "the learners teach whoever proposes there"
    assert not roles.acceptor.votes
