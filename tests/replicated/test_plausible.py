from __future__ import annotations

import attrs
import pytest

from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Send
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Chosen,
    Memory,
    Message,
    Prepare,
    Promise,
    Rejected,
    Teach,
    Vote,
)
from paxos.protocol.quorums import Majority
from paxos.protocol.values import NOOP
from paxos.replicated.events import Alarm
from paxos.replicated.messages import Heartbeat, Poll, Polled
from paxos.replicated.plausible import (
    BALLOTS,
    MAX_BALLOT_LEAP,
    MAX_SLOT_LEAP,
    MAX_VOTES_AHEAD,
    Implausible,
    reach,
)
from paxos.replicated.roles import Roles
from paxos.replicated.routing import ROUTES, Role
from paxos.replicated.values import Session
from paxos.wire.codec import LAYOUTS
from paxos.wire.fields import ANY_BALLOT, BALLOT

LAST = 2**63 - 1
NODES = ("node1", "node2", "node3")


MESSAGES: list[Message] = [
    Prepare(Ballot(LAST, "node2"), 0),
    Prepare(Ballot(1, "node2"), LAST),
    Promise(Ballot(1, "node2"), 0, 1, (Vote(MAX_VOTES_AHEAD, Ballot(1, "node2"), NOOP),)),
    Accept(Ballot(LAST, "node2"), 0, NOOP),
    Accept(Ballot(1, "node2"), LAST, NOOP),
    Accepted(Ballot(1, "node2"), LAST),
    Rejected(Ballot(1, "node1"), Ballot(LAST, "node2")),
    Chosen(Ballot(1, "node2"), LAST),
    Teach(0, NOOP, 0, LAST),
    Heartbeat(Ballot(LAST, "node2"), 0, 1, 1, ()),
    Heartbeat(Ballot(1, "node2"), LAST, 1, 1, ()),
    Polled(1, 1, True, Ballot(LAST, "node2"), 0),
    Memory(1, Ballot(LAST, "node2"), 0, 0, 0),
]


class Nothing:
    def apply(self, command: bytes) -> bytes:
        return b""

    def snapshot(self) -> bytes:
        return b""

    def restore(self, snapshot: bytes) -> None:
        pass


def begin() -> Roles:
    roles = Roles.begin(Session("node1", 1), Majority(NODES), Timing(), Nothing(), [])
    roles.admission.admitted = True
    return roles


def test_every_ballot_on_the_wire_is_looked_at() -> None:
    for cls, kinds in LAYOUTS.values():
        if cls in ROUTES:
            fields = attrs.fields(cls)  # type: ignore[arg-type]
            for field, kind in zip(fields, kinds, strict=True):
                if kind in (BALLOT, ANY_BALLOT):
                    assert field.name in BALLOTS, f"{cls.__name__}.{field.name}"


def test_a_message_reaches_as_far_as_its_highest_numbers() -> None:
    assert reach(Rejected(Ballot(3, "a"), Ballot(5, "b"))) == (5, 0)
    assert reach(Teach(4, NOOP, 9, 7)) == (0, 9)
    assert reach(Poll(LAST, LAST)) == (0, 0)


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
@pytest.mark.parametrize("role", ["acceptor", "proposer", "learner"])
def test_an_absurd_number_changes_nothing_and_is_an_alarm(role: Role, message: Message) -> None:
    roles, untouched = begin(), begin()
    turn = roles.turn(role, [("node2", message)], 1.0)
    assert not turn.records
    assert roles.implausible == 1
    assert [type(effect) for effect in turn.effects if isinstance(effect, Alarm)] == [Implausible]
    assert roles.acceptor == untouched.acceptor
    assert roles.learner.learner == untouched.learner.learner
    assert roles.proposer.candidacy.proposer.highest == Ballot.ZERO


def test_what_a_node_may_have_missed_is_believed() -> None:
    roles = begin()
    prepare = Prepare(Ballot(MAX_BALLOT_LEAP, "node2"), MAX_SLOT_LEAP)
    turn = roles.turn("acceptor", [("node2", prepare)], 1.0)
    assert len(turn.records) == 1
    beat = Heartbeat(Ballot(MAX_BALLOT_LEAP, "node2"), MAX_SLOT_LEAP, 1, 1, ())
    roles.turn("learner", [("node2", beat)], 1.0)
    assert roles.learner.learner.target == MAX_SLOT_LEAP
    assert roles.implausible == 0


def test_numbers_never_run_out_after_an_absurd_ballot() -> None:
    roles = begin()
    for role in ("acceptor", "proposer"):
        roles.turn(role, [("node2", Prepare(Ballot(LAST, "node2"), 0))], 1.0)
    turn = roles.turn("acceptor", [("node3", Prepare(Ballot(1, "node3"), 0))], 2.0)
    assert any(isinstance(e, Send) and isinstance(e.message, Promise) for e in turn.effects)


def test_each_doubling_of_absurd_messages_is_one_alarm() -> None:
    roles = begin()
    inbox = [("node2", Prepare(Ballot(LAST, "node2"), 0))] * 1000
    turn = roles.turn("acceptor", inbox, 1.0)
    assert roles.implausible == 1000
    assert len(turn.effects) == 10
