"""What every journal must do, whoever keeps it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from paxos.journal import Journal, JournalError, MemoryJournal, SqliteJournal
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Promised, Voted

LOW = Ballot(3, "node1")
HIGH = Ballot(3, "node2")


class Lives:
    """The journal of one node, through its restarts."""

    def __init__(self, kind: str, open_sqlite: Callable[[], SqliteJournal]) -> None:
        self._open_sqlite = open_sqlite
        self.journal: Journal = MemoryJournal(size=len) if kind == "memory" else open_sqlite()  # type: ignore[arg-type]

    def restart(self) -> Journal:
        self.journal.close()
        if isinstance(self.journal, MemoryJournal):
            self.journal = self.journal.reopened()
        else:
            self.journal = self._open_sqlite()
        return self.journal


@pytest.fixture(params=["memory", "sqlite"])
def lives(request: pytest.FixtureRequest, open_sqlite: Callable[[], SqliteJournal]) -> Lives:
    return Lives(request.param, open_sqlite)


@pytest.fixture
def journal(lives: Lives) -> Journal:
    return lives.journal


def test_a_new_journal_remembers_nothing(journal: Journal) -> None:
    assert list(journal.recover()) == []
    assert journal.frontier == 0
    assert journal.read(0, 9, 1000) == []


def test_boot_rises_at_each_opening(lives: Lives) -> None:
    boots = [lives.journal.boot, lives.restart().boot, lives.restart().boot]
    assert boots == sorted(set(boots))


def test_only_memory_is_written_inline(journal: Journal) -> None:
    assert journal.inline == isinstance(journal, MemoryJournal)


def test_recovery_tells_ballots_then_the_log_then_open_votes(lives: Lives) -> None:
    lives.journal.write(
        [
            Voted(2, LOW, "c"),
            Promised(LOW),
            Voted(0, LOW, "a"),
            Learned(0, LOW, "a"),
            Begun(LOW),
            Voted(1, LOW, "b"),
            Learned(1, LOW, "b"),
            Promised(HIGH),
            Voted(7, HIGH, "h"),
        ]
    )
    assert list(lives.restart().recover()) == [
        Begun(LOW),
        Promised(HIGH),
        Learned(0, None, "a"),
        Learned(1, None, "b"),
        Voted(2, LOW, "c"),
        Voted(7, HIGH, "h"),
    ]
    assert lives.journal.frontier == 2


def test_lower_ballots_never_replace_higher_ones(lives: Lives) -> None:
    lives.journal.write([Begun(HIGH), Promised(HIGH)])
    lives.journal.write([Begun(LOW), Promised(LOW)])
    assert list(lives.restart().recover()) == [Begun(HIGH), Promised(HIGH)]


def test_a_vote_counts_as_a_promise_even_when_its_slot_is_learned(lives: Lives) -> None:
    lives.journal.write([Promised(LOW), Voted(0, HIGH, "a"), Learned(0, HIGH, "a")])
    assert list(lives.restart().recover()) == [Promised(HIGH), Learned(0, None, "a")]


def test_a_vote_at_a_higher_ballot_replaces_the_lower_one(lives: Lives) -> None:
    lives.journal.write([Voted(0, LOW, "old")])
    lives.journal.write([Voted(0, HIGH, "new")])
    assert list(lives.restart().recover()) == [Promised(HIGH), Voted(0, HIGH, "new")]


def test_a_value_without_a_vote_is_kept(lives: Lives) -> None:
    lives.journal.write([Learned(0, None, "taught"), Learned(1, HIGH, "heard")])
    assert lives.restart().read(0, 1, 1000) == [(0, "taught"), (1, "heard")]


def test_a_value_beats_the_vote_of_a_lower_ballot(lives: Lives) -> None:
    lives.journal.write([Voted(0, LOW, "lost")])
    lives.journal.write([Learned(0, HIGH, "won")])
    assert lives.restart().read(0, 0, 1000) == [(0, "won")]


def test_a_taught_value_beats_every_vote_before_and_after(lives: Lives) -> None:
    lives.journal.write([Voted(0, LOW, "lost"), Learned(0, None, "won")])
    lives.journal.write([Voted(0, HIGH, "lost again")])
    assert lives.restart().read(0, 0, 1000) == [(0, "won")]


def test_the_vote_of_an_earlier_life_can_hold_the_value(lives: Lives) -> None:
    lives.journal.write([Voted(0, HIGH, "a")])
    lives.restart().write([Learned(0, LOW, "a")])
    assert lives.restart().read(0, 0, 1000) == [(0, "a")]


def test_what_is_learned_twice_is_kept_once(lives: Lives) -> None:
    lives.journal.write([Learned(0, None, "a")])
    lives.journal.write([Learned(0, None, "a"), Learned(1, None, "b")])
    assert lives.restart().read(0, 9, 1000) == [(0, "a"), (1, "b")]


def test_a_gap_in_the_log_is_a_bug_of_the_caller(journal: Journal) -> None:
    with pytest.raises(AssertionError, match="no gaps"):
        journal.write([Learned(1, None, "b")])
    assert journal.frontier == 0


def test_read_stops_at_the_last_slot_and_at_the_frontier(journal: Journal) -> None:
    journal.write([Learned(slot, None, str(slot)) for slot in range(5)])
    journal.write([Voted(5, LOW, "open")])
    assert journal.read(1, 2, 1000) == [(1, "1"), (2, "2")]
    assert [slot for slot, _ in journal.read(3, 99, 1000)] == [3, 4]
    assert journal.read(5, 99, 1000) == []


def test_read_returns_what_fits_and_at_least_one(journal: Journal) -> None:
    journal.write([Learned(slot, None, "x" * 100) for slot in range(5)])
    assert len(journal.read(0, 4, 300)) == 3
    assert len(journal.read(0, 4, 299)) == 2
    assert len(journal.read(0, 4, 1)) == 1


def test_another_thread_reads_while_this_one_writes(journal: Journal) -> None:
    journal.write([Learned(0, None, "0")])
    found: list[int] = []

    def read_to_the_end() -> None:
        while len(found) < 200:
            found.extend(slot for slot, _ in journal.read(len(found), 999, 1000))

    reader = threading.Thread(target=read_to_the_end)
    reader.start()
    for slot in range(1, 200):
        journal.write([Voted(slot, LOW, str(slot)), Learned(slot, LOW, str(slot))])
    reader.join()
    assert found == list(range(200))


def test_a_closed_journal_is_not_written(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.write([Begun(LOW)])


def test_a_failed_memory_stays_failed_until_the_next_life() -> None:
    journal = MemoryJournal()
    journal.write([Begun(LOW)])
    journal.fail("the disk is on fire")
    for _ in range(2):
        with pytest.raises(JournalError, match="the disk is on fire"):
            journal.write([Begun(HIGH)])
    assert list(journal.reopened().recover()) == [Begun(LOW)]


def test_an_earlier_life_cannot_write_any_more() -> None:
    journal = MemoryJournal()
    journal.reopened()
    with pytest.raises(JournalError, match="a later life"):
        journal.write([Begun(LOW)])
