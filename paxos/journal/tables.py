"""The tables of a journal file, their checksums, and the refusals that come before their use.

=========== =========================================== =======================================
table       one row for                                 columns
=========== =========================================== =======================================
`about`     each single fact: cluster, node, format,    ``key, value, crc``
            identity, boot, begun, promised, first,
            progress, doubt
`votes`     each slot in which this node voted          ``slot, number, node, note, value, crc``
`chosen`    each learned slot whose vote does not hold  ``slot, note, value, crc``
            the chosen value
`snapshots` each whole snapshot                         ``position, length, digest, crc``
`pieces`    each piece of a snapshot, whole or not      ``position, idx, data, crc``
`log`       (a view) each learned slot that is kept     ``slot, note, ballot``
=========== =========================================== =======================================

``number`` and ``node`` are the vote's ballot, ``note`` is the value as people see it and ``value``
the value as bytes. ``crc`` is the CRC-32 of the row's other fields and the name of its table.
``progress`` is the one fact that every transaction changes. It is the frontier, the count of
transactions, a checksum over all of them, and the checksums of the votes in slots that are not
learned, combined by exclusive or: so no such row can vanish unnoticed.
"""

from __future__ import annotations

import ctypes
import os
import re
import sqlite3
import zlib
from pathlib import Path

from paxos.journal.base import JournalError
from paxos.journal.explaining import damaged

FORMAT = 3
"""The version of all that stands above."""

FACTS = (
    "cluster",
    "node",
    "format",
    "identity",
    "boot",
    "begun",
    "promised",
    "first",
    "progress",
    "doubt",
)
"""The keys of `about`. A row that is gone takes its checksum along: so each must be there."""

_PROGRESS = re.compile(r"[0-9]+ [0-9]+ [0-9a-f]{8} [0-9a-f]{8}")

Row = tuple[int, int | None, str | None, str, bytes, int]
"""Of ``votes``: slot, ballot, note, value and checksum; or of ``chosen``, without a ballot."""

APPLICATION = 0x5041584F
"""``PAXO``: tells a journal from every other SQLite file."""

SCHEMA = (
    "CREATE TABLE about (key TEXT PRIMARY KEY, value, crc INTEGER NOT NULL)",
    """CREATE TABLE votes (
        slot INTEGER PRIMARY KEY, number INTEGER NOT NULL, node TEXT NOT NULL,
        note TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL)""",
    """CREATE TABLE chosen (
        slot INTEGER PRIMARY KEY,
        note TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL)""",
    """CREATE TABLE snapshots (
        position INTEGER PRIMARY KEY,
        length INTEGER NOT NULL, digest BLOB NOT NULL, crc INTEGER NOT NULL)""",
    """CREATE TABLE pieces (
        position INTEGER NOT NULL, idx INTEGER NOT NULL,
        data BLOB NOT NULL, crc INTEGER NOT NULL, UNIQUE (position, idx))""",
    """CREATE VIEW log AS
        SELECT slot, note, number || '.' || node AS ballot FROM votes
         WHERE slot < (SELECT CAST(value AS INTEGER) FROM about WHERE key = 'progress')
           AND slot >= (SELECT value FROM about WHERE key = 'first')
           AND NOT EXISTS (SELECT 1 FROM chosen WHERE chosen.slot = votes.slot)
        UNION ALL
        SELECT slot, note, NULL FROM chosen
         WHERE slot >= (SELECT value FROM about WHERE key = 'first')
        ORDER BY slot""",
    f"PRAGMA application_id = {APPLICATION}",
)


def checksum(value: bytes, *fields: object) -> int:
    """Return the CRC-32 of a row: the name of its table, its plain fields and its value."""
    return zlib.crc32(value, zlib.crc32(repr(fields).encode()))


BUSY_SECONDS = 5.0
"""How long to wait for somebody else who holds a lock on the file; then it is an error."""


def connect(
    path: Path, mode: str, connection: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    """Connect to an existing file; ``mode`` is ``rw`` or ``ro``.

    Transactions are begun and committed by hand. The connection may move between threads.

    Raises:
        JournalError: The file was open where this process was forked from.

    """
    if _identity(path) & _inherited:
        raise JournalError(
            f"journal {path} was open in a process when that forked this one, in which SQLite can "
            "never open it again: use it in a process that was started afresh"
        )
    db = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=connection,
    )
    # Text that is no longer UTF-8 must reach the checksum, not stop short of it.
    db.text_factory = lambda text: text.decode(errors="surrogateescape")
    db.execute("PRAGMA trusted_schema = OFF")  # a file from elsewhere must not call functions
    db.execute("PRAGMA cell_size_check = ON")  # find a damaged page when it is read
    db.execute("PRAGMA mmap_size = 0")  # a bad sector is then an error and not a SIGBUS
    return db


def keep_for_ever(path: Path, *connections: sqlite3.Connection) -> None:
    """Let connections never be closed in this process, which is a fork; nor the file opened again.

    SQLite shares what it knows of locks among all connections of a process to one file, and these
    believe that they have those of the other process.
    """
    _inherited.update(_identity(path))
    for connection in connections:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


_inherited: set[tuple[int, int]] = set()
"""The files that the process from which this one was forked had open."""


def _identity(path: Path) -> set[tuple[int, int]]:
    """Return by what the system knows a file; nothing where there is none."""
    try:
        status = path.stat()
    except OSError:
        return set()
    return {(status.st_dev, status.st_ino)}


