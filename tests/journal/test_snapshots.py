"""What every journal does with snapshots, whoever keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from paxos.errors import LogCompacted
from paxos.journal import Journal, JournalCorrupt, MemoryJournal, SqliteJournal
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Piece, Promised, Record, Snapshotted, Voted

LOW = Ballot(3, "node1")
HIGH = Ballot(3, "node2")


class Lives:
    """The journal of one node, through its restarts."""

    def __init__(self, kind: str, open_sqlite: Callable[[], SqliteJournal]) -> None:
        self._open_sqlite = open_sqlite
        self.journal: Journal = MemoryJournal() if kind == "memory" else open_sqlite()

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


def log(first: int, end: int) -> list[Record]:
    return [Learned(slot, None, f"value {slot}") for slot in range(first, end)]


def save(journal: Journal, position: int, *pieces: bytes) -> Snapshotted:
    """Write a snapshot, a transaction for each record."""
    for record in snapshot_records(position, pieces):
        journal.write([record])
    assert isinstance(record, Snapshotted)
    return record


def slots(records: Iterable[Record]) -> list[int]:
    return [record.slot for record in records if isinstance(record, Learned)]


def test_recovery_begins_at_the_newest_snapshot(lives: Lives) -> None:
    lives.journal.write([Begun(LOW), Promised(HIGH), *log(0, 8), Voted(9, HIGH, "open")])
    snapshot = save(lives.journal, 5, b"state at ", b"five")
    assert list(lives.restart().recover()) == [
        Begun(LOW),
        Promised(HIGH),
        snapshot,
        *log(5, 8),
        Voted(9, HIGH, "open"),
    ]
    assert b"".join(pieces_of(lives.journal, snapshot)) == b"state at five"


def test_log_is_kept_from_the_snapshot_before_on(lives: Lives) -> None:
    lives.journal.write(log(0, 20))
    first = save(lives.journal, 5, b"five")
    assert lives.journal.first == 0
    second = save(lives.journal, 12, b"twelve")
    assert lives.journal.first == 5
    assert lives.journal.snapshots == (first, second)
    journal = lives.restart()
    assert (journal.first, journal.snapshots) == (5, (first, second))
    assert [slot for slot, _ in journal.read(5, 99, 10_000)] == list(range(5, 20))
    with pytest.raises(LogCompacted, match=r"slot 4 is no longer .* begins at slot 5") as caught:
        journal.read(4, 99, 10_000)
    assert caught.value.first == 5
    third = save(journal, 20, b"twenty")
    assert journal.snapshots == (second, third)
    assert journal.first == 12


def test_snapshot_from_ahead_moves_the_frontier_and_leaves_nothing_below(lives: Lives) -> None:
    lives.journal.write([Promised(HIGH), *log(0, 3), Voted(4, LOW, "gone"), Voted(50, HIGH, "v")])
    snapshot = save(lives.journal, 50, b"fifty")
    journal = lives.restart()
    assert (journal.first, journal.frontier, journal.snapshots) == (50, 50, (snapshot,))
    assert list(journal.recover()) == [Promised(HIGH), snapshot, Voted(50, HIGH, "v")]
    journal.write(log(50, 52))
    assert slots(lives.restart().recover()) == [50, 51]


def test_what_was_on_its_way_to_the_log_when_a_snapshot_came_is_passed_over(lives: Lives) -> None:
    lives.journal.write([*log(0, 3)])
    save(lives.journal, 50, b"fifty")
    lives.journal.write([*log(3, 6), Learned(50, None, "value 50")])
    assert slots(lives.restart().recover()) == [50]


@pytest.mark.parametrize("position", [8, 50])
def test_until_it_is_whole_a_snapshot_changes_nothing(lives: Lives, position: int) -> None:
    lives.journal.write([Promised(HIGH), *log(0, 8), Voted(8, LOW, "open")])
    old = save(lives.journal, 4, b"four")
    before = list(lives.journal.recover())
    *pieces, _ = snapshot_records(position, [b"x"] * 20)
    lives.journal.write(pieces)
    journal = lives.restart()
    assert list(journal.recover()) == before
    assert (journal.first, journal.frontier, journal.snapshots) == (0, 8, (old,))


def test_older_or_equal_snapshot_is_passed_over(lives: Lives) -> None:
    lives.journal.write(log(0, 8))
    snapshot = save(lives.journal, 6, b"six")
    save(lives.journal, 3, b"three")
    assert lives.journal.snapshots == (snapshot,)
    assert lives.journal.first == 0
    assert b"".join(pieces_of(lives.restart(), snapshot)) == b"six"


def test_snapshot_that_is_fetched_anew_is_not_mixed_with_the_first_attempt(lives: Lives) -> None:
    *attempt, _ = snapshot_records(50, [b"a", b"b", b"c"])
    lives.journal.write(attempt)
    snapshot = save(lives.restart(), 50, b"x", b"y")
    assert list(pieces_of(lives.journal, snapshot)) == [b"x", b"y"]


def test_pieces_are_read_up_to_the_first_that_is_missing(lives: Lives) -> None:
    lives.journal.write([Piece(7, index, b"%d" % index) for index in (0, 1, 3)])
    assert lives.journal.read_pieces(7, 0, 10) == [b"0", b"1"]
    assert lives.journal.read_pieces(7, 1, 1) == [b"1"]
    assert lives.journal.read_pieces(7, 2, 1) == []
    assert lives.journal.read_pieces(8, 0, 1) == []


@pytest.mark.parametrize("pieces", [[b"ab"], [b"ab", b"c"], [b"ab", b"xy"], []])
def test_snapshot_with_other_bytes_than_its_digest_is_not_taken(
    lives: Lives, pieces: list[bytes]
) -> None:
    *_, snapshot = snapshot_records(7, [b"ab", b"cd"])
    assert isinstance(snapshot, Snapshotted)
    lives.journal.write([Piece(7, index, data) for index, data in enumerate(pieces)])
    with pytest.raises(JournalCorrupt, match="not whole"):
        list(pieces_of(lives.journal, snapshot))


def test_what_a_snapshot_replaces_is_deleted_by_the_writes_that_follow(
    open_sqlite: Callable[[], SqliteJournal],
) -> None:
    journal = open_sqlite()
    for position in (300, 600, 900):
        journal.write([*log(position - 300, position)])
        save(journal, position, *[bytes([position % 251]) * 100] * 40)
    journal = lives_on(journal, open_sqlite)
    for slot in range(900, 960):
        journal.write([Voted(slot, LOW, "v"), Learned(slot, LOW, "v")])
    db = journal._reader.db
    assert db.execute("SELECT min(slot) FROM chosen").fetchone() == (600,)
    assert db.execute("SELECT DISTINCT position FROM pieces").fetchall() == [(600,), (900,)]
    assert db.execute("SELECT min(slot), max(slot) FROM log").fetchone() == (600, 959)


def lives_on(journal: SqliteJournal, open_sqlite: Callable[[], SqliteJournal]) -> SqliteJournal:
    journal.close()
    return open_sqlite()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pieces SET data = 'x' WHERE idx = 1",
        "UPDATE pieces SET data = x'00' WHERE idx = 1",
        "DELETE FROM pieces WHERE idx = 1",
        "UPDATE pieces SET idx = 5 WHERE idx = 1",
    ],
)
def test_damaged_piece_is_found(open_sqlite: Callable[[], SqliteJournal], statement: str) -> None:
    journal = open_sqlite()
    snapshot = save(journal, 0 + 5, b"one", b"two", b"three")
    journal._writer.execute(statement)
    with pytest.raises(JournalCorrupt):
        list(pieces_of(journal, snapshot))


def test_damaged_word_about_a_snapshot_is_found(
    open_sqlite: Callable[[], SqliteJournal],
) -> None:
    journal = open_sqlite()
    save(journal, 5, b"one")
    journal._writer.execute("UPDATE snapshots SET length = 4")
    journal.close()
    with pytest.raises(JournalCorrupt, match="snapshot of position 5"):
        open_sqlite()
