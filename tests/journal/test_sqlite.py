"""What only the journal on disk has: its file, its refusals, its lock, and damage."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from paxos.journal import JournalCorrupt, JournalError, SqliteJournal
from paxos.journal.tables import FACTS, checksum
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Promised, Voted
from paxos.wire import decode_value, encode_value

Open = Callable[..., SqliteJournal]
BALLOT = Ballot(7, "node2")


def run(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """What somebody with an SQLite browser does; return the last answer."""
    db = sqlite3.connect(path)
    for statement in statements:
        rows = db.execute(statement).fetchall()
    db.commit()
    db.close()
    return rows


# The file


def test_only_the_owner_can_read_the_files(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.write([Begun(BALLOT)])
    files = list(journal.path.parent.iterdir())
    assert {file.suffix for file in files} == {".db", ".db-wal", ".db-shm", ".lock", ".witness"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_every_commit_is_synced_before_it_returns(open_sqlite: Open) -> None:
    """Only a power cut, or a disk that fails to sync, could tell otherwise."""
    writer = open_sqlite()._writer
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_anybody_can_look_while_the_node_runs(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.write([Voted(0, BALLOT, "leader=node2, epoch=7"), Voted(1, BALLOT, "lost")])
    journal.write([Learned(0, BALLOT, "leader=node2, epoch=7"), Learned(1, None, "3 commands")])
    journal.write([Voted(2, BALLOT, "open")])
    log = run(journal.path, "SELECT * FROM log")
    assert log == [(0, "leader=node2, epoch=7", "7.node2"), (1, "3 commands", None)]
    facts = run(journal.path, "SELECT key, value FROM about")
    about = {str(key): value for key, value in facts}
    assert len(str(about.pop("identity"))) == 16
    assert str(about.pop("progress")).startswith("2 4 ")
    assert about == {
        "cluster": "shop",
        "node": "node1",
        "format": 3,
        "boot": journal.boot,
        "begun": "0.",
        "promised": "7.node2",
        "first": 0,
        "doubt": "",
    }


def test_a_value_that_the_vote_holds_is_not_written_twice(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.write([Voted(0, BALLOT, "a"), Learned(0, BALLOT, "a"), Learned(1, BALLOT, "b")])
    assert run(journal.path, "SELECT slot FROM chosen") == [(1,)]


def test_a_vote_for_another_value_than_the_chosen_one_goes_when_that_is_learned(
    open_sqlite: Open,
) -> None:
    journal = open_sqlite()
    journal.write([Voted(0, BALLOT, "a"), Voted(1, BALLOT, "b")])
    journal.write(
        [Learned(0, Ballot(8, "node1"), "c"), Learned(1, None, "d"), Learned(2, None, "e")]
    )
    assert run(journal.path, "SELECT * FROM votes") == []
    assert journal.read(0, 2, 100) == [(0, "c"), (1, "d"), (2, "e")]


def test_recovery_of_many_pages_is_complete(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.write([Learned(slot, None, "x" * 10_000) for slot in range(250)])
    journal.write([Voted(slot, BALLOT, "y") for slot in range(250, 450)])
    promised, *log = open_restarted(journal, open_sqlite).recover()
    assert promised == Promised(BALLOT)
    assert [getattr(record, "slot", None) for record in log] == list(range(450))


def open_restarted(journal: SqliteJournal, open_sqlite: Open) -> SqliteJournal:
    journal.close()
    return open_sqlite()


def test_a_name_with_odd_characters_is_taken_literally(open_sqlite: Open, tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#50%.db"
    open_sqlite(path).write([Begun(BALLOT)])
    assert path.stat().st_size > 0


# Refusals


def test_another_cluster_is_refused(open_sqlite: Open) -> None:
    open_sqlite().close()
    with pytest.raises(JournalError, match="belongs to cluster 'shop', not to 'bank'"):
        open_sqlite(cluster="bank")


def test_another_node_is_refused(open_sqlite: Open) -> None:
    open_sqlite().close()
    with pytest.raises(JournalError, match="belongs to node 'node1', not to 'node2'"):
        open_sqlite(node="node2")


def test_a_refused_opening_is_no_life(open_sqlite: Open) -> None:
    first = open_sqlite()
    first.close()
    with pytest.raises(JournalError):
        open_sqlite(node="node2")
    assert run(first.path, "SELECT value FROM about WHERE key = 'boot'") == [(first.boot,)]


def test_no_life_is_counted_twice_when_an_older_copy_comes_back(open_sqlite: Open) -> None:
    """The log knows the life that is gone: it would take new commands for those of that life."""
    first = open_sqlite()
    first.close()
    copy = first.path.read_bytes()
    gone = open_sqlite()
    gone.close()
    gone.path.write_bytes(copy)
    assert open_sqlite().boot > gone.boot


def test_no_life_is_counted_twice_when_the_clock_is_set_back(tmp_path: Path) -> None:
    boots = []
    for clock in (1000.0, 1.0, 2000.0, 2000.0):
        journal = SqliteJournal(
            tmp_path / "node1.db",
            cluster="shop",
            node="node1",
            encode=lambda value: str(value).encode(),
            decode=bytes.decode,
            wall_clock=lambda: clock,  # noqa: B023 - it is read at once
        )
        boots.append(journal.boot)
        journal.close()
    assert boots == sorted(set(boots))
    assert boots[0] >= 1_000_000_000


def test_no_life_has_the_boot_of_another_even_where_the_journal_went_back(tmp_path: Path) -> None:
    path, copy, boots = tmp_path / "node1.db", tmp_path / "copy.db", set[int]()
    bits = Random(1).getrandbits  # now and then real chance lets two of a dozen meet
    for life in range(12):
        if life % 3 == 1:
            shutil.copyfile(path, copy)
        elif life % 3 == 0 and copy.exists():
            shutil.copyfile(copy, path)
        journal = SqliteJournal(
            path,
            cluster="shop",
            node="node1",
            encode=encode_value,
            decode=decode_value,
            wall_clock=lambda: 7.0,
            random_bits=bits,
        )
        boots.add(journal.boot)
        journal.close()
    assert len(boots) == 12


def test_a_newer_format_is_refused(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.close()
    run(journal.path, "UPDATE about SET value = 9 WHERE key = 'format'")
    with pytest.raises(JournalError, match=r"has format 9, .* reads format 3; install a newer one"):
        open_sqlite()


def test_a_file_that_is_not_sqlite_is_refused_and_left_alone(
    open_sqlite: Open, tmp_path: Path
) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam\n" * 100)
    with pytest.raises(JournalError, match=r"letter\.txt cannot be opened: file is not a database"):
        open_sqlite(path)
    assert path.read_text() == "Dear Sir or Madam\n" * 100


def test_the_database_of_another_application_is_refused_and_left_alone(
    open_sqlite: Open, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    run(path, "CREATE TABLE subscriptions (customer)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another application"):
        open_sqlite(path)
    assert path.read_bytes() == before


def test_a_directory_is_refused(open_sqlite: Open, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="it is a directory"):
        open_sqlite(tmp_path)


def test_a_missing_directory_is_refused(open_sqlite: Open, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no directory .*nowhere; make it first"):
        open_sqlite(tmp_path / "nowhere" / "node1.db")


def test_a_file_in_the_place_of_the_directory_is_refused(open_sqlite: Open, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be opened: Not a directory"):
        open_sqlite(tmp_path / "file" / "node1.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_is_refused(open_sqlite: Open, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match="cannot be opened: Permission denied"):
        open_sqlite()


def test_a_second_opening_in_this_process_is_refused(open_sqlite: Open, tmp_path: Path) -> None:
    open_sqlite()
    (tmp_path / "alias.db").symlink_to("node1.db")
    for path in (tmp_path / "node1.db", tmp_path / "alias.db"):
        with pytest.raises(JournalError, match=f"already open, in process {os.getpid()}"):
            open_sqlite(path)


def test_another_process_is_refused(open_sqlite: Open) -> None:
    journal = open_sqlite()
    program = (
        "import sys; from paxos.journal import SqliteJournal\n"
        "SqliteJournal(sys.argv[1], cluster='shop', node='node1', encode=str, decode=str)"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, str(journal.path)], capture_output=True, text=True
    )
    assert f"already open, in process {os.getpid()}" in child.stderr


# Failure


class FailingCommit:
    """A connection whose first commit fails, as on a disk that refuses a sync, and only that."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.executemany = db.executemany
        self.close = db.close
        self.statements: list[str] = []

    def execute(self, statement: str, *arguments: object) -> sqlite3.Cursor:
        self.statements.append(statement)
        if statement == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return self._db.execute(statement, *arguments)  # type: ignore[arg-type]


