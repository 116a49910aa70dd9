"""A journal belongs to one process: what a fork of it may do, which is nothing."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paxos import forks
from paxos.journal import JournalError, SqliteJournal
from paxos.journal.verification import verify
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Piece
from tests.forking import LIMIT, in_fork

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def opened(path: Path, **options: Any) -> SqliteJournal:
    return SqliteJournal(
        path,
        cluster="shop",
        node="node1",
        encode=lambda value: str(value).encode(),
        decode=bytes.decode,
        **options,
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = opened(tmp_path / "node1.db")
    yield journal
    journal.close()


def raised(function: Any, *arguments: Any) -> str:
    with pytest.raises(JournalError) as caught:
        function(*arguments)
    return str(caught.value)


def test_a_fork_can_neither_write_nor_read_nor_close_a_journal(journal: SqliteJournal) -> None:
    journal.write([Learned(0, None, "a"), Begun(Ballot(1, "node1"))])

    def use() -> str:
        for function, arguments in (
            (journal.write, ([Begun(Ballot(2, "node1"))],)),
            (journal.read, (0, 0, 100)),
            (journal.read_pieces, (0, 0, 1)),
            (lambda: list(journal.recover()), ()),
        ):
            assert "of which this one is a fork" in raised(function, *arguments)
        journal.close()
        return "ok"

    assert in_fork(use) == "ok"
    journal.write([Begun(Ballot(3, "node1"))])
    assert journal.read(0, 0, 100) == [(0, "a")]
    journal.close()
    assert verify(journal.path).findings == ()


def test_connections_that_are_dropped_in_a_fork_leave_the_locks_and_the_log_alone(
    journal: SqliteJournal,
) -> None:
    journal.write([Begun(Ballot(1, "node1"))])

    def drop() -> str:
        journal.close()
        journal.__dict__.clear()
        gc.collect()
        return "ok"

    assert in_fork(drop) == "ok"
    assert Path(f"{journal.path}-wal").stat().st_size > 0, "the log was not folded into the file"
    code = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode = DELETE")
"""
    stranger = subprocess.run(
        [sys.executable, "-c", code, str(journal.path)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert "database is locked" in stranger.stderr, "the locks of this process were dropped"
    journal.write([Begun(Ballot(2, "node1"))])


def test_a_fork_keeps_the_lock_from_nobody(tmp_path: Path) -> None:
    path = tmp_path / "node1.db"
    ear, mouth = os.pipe()
    holder = os.fork()
    if holder == 0:  # it opens the journal, forks, and is killed
        _ = opened(path)
        orphan = os.fork()
        if orphan == 0:
            os.write(mouth, b"%d" % os.getpid())
            time.sleep(LIMIT)
            os._exit(0)
        time.sleep(LIMIT)
        os._exit(0)
    orphan = int(os.read(ear, 100))
    try:
        assert "already open" in raised(opened, path)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        opened(path).close()
        os.kill(orphan, 0)  # it lives still
    finally:
        os.kill(orphan, signal.SIGKILL)
        os.close(ear)
        os.close(mouth)


def test_a_fork_that_ends_late_deletes_no_log_of_later_lives(tmp_path: Path) -> None:
    """As SQLite does when it takes itself for the last that has the file open."""
    path = tmp_path / "node1.db"
    ear, mouth = os.pipe()
    go_ear, go_mouth = os.pipe()
    holder = os.fork()
    if holder == 0:  # it opens the journal, forks, and dies
        journal = opened(path)
        if os.fork() == 0:
            signal.alarm(int(LIMIT))
            os.write(mouth, b".")
            os.read(go_ear, 1)
            del journal._reader.db  # first, so that the one that can write is the last
            gc.collect()
            journal.__dict__.clear()
            gc.collect()
            os.write(mouth, b".")
        os._exit(0)
    os.waitpid(holder, 0)
    os.read(ear, 1)  # the fork has let go

    def live() -> str:  # and die, without closing anything
        opened(path).write([Begun(Ballot(1, "node1"))])
        return "ok"

    assert in_fork(live) == "ok"
    os.write(go_mouth, b".")
    os.read(ear, 1)
    for descriptor in (ear, mouth, go_ear, go_mouth):
        os.close(descriptor)
    assert Path(f"{path}-wal").exists()
    assert verify(path).findings == ()


def test_a_fork_never_opens_the_same_file_again(journal: SqliteJournal) -> None:
    """SQLite would believe that the fork has the locks that only the other process has."""
    ear, mouth = os.pipe()

    def reopen() -> str:
        os.read(ear, 1)
        return raised(opened, journal.path) + raised(verify, journal.path)

    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(in_fork(reopen)))
    thread.start()
    while not has_child():
        time.sleep(0.01)
    journal.close()
    os.write(mouth, b".")
    thread.join()
    os.close(ear)
    os.close(mouth)
    assert said[0].count("was open in a process when that forked this one") == 2


def has_child() -> bool:
    """Return whether this process has a child."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    others = Path("/proc/self/task").glob("*/children")
    return any(file.read_text() for file in (children, *others))


class Slow(sqlite3.Connection):
    """Stops in the middle of a transaction."""

    begun, free = threading.Event(), threading.Event()

    def execute(self, statement: str, *rest: Any) -> sqlite3.Cursor:
        if statement == "COMMIT" and threading.current_thread().name == "writer":
            self.begun.set()
            self.free.wait(LIMIT)
        return super().execute(statement, *rest)


def test_a_process_forks_between_two_transactions(tmp_path: Path) -> None:
    """In the middle of one, SQLite holds locks that nobody would release in the fork."""
    journal = opened(tmp_path / "node1.db", connection=Slow)
    record = Begun(Ballot(1, "node1"))
    writer = threading.Thread(target=journal.write, args=[[record]], name="writer")
    writer.start()
    Slow.begun.wait(LIMIT)
    threading.Timer(0.05, Slow.free.set).start()
    half_done = in_fork(lambda: str(journal._writer.in_transaction))
    writer.join()
    assert half_done == "False"
    journal.close()


@pytest.mark.parametrize("closing", [True, False])
def test_a_fork_in_the_middle_of_a_transaction_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closing: bool
) -> None:
    """To close or drop a connection rolls back, in the memory that the processes share."""
    monkeypatch.setattr(forks, "PATIENCE", 0.01)  # a disk that hangs for longer
    Slow.begun.clear()
    Slow.free.clear()
    journal = opened(tmp_path / "node1.db", connection=Slow)
    pieces = [Piece(7, index, b"%d" % index * 30_000) for index in range(200)]  # more than a cache
    writer = threading.Thread(target=journal.write, args=[pieces], name="writer")
    writer.start()
    Slow.begun.wait(LIMIT)

    def leave() -> str:
        if closing:
            journal.close()
        journal.__dict__.clear()
        gc.collect()
        return "ok"

    assert in_fork(leave) == "ok"
    Slow.free.set()
    writer.join()
    assert journal.read_pieces(7, 0, 200) == [piece.data for piece in pieces]
    journal.close()
    assert verify(journal.path).findings == ()


def test_a_disk_that_hangs_does_not_keep_a_process_from_forking_for_ever(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "PATIENCE", 0.01)
    with journal._writing:
        assert in_fork(lambda: "forked") == "forked"
        assert journal._writing.locked(), "what others hold is not released"
    journal.write([Begun(Ballot(1, "node1"))])


def test_many_forks_beside_a_thread_that_writes(journal: SqliteJournal) -> None:
    """Each uses SQLite, whose own locks must not be held by a thread that it does not have."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            journal.write([Begun(Ballot(number, "node1"))])

    def use() -> str:
        journal.close()
        with sqlite3.connect(":memory:") as db:
            db.execute("CREATE TABLE t (a)")
        return "ok"

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert {in_fork(use) for _ in range(15)} == {"ok"}
    finally:
        stop.set()
        writer.join()
