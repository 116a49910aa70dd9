"""Candidacies for tests: nobody runs them, so messages are handed over one by one."""

from __future__ import annotations

from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send, Wake
from paxos.protocol.messages import Message, Promise
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Majority
from paxos.replicated.admission import Admission
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.candidacy_states import Polling, Serving
from paxos.replicated.heartbeats import Heartbeats
from paxos.replicated.messages import Heartbeat
from paxos.replicated.pace import Pace

MEMBERS = ("a", "b", "c")
TIMING = Timing(heartbeat=0.025, suspicion=0.15)
LED = Ballot(1, "a")


def candidacy(name: str = "a", members: tuple[str, ...] = MEMBERS) -> Candidacy:
    """Return the candidacy of a node that may vote."""
    quorums = Majority(members)
    admission = Admission(name, quorums, TIMING, lambda: (1, 1))
    admission.admitted = True
    pace = Pace(TIMING)
    return Candidacy(Proposer(name, quorums), pace, Heartbeats(name, pace, admission))


def sent(effects: Effects) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def alarm(effects: Effects) -> Wake:
    (wake,) = (effect for effect in effects if isinstance(effect, Wake))
    return wake


def polling(name: str, attempts: int = 1, members: tuple[str, ...] = MEMBERS) -> Candidacy:
    """Return a candidate that has asked so often and was answered by nobody."""
    candidate = candidacy(name, members)
    candidate.start()
    for _ in range(attempts):
        candidate.wake(0.0)
    assert isinstance(candidate.state, Polling)
    return candidate


def follower(name: str, now: float = 7.0) -> Candidacy:
    """Return one that follows a."""
    follower = candidacy(name)
    follower.handle("a", Heartbeat(LED, 0, 1, 500, ()), now)
    return follower


def leading(now: float = 7.0) -> Candidacy:
    """Return that of a, whose first ballot is prepared."""
    leader = candidacy("a")
    leader.start()
    leader.wake(now)
    for name in MEMBERS[:2]:
        leader.handle(name, Promise(LED, 0, 0, ()), now)
    assert isinstance(leader.state, Serving)
    return leader
