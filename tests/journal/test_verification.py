"""``verify`` finds what is wrong with a journal, and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from paxos.journal import JournalCorrupt, JournalError, SqliteJournal
from paxos.journal.seeding import IS_BACKUP, back_up, open_votes, seed
from paxos.journal.snapshots import snapshot_records
from paxos.journal.tables import FACTS
from paxos.journal.verification import verify
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Learned, Promised, Voted

Open = Callable[..., SqliteJournal]
BALLOT = Ballot(7, "node2")


@pytest.fixture
def journal(open_sqlite: Open) -> Path:
    """A journal with a snapshot, learned slots from both tables, and an open vote."""
    opened = open_sqlite()
    opened.write([Learned(slot, None, f"value {slot}") for slot in range(4)])
    opened.write([Voted(4, BALLOT, "four"), Learned(4, BALLOT, "four"), Learned(5, None, "five")])
    opened.write(list(snapshot_records(3, [b"piece one", b"piece two"])))
    opened.write([Voted(6, BALLOT, "open"), Promised(Ballot(9, "node3"))])
    opened.close()
    return opened.path


def files(journal: Path) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes() for file in journal.parent.iterdir() if "shm" not in file.name
    }


def change(journal: Path, statement: str) -> None:
    with closing(sqlite3.connect(journal)) as db:
        db.execute(statement)
        db.commit()


def test_an_intact_journal_is_called_so_and_left_as_it_is(journal: Path) -> None:
    before = files(journal)
    report = verify(journal)
    assert report.findings == ()
    assert (report.facts["node"], report.facts["frontier"]) == ("node1", 6)
    assert {name: data for name, data in files(journal).items() if data} == {
        name: data for name, data in before.items() if data
    }


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE votes SET note = 'x' WHERE slot = 6", "slot 6 of votes ('x') does not match"),
        ("UPDATE chosen SET value = x'00' WHERE slot = 5", "slot 5 of chosen"),
        ("UPDATE chosen SET value = 7 WHERE slot = 5", "slot 5 of chosen"),
        ("UPDATE votes SET crc = 'x' WHERE slot = 6", "a vote in a slot from 6 on is missing"),
        ("DELETE FROM chosen WHERE slot = 5", "slot 5 was learned, and its value is missing"),
        ("DELETE FROM votes WHERE slot = 6", "a vote in a slot from 6 on is missing"),
        ("UPDATE pieces SET data = x'00' WHERE idx = 1", "piece 1 of the snapshot of position 3"),
        ("UPDATE snapshots SET length = 1", "what it says about the snapshot of position 3"),
        ("UPDATE about SET value = 9 WHERE key = 'progress'", "about.progress = 9 does not match"),
        ("DROP TABLE chosen", "its tables are not as they were made"),
        ("ALTER TABLE votes RENAME COLUMN note TO nota", "its tables are not as they were made"),
    ],
)
def test_damage_is_found_and_named(journal: Path, statement: str, finding: str) -> None:
    change(journal, statement)
    assert any(finding in text for text in verify(journal).findings), verify(journal).findings


def test_a_file_that_is_no_database_is_called_so(journal: Path) -> None:
    journal.write_bytes(b"no database" * 1000)
    (finding,) = verify(journal).findings
    assert "SQLite cannot read the file" in finding


def test_a_missing_witness_is_found_and_not_made(journal: Path) -> None:
    witness = Path(f"{journal}.witness")
    witness.unlink()
    assert any("witness is gone" in finding for finding in verify(journal).findings)
    assert not witness.exists()


def test_a_journal_that_went_backwards_is_found(open_sqlite: Open, tmp_path: Path) -> None:
    opened = open_sqlite()
    opened.close()
    old = opened.path.read_bytes()
    again = open_sqlite()
    again.write([Promised(BALLOT)])
    again.close()
    opened.path.write_bytes(old)
    assert any("went backwards" in finding for finding in verify(opened.path).findings)


@pytest.mark.parametrize("key", FACTS)
def test_a_journal_that_lacks_a_fact_is_called_damaged_and_nothing_is_made_of_it(
    journal: Path, tmp_path: Path, key: str
) -> None:
    change(journal, f"DELETE FROM about WHERE key = '{key}'")
    missing = f"about has no '{key}'"
    assert any(missing in finding for finding in verify(journal).findings)
    with pytest.raises(JournalCorrupt, match=missing):
        back_up(journal, tmp_path / "copy")
    with pytest.raises(JournalCorrupt, match=missing):
        seed(journal, tmp_path / "new.db", cluster="store", node="node5")
    with pytest.raises(JournalCorrupt, match=missing):
        open_votes(journal, lambda data: data.decode())
    assert not (tmp_path / "copy").exists()
    assert not (tmp_path / "new.db").exists()


def test_backup_of_another_format_is_refused_by_the_name_of_the_journal(
    journal: Path, tmp_path: Path
) -> None:
    change(journal, "UPDATE about SET value = 2 WHERE key = 'format'")
    with pytest.raises(JournalError, match=rf"{journal} has format 2, .* install an older one"):
        back_up(journal, tmp_path / "copy")


def test_an_open_journal_is_not_read(open_sqlite: Open) -> None:
    with pytest.raises(JournalError, match="already open"):
        verify(open_sqlite().path)


def test_a_journal_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        verify(tmp_path / "nothing.db")


# Backups


def test_a_backup_in_the_place_of_a_journal_is_in_doubt(
    open_sqlite: Open, journal: Path, tmp_path: Path
) -> None:
    back_up(journal, tmp_path / "copy")
    Path(f"{journal}-wal").unlink(missing_ok=True)
    journal.write_bytes((tmp_path / "copy").read_bytes())
    assert open_sqlite().doubt == IS_BACKUP


def test_a_backup_is_made_while_the_node_runs(open_sqlite: Open, tmp_path: Path) -> None:
    opened = open_sqlite()
    opened.write([Voted(0, BALLOT, "a"), Learned(0, BALLOT, "a")])
    back_up(opened.path, tmp_path / "copy")
    opened.write([Learned(1, None, "b")])
    assert verify(tmp_path / "copy").facts["frontier"] == 1
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_a_backup_overwrites_nothing(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(JournalError, match="File exists"):
        back_up(journal, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"


def test_a_new_cluster_begins_with_the_log_and_without_promises(
    open_sqlite: Open, journal: Path, tmp_path: Path
) -> None:
    back_up(journal, tmp_path / "copy")
    seed(tmp_path / "copy", tmp_path / "new.db", cluster="store", node="node5")
    with pytest.raises(JournalError, match="belongs to"):
        open_sqlite(tmp_path / "new.db")
    new = open_sqlite(tmp_path / "new.db", cluster="store", node="node5")
    assert new.doubt == ""
    assert new.frontier == 6
    snapshot, *log = new.recover()
    assert snapshot == new.snapshots[-1]
    assert log == [
        Learned(3, None, "value 3"),
        Learned(4, None, "four"),
        Learned(5, None, "five"),
    ]
    new.close()
    assert verify(new.path).findings == ()


def test_a_copy_never_takes_part_in_its_own_cluster(journal: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="a copy must never take part"):
        seed(journal, tmp_path / "new.db", cluster="shop", node="node2")
    assert not (tmp_path / "new.db").exists()


def test_open_votes_are_what_a_survivor_can_tell(journal: Path) -> None:
    votes = open_votes(journal, lambda data: data.decode())
    assert votes == [Voted(6, BALLOT, "open")]


def test_a_log_without_what_was_before_it_is_found_and_not_opened(open_sqlite: Open) -> None:
    opened = open_sqlite()
    opened.write([Learned(slot, None, f"value {slot}") for slot in range(9)])
    for position in (3, 6):
        opened.write(list(snapshot_records(position, [b"piece"])))
    opened.close()
    change(opened.path, "DELETE FROM snapshots")
    said = "its log begins at slot 3, and the snapshot of what was before is missing"
    assert any(said in text for text in verify(opened.path).findings)
    with pytest.raises(JournalCorrupt, match=said):
        open_sqlite()


def test_a_journal_that_cannot_be_locked_is_not_read_and_the_way_out_is_told(
    journal: Path,
) -> None:
    lock = journal.with_name(f"{journal.name}.lock")
    lock.unlink()
    lock.mkdir()  # even root cannot open it for writing, as on a disk that is mounted read-only
    with pytest.raises(JournalError, match=r"cannot be locked.*: Is a directory; make a copy of"):
        verify(journal)