def create_file(path: Path) -> None:
    """Make an empty file that only its owner can read, if there is none.

    SQLite gives the write-ahead log and the shared index the same mode.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def sync_directory(path: Path) -> None:
    """Make the names of the files in the directory durable."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def is_new(db: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is still empty; raise JournalError if it is somebody else's."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION:
        return False
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or tables:
        raise JournalError(f"{path} is an SQLite file of another application, not a journal")
    return True


def make_durable(db: sqlite3.Connection, path: Path) -> None:
    """Choose how this connection writes; only after `is_new`, since it changes the file."""
    # 4 KiB is the page of the disk and of memory; 8 KiB measured no better.
    db.execute("PRAGMA page_size = 4096")
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(
            f"journal {path} cannot use a write-ahead log where it is (SQLite says {mode!r}); "
            "put it on a local disk"
        )
    db.execute("PRAGMA synchronous = FULL")  # sync the log at every commit: the whole point
    db.execute("PRAGMA fullfsync = ON")  # macOS: through the cache of the disk; else no effect
    db.execute("PRAGMA checkpoint_fullfsync = ON")
    # Every 4 MiB of log. Four times as much saves a tenth of the time at 64 records a write, but
    # then the pause of a checkpoint comes near to the silence at which a leader is suspected.
    db.execute("PRAGMA wal_autocheckpoint = 1000")
    # A log that grew because somebody sat in a long read transaction shrinks again afterwards.
    db.execute("PRAGMA journal_size_limit = 67108864")
    # Some builds overwrite with zeros what is deleted: twice the writing, and of no use here.
    db.execute("PRAGMA secure_delete = OFF")
    # Not set: cache_size, since 2 MiB hold the end of the tables, where every write goes; and
    # temp_store, since no statement here needs a temporary table.


def empty_log(db: sqlite3.Connection, path: Path) -> None:
    """Copy what an earlier life left in the write-ahead log into the file, and start afresh.

    If that life ended at a failed sync, its log may be whole in memory and broken on the disk;
    records written behind the break would be lost in a power cut, acknowledged or not.
    """
    (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise JournalError(
            f"journal {path} cannot be opened: somebody reads it in a long transaction; "
            "end that first"
        )


def misplaced(db: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with its pages and indexes, which hold no checksums."""
    return [row[0] for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]


def create_tables(db: sqlite3.Connection, about: dict[str, object]) -> None:
    """Make the tables and the facts about the journal; inside a transaction."""
    for statement in SCHEMA:
        db.execute(statement)
    for key, value in about.items():
        crc = checksum(b"", "about", key, value)
        db.execute("INSERT INTO about VALUES (?, ?, ?)", (key, value, crc))


def update_about(db: sqlite3.Connection, key: str, value: object) -> None:
    """Change one fact about the journal.

    Raises:
        sqlite3.DatabaseError: It is not found: a bit has flipped in the table or in its index. To
            go on would be to forget what is written here, and to count it.

    """
    crc = checksum(b"", "about", key, value)
    done = db.execute("UPDATE about SET value = ?, crc = ? WHERE key = ?", (value, crc, key))
    if done.rowcount != 1:
        raise sqlite3.DatabaseError(f"about has no {key} any more")


def read_about(db: sqlite3.Connection, path: Path, cluster: str, node: str) -> dict[str, object]:
    """Return the facts about the journal.

    Raises:
        JournalCorrupt: One of them is damaged.
        JournalError: The journal has another format, cluster or node.

    """
    about = read_facts(db, path)
    for key, wanted in (("cluster", cluster), ("node", node)):
        if about.get(key) != wanted:
            raise JournalError(
                f"journal {path} belongs to {key} {about.get(key)!r}, not to {wanted!r}; "
                "a node must start with its own journal"
            )
    return about


def read_facts(db: sqlite3.Connection, path: Path) -> dict[str, object]:
    """Return the facts about a journal, whosever it is.

    Its progress is split into ``frontier`` and ``writes``.

    Raises:
        JournalCorrupt: One of them is damaged or missing, or the tables are not as they were made.
        JournalError: The journal has another format.

    """
    made = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    facts = db.execute("SELECT key, value, crc FROM about")
    rows = {key: (value, crc) for key, value, crc in facts}
    version = rows.get("format", (None, None))[0]
    if isinstance(version, int) and version != FORMAT:
        raise JournalError(
            f"journal {path} has format {version}, and this version of paxos reads format "
            f"{FORMAT}; install {'a newer' if version > FORMAT else 'an older'} one"
        )
    for key, (value, crc) in rows.items():
        if crc != checksum(b"", "about", key, value):
            raise damaged(path, f"about.{key} = {value!r} does not match its checksum")
    if [sql for (sql,) in made] != [sql for sql in SCHEMA if sql.startswith("CREATE")]:
        raise damaged(path, "its tables are not as they were made")
    known = {key: value for key, (value, _) in rows.items()}
    for key in FACTS:
        if key not in known:
            raise damaged(path, f"about has no {key!r}")
    progress = str(known.pop("progress"))
    if not _PROGRESS.fullmatch(progress):
        raise damaged(path, f"about.progress = {progress!r}")
    frontier, known["writes"] = progress.split(" ", 1)
    known["frontier"] = int(frontier)
    return known
