# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of journals, and of what nodes do about a journal that has forgotten something."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import evolve

from paxos.journal import SqliteJournal, sqlite
from paxos.journal.base import highest_promised
from paxos.journal.tables import make_durable
from paxos.journal.witness import Mark, Witness
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effect, Effects, Send
from paxos.protocol.messages import AskMemory, Memory, Vote
from paxos.protocol.readmission import Readmission
from paxos.protocol.records import Promised, Record, Voted
from paxos.replicated.admission import Admission
from paxos.replicated.roles import Roles
from paxos.testing.mutants.registry import mutant

compare, conclude = Admission._compare, Readmission.conclude
wake, next_mark, remember = Admission.wake, Mark.next, Roles._remember


@mutant(sqlite, "make_durable", schedule=5, found_by="simulation")
def commits_are_not_synced(db: sqlite3.Connection, path: Path) -> None:
    """A commit is on stable storage when it returns, and not some time later."""
    make_durable(db, path)
    db.execute("PRAGMA synchronous = NORMAL")


@mutant(sqlite, "highest_begun", schedule=4, found_by="simulation")
def begun_ballots_are_not_kept(records: Sequence[Record], known: Ballot) -> Ballot:
    """A ballot that was begun is never begun again."""
    return known


@mutant(sqlite, "highest_promised", schedule=1, found_by="simulation")
def votes_are_not_kept_as_promises(records: Sequence[Record], known: Ballot) -> Ballot:
    """A vote is a promise, and still is one when its slot is learned and the vote is gone."""
    return highest_promised([each for each in records if isinstance(each, Promised)], known)


@mutant(sqlite, "doubt", schedule=15, found_by="simulation")
def witness_is_not_believed(held: Mark | None, witness: Witness) -> str:
    """A journal whose witness saw more than it holds must not vote."""
    return ""


@mutant(Admission, "_compare", schedule=14, found_by="simulation")
def others_are_not_believed(self: Admission, source: str, memory: Memory) -> Effects:
    """A node of whose journal others know more than it holds must not vote."""
    journal, writes = self.opened
    known = Memory(memory.number, memory.highest, memory.frontier, journal, writes)
    return compare(self, source, known)


@mutant(Mark, "next", found_by="simulation")
def writes_are_not_counted(self: Mark, crcs: tuple[int, ...]) -> Mark:
    """A journal counts its writes: by that others know when it has gone back."""
    return evolve(next_mark(self, crcs), writes=self.writes)


@mutant(SqliteJournal, "_draw_identity", found_by="simulation")
def readmitted_journal_keeps_its_identity(self: SqliteJournal) -> int:
    """Others must not take a journal that was readmitted for the one that forgot."""
    return self._mark.identity if hasattr(self, "_mark") else self._random_bits(62) + 1


@mutant(Admission, "wake", found_by="simulation")
def readmission_is_tried_once(self: Admission, now: float) -> Effects:
    """A node that has forgotten something asks until it votes again."""
    return () if self.patience else wake(self, now)


@mutant(Readmission, "conclude", schedule=14, found_by="simulation")
def one_helper_is_enough(
    self: Readmission, frontier: int, held: Mapping[int, Vote]
) -> tuple[Record, ...]:
    """All the others must promise before a node that has forgotten something votes again."""
    others, self.others = self.others, self.others[:1]
    records = conclude(self, frontier, held)
    self.others = others
    return records


@mutant(Readmission, "conclude", schedule=14, found_by="simulation")
def votes_are_not_replaced(
    self: Readmission, frontier: int, held: Mapping[int, Vote]
) -> tuple[Record, ...]:
    """A node that has forgotten its votes takes the others' last ones for its own."""
    records = conclude(self, frontier, held)
    return tuple(record for record in records if not isinstance(record, Voted))


@mutant(Roles, "_remember", found_by="simulation")
def begun_ballots_are_not_remembered(self: Roles, source: str, asked: AskMemory) -> Effect:
    """A node that has forgotten its promises begins above every ballot that any other has begun."""
    told = remember(self, source, asked)
    assert isinstance(told, Send)
    assert isinstance(told.message, Memory)
    return Send(told.targets, evolve(told.message, highest=self.acceptor.promised))
