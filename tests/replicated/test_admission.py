"""A node that may have forgotten something asks before it votes, and never on a broken journal."""

from __future__ import annotations

import pytest

from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Send
from paxos.protocol.messages import AskMemory, Memory, Message, Prepare, Promise
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Begun, Readmitted
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.values import Session
from paxos.testing.simulation.store import Store

TIMING = Timing()
OTHERS = ("node1", "node2")


def roles_of(doubt: str = "", journal: tuple[int, int] = (7, 100)) -> Roles:
    quorums = Majority((*OTHERS, "node3"))
    roles = Roles.begin(
        Session("node3", 1), quorums, TIMING, Store(), (), doubt=doubt, journal=lambda: journal
    )
    (asked,) = sent(roles.start(0.0)["proposer"], AskMemory)
    assert asked == AskMemory(1)
    return roles


def sent(turn: Turn, kind: type[Message]) -> list[Message]:
    messages = [effect.message for effect in turn.effects if isinstance(effect, Send)]
    return [message for message in messages if isinstance(message, kind)]


def hear(roles: Roles, source: str, message: Message | None, now: float = 0.01) -> Turn:
    return roles.turn("proposer", [(source, message)], now)


def memory(journal: int = 0, writes: int = 0, number: int = 1) -> Memory:
    return Memory(number, Ballot(3, "node1"), 0, journal, writes)


def test_node_votes_once_a_quorum_with_it_remembers_no_more_than_its_journal() -> None:
    roles = roles_of()
    assert not roles.admission.admitted
    hear(roles, "node1", memory(7, 100))
    assert roles.admission.admitted


@pytest.mark.parametrize("remembered", [(7, 101), (8, 1)])
def test_node_of_which_another_remembers_more_is_in_doubt(remembered: tuple[int, int]) -> None:
    roles = roles_of()
    turn = hear(roles, "node1", memory(*remembered))
    assert not roles.admission.admitted
    assert roles.admission.doubt
    assert len(turn.records) == 1  # so that it is not forgotten again


def test_answer_to_another_attempt_or_from_a_stranger_admits_nobody() -> None:
    roles = roles_of()
    hear(roles, "node1", memory(number=2))
    hear(roles, "node9", memory())
    assert not roles.admission.admitted


def test_doubtful_node_begins_a_ballot_when_all_others_have_answered() -> None:
    roles = roles_of("the journal is gone")
    assert not hear(roles, "node1", memory()).records
    turn = hear(roles, "node2", memory())
    ballot = Ballot(4, "node3")
    assert turn.records == [Begun(ballot)]
    assert sent(turn, Prepare) == [Prepare(ballot, 0)]
    hear(roles, "node1", Promise(ballot, 0, 0, ()))
    turn = hear(roles, "node2", Promise(ballot, 0, 0, ()))
    assert turn.records[-1] == Readmitted(ballot)
    assert roles.admission.admitted


def test_node_whose_journal_breaks_meanwhile_neither_repeats_nor_ends_its_readmission() -> None:
    """Its ballot was never durable: another life could begin it again."""
    roles = roles_of("the journal is gone")
    hear(roles, "node1", memory())
    hear(roles, "node2", memory())
    roles.fail("the disk is full")  # so the record of the ballot, and its prepare, went nowhere
    for now in (0.2, 0.5, 5.0, 50.0):
        turn = hear(roles, "", None, now)
        assert not sent(turn, Prepare)
        assert not sent(turn, AskMemory)
    for node in OTHERS:
        assert not hear(roles, node, Promise(Ballot(4, "node3"), 0, 0, ())).records
    assert not roles.admission.admitted