def test_a_failed_sync_is_final_and_never_tried_again(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.write([Learned(0, None, "kept")])
    failing = FailingCommit(journal._writer)
    journal._writer = failing  # type: ignore[assignment]
    texts = set()
    for _ in range(3):
        with pytest.raises(JournalError, match=r"disk I/O error; this is final") as caught:
            journal.write([Learned(1, None, "lost"), Begun(BALLOT)])
        texts.add(str(caught.value))
    assert len(texts) == 1
    assert failing.statements.count("COMMIT") == 1
    assert "ROLLBACK" not in failing.statements
    assert journal.frontier == 1
    assert journal.read(0, 9, 1000) == [(0, "kept")]


def test_a_failed_journal_is_closed_without_another_sync(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.write([Begun(BALLOT)])
    journal._writer = FailingCommit(journal._writer)  # type: ignore[assignment]
    with pytest.raises(JournalError):
        journal.write([Promised(BALLOT)])
    main_file = journal.path.read_bytes()
    journal.close()
    assert Path(f"{journal.path}-wal").exists()
    assert journal.path.read_bytes() == main_file
    assert list(open_sqlite().recover()) == [Begun(BALLOT)]


def leave_a_log(open_sqlite: Open) -> Path:
    """A life that ends at a failed sync; return its write-ahead log."""
    journal = open_sqlite()
    journal.write([Voted(slot, BALLOT, "x" * 1000) for slot in range(20)])
    journal._writer = FailingCommit(journal._writer)  # type: ignore[assignment]
    with pytest.raises(JournalError):
        journal.write([Begun(BALLOT)])
    journal.close()
    return Path(f"{journal.path}-wal")


def test_a_new_life_does_not_build_on_an_old_log(open_sqlite: Open) -> None:
    log = leave_a_log(open_sqlite)
    assert log.stat().st_size > 20_000
    journal = open_sqlite()
    assert log.stat().st_size < 5_000  # the new life's number, and nothing else
    assert len(list(journal.recover())) == 21


def test_a_reader_that_holds_on_to_the_old_log_is_named(
    open_sqlite: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = leave_a_log(open_sqlite)
    monkeypatch.setattr("paxos.journal.tables.BUSY_SECONDS", 0.0)
    reader = sqlite3.connect(str(log).removesuffix("-wal"), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM about").fetchall()
    with pytest.raises(JournalError, match="somebody reads it in a long transaction"):
        open_sqlite()
    reader.close()
    assert len(list(open_sqlite().recover())) == 21


def test_a_full_disk_is_final(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal._writer.execute("PRAGMA max_page_count = 10")
    with pytest.raises(JournalError, match="database or disk is full"):
        journal.write([Voted(0, BALLOT, "x" * 100_000)])
    with pytest.raises(JournalError, match="database or disk is full"):
        journal.write([Begun(BALLOT)])
    assert list(open_restarted(journal, open_sqlite).recover()) == []


def test_a_value_that_cannot_be_encoded_is_a_loud_bug_and_final(open_sqlite: Open) -> None:
    journal = open_sqlite()
    with pytest.raises(OverflowError):
        journal.write([Begun(BALLOT), Voted(1 << 64, BALLOT, "far away")])
    with pytest.raises(JournalError, match="what it cannot write"):
        journal.write([Begun(BALLOT)])
    assert list(open_restarted(journal, open_sqlite).recover()) == []


# Damage


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE votes SET value = x'62' WHERE slot = 0",
        "UPDATE votes SET value = CAST(value AS TEXT) WHERE slot = 0",
        "UPDATE votes SET value = 'a' WHERE slot = 0",
        "UPDATE votes SET note = 'b' WHERE slot = 0",
        "UPDATE votes SET note = CAST(x'ff' AS TEXT) WHERE slot = 0",
        "UPDATE votes SET crc = crc + 1 WHERE slot = 0",
        "UPDATE votes SET number = 8 WHERE slot = 0",
        "UPDATE votes SET slot = -1 WHERE slot = 0",
        "DELETE FROM votes WHERE slot = 0",
        "UPDATE chosen SET value = x'62' WHERE slot = 1",
        "UPDATE chosen SET crc = 0 WHERE slot = 1",
        "DELETE FROM chosen WHERE slot = 1",
    ],
)
def test_damage_in_the_log_is_found_and_named(open_sqlite: Open, damage: str) -> None:
    journal = open_sqlite()
    journal.write([Voted(0, BALLOT, "a"), Learned(0, BALLOT, "a"), Learned(1, None, "a")])
    journal.close()
    run(journal.path, damage)
    journal = open_sqlite()
    where = rf"{journal.path} is damaged: slot {1 if 'chosen' in damage else 0} "
    with pytest.raises(JournalCorrupt, match=where):
        list(journal.recover())
    with pytest.raises(JournalCorrupt, match=where):
        journal.read(0, 1, 1000)


def test_damage_in_an_open_vote_is_found(open_sqlite: Open) -> None:
    journal = open_sqlite()
    journal.write([Voted(5, BALLOT, "a")])
    run(journal.path, "UPDATE votes SET node = 'node3'")
    with pytest.raises(JournalCorrupt, match=r"slot 5 of votes \('a'\) does not match"):
        list(journal.recover())


@pytest.mark.parametrize("key", ["cluster", "node", "boot", "begun", "promised", "progress"])
def test_damage_in_what_a_journal_says_about_itself_is_found(open_sqlite: Open, key: str) -> None:
    journal = open_sqlite()
    journal.close()
    run(journal.path, f"UPDATE about SET value = 5 WHERE key = '{key}'")
    with pytest.raises(JournalCorrupt, match=rf"about\.{key} = 5 does not match its checksum"):
        open_sqlite()


@pytest.mark.parametrize("key", FACTS)
def test_a_missing_fact_is_found(open_sqlite: Open, key: str) -> None:
    journal = open_sqlite()
    journal.close()
    run(journal.path, f"DELETE FROM about WHERE key = '{key}'")
    with pytest.raises(JournalCorrupt, match=f"about has no '{key}'"):
        open_sqlite()


@pytest.mark.parametrize("progress", ["", "3", "0 0 00000000", "-1 0 00000000 00000000"])
def test_progress_that_nobody_wrote_is_found(open_sqlite: Open, progress: str) -> None:
    journal = open_sqlite()
    journal.close()
    crc = checksum(b"", "about", "progress", progress)
    run(journal.path, f"UPDATE about SET value = '{progress}', crc = {crc} WHERE key = 'progress'")
    with pytest.raises(JournalCorrupt, match=r"about.progress = "):
        open_sqlite()


def test_bytes_that_are_no_value_are_corrupt(tmp_path: Path) -> None:
    def decode(data: bytes) -> object:
        raise ValueError("it makes no sense")

    journal = SqliteJournal(
        tmp_path / "n.db", cluster="shop", node="node1", encode=lambda _: b"", decode=decode
    )
    journal.write([Learned(0, None, "a")])
    with pytest.raises(JournalCorrupt, match="slot 0 of chosen holds no value: it makes no sense"):
        journal.read(0, 0, 1000)
    journal.close()


def test_a_flipped_bit_anywhere_is_never_taken_for_a_value(open_sqlite: Open) -> None:
    journal = open_sqlite()
    values = [str(slot) * 50 for slot in range(9)]
    journal.write([Voted(slot, BALLOT, value) for slot, value in enumerate(values)])
    journal.write([Learned(slot, BALLOT, value) for slot, value in enumerate(values)])
    journal.close()
    healthy = journal.path.read_bytes()
    (page,) = run(journal.path, "SELECT rootpage FROM sqlite_master WHERE name = 'votes'")[0]
    assert isinstance(page, int)
    wanted = [Promised(BALLOT), *(Learned(slot, None, value) for slot, value in enumerate(values))]
    found = 0
    for place in range((page - 1) * 4096, page * 4096, 61):
        damaged = bytearray(healthy)
        damaged[place] ^= 1 << place % 8
        journal.path.write_bytes(damaged)
        try:
            journal = open_sqlite()
            assert list(journal.recover()) == wanted  # the bit was in unused space
        except JournalError:
            found += 1
        journal.close()
    assert found > 15


@pytest.mark.parametrize("part", ["pieces", "sqlite_autoindex_pieces_1", "snapshots"])
def test_a_damaged_page_that_holds_nothing_yet_is_found_before_a_write_comes_upon_it(
    open_sqlite: Open, part: str
) -> None:
    """Nothing is read from it at the opening, and the write would end the node's life."""
    journal = open_sqlite()
    journal.write([Voted(0, BALLOT, "a")])
    journal.close()
    (page,) = run(journal.path, f"SELECT rootpage FROM sqlite_master WHERE name = '{part}'")[0]
    assert isinstance(page, int)
    damaged = bytearray(journal.path.read_bytes())
    damaged[(page - 1) * 4096 + 1] ^= 1 << 3  # where its list of free places begins
    journal.path.write_bytes(damaged)
    with pytest.raises(JournalCorrupt, match="is damaged"):
        open_sqlite()
