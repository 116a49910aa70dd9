"""Schedules that broke real implementations: the log, where a snapshot has taken its place."""

from __future__ import annotations

from functools import partial

from paxos.journal import Journal, MemoryJournal
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.node.cluster import Timing
from paxos.protocol import (
    Acceptor,
    Ballot,
    Effects,
    Leading,
    Learned,
    Majority,
    Prepare,
    Promise,
    Proposer,
    Record,
    Send,
    Snapshotted,
    Vote,
    Voted,
)
from paxos.replicated.roles import Roles
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.snapshot_messages import SaveSnapshot
from paxos.replicated.values import Batch, Command, Session
from paxos.wire import read_snapshot, write_snapshot

B1, B2 = Ballot(1, "a"), Ballot(2, "b")
THREE = ("a", "b", "c")
SNAPSHOT = Snapshotted(100, 5, bytes(16))


class Till:
    """A state machine that charges."""

    def __init__(self) -> None:
        self.charges: list[bytes] = []

    def apply(self, command: bytes) -> bytes:
        self.charges.append(command)
        return b"charged %d" % len(self.charges)

    def snapshot(self) -> bytes:
        return b"\n".join(self.charges)

    def restore(self, snapshot: bytes) -> None:
        self.charges = snapshot.split(b"\n") if snapshot else []


def load(journal: Journal, snapshot: Snapshotted) -> Snapshot:
    return read_snapshot(pieces_of(journal, snapshot))


def live(journal: MemoryJournal) -> tuple[Roles, Till]:
    """Begin a life with what the journal holds."""
    till = Till()
    roles = Roles.begin(
        Session("a", journal.boot),
        Majority(THREE),
        Timing(),
        till,
        journal.recover(),
        load=partial(load, journal),
    )
    return roles, till


def learn(roles: Roles, journal: MemoryJournal, slot: int, command: Command) -> Effects:
    record = Learned(slot, None, Batch((command,)))
    journal.write([record])
    return roles.learner.recall(record)


def take_snapshot(roles: Roles) -> list[Record]:
    roles.learner.wanted = True
    (saved,) = [one for one in roles.learner.flush() if isinstance(one, SaveSnapshot)]
    position, pieces = saved.snapshot.position, write_snapshot(saved.snapshot)
    return list(snapshot_records(position, pieces))


def charge(number: int) -> Command:
    return Command(Session("client-1", 0), number, b"charge %d" % number)


def test_laggard_that_prepares_from_below_a_snapshot_learns_that_those_slots_are_not_empty() -> (
    None
):
    """Trimmed is not empty: what was voted there is chosen, and gone."""
    acceptors = {name: Acceptor() for name in THREE}
    for acceptor in acceptors.values():
        acceptor.handle("a", Prepare(B1, 0))
    restarted = acceptors["c"] = Acceptor()
    for record in (SNAPSHOT, Voted(100, B1, "open")):
        restarted.recall(record)
    proposer = Proposer("b", Majority(THREE), highest=B1)
    proposer.prepare(50)
    effects: Effects = ()
    for name in ("b", "c"):
        for effect in acceptors[name].handle("b", Prepare(B2, 50)):
            if isinstance(effect, Send) and isinstance(effect.message, Promise):
                effects += proposer.handle(name, effect.message)
    assert isinstance(proposer.state, Leading)
    assert proposer.state.next_slot == 101
    proposed = [effect.message.slot for effect in effects if hasattr(effect, "message")]
    assert proposed == [100]


def test_snapshot_neither_lowers_a_promise_nor_drops_a_later_vote() -> None:
    acceptor = Acceptor()
    for record in (Voted(99, B1, "gone"), Voted(100, B2, "kept"), Voted(130, B1, "kept, too")):
        acceptor.recall(record)
    acceptor.recall(SNAPSHOT)
    assert acceptor.promised == B2
    assert acceptor.votes == {100: Vote(100, B2, "kept"), 130: Vote(130, B1, "kept, too")}
    assert acceptor.frontier == 100
    acceptor.recall(Snapshotted(50, 5, bytes(16)))
    assert acceptor.frontier == 100


def test_crash_between_applying_a_slot_and_recording_it_applies_it_once() -> None:
    """What was applied and what it came to are recorded together, or neither is."""
    journal = MemoryJournal()
    roles, till = live(journal)
    for slot in range(10):
        learn(roles, journal, slot, charge(slot + 1))
    *pieces, whole = take_snapshot(roles)
    journal.write(pieces)  # and here is a crash
    roles, till = live(journal := journal.reopened())
    assert len(till.charges) == roles.learner.learner.frontier == 10
    journal.write([whole])  # or it comes a little later
    roles, till = live(journal.reopened())
    assert len(till.charges) == roles.learner.learner.frontier == 10
    assert roles.acceptor.frontier == 10


def test_charge_is_made_once_though_it_is_retried_after_a_snapshot_and_a_restart() -> None:
    journal = MemoryJournal()
    roles, till = live(journal)
    for slot in range(8):
        learn(roles, journal, slot, charge(slot + 1))
    learn(roles, journal, 8, charge(9))
    journal.write(take_snapshot(roles))
    roles, till = live(journal := journal.reopened())
    assert till.charges[-1] == b"charge 9"
    (applied,) = learn(roles, journal, 9, charge(9))
    assert till.charges.count(b"charge 9") == 1
    assert applied.fresh == ()  # type: ignore[attr-defined]
    assert applied.results == ((charge(9).id, 8, b"charged 9"),)  # type: ignore[attr-defined]
