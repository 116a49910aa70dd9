"""The provider's own books: every attempt to charge, every charge, and the newest epoch seen."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Final

from attrs import frozen

from paxos.fencing import SqlGuard, StaleEpoch

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS attempts (
    arrived REAL NOT NULL,         -- seconds since 1970
    key     TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS charges (
    charge       TEXT PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,
    subscription TEXT NOT NULL,    -- not unique: a second charge must be seen, not hidden
    period       TEXT NOT NULL,
    cents        INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    at           REAL NOT NULL
) STRICT;
"""


class Outcome(StrEnum):
    """What became of an attempt."""

    CHARGED = "charged"
    REPEATED = "repeated"
    """The key was known: the first charge is reported again."""
    FENCED = "fenced"
    """A later epoch has been here: the asker was deposed."""
    UNKNOWN = "unknown"
    """The key was looked up, and never charged."""
    MISUSED = "misused"
    """The key was known, but for another debt."""


@frozen
class Request:
    """What a service asks for."""

    key: str
    epoch: int
    subscription: str
    period: str
    cents: int


@frozen
class Receipt:
    """What the provider answers."""

    outcome: Outcome
    charge: str
    newest_epoch: int


@frozen
class Charge:
    """A line of the ledger: money moved."""

    subscription: str
    period: str
    cents: int
    epoch: int
    at: float


@frozen
class Attempt:
    """A request that arrived, whatever came of it."""

    arrived: float
    epoch: int
    outcome: Outcome


class Ledger:
    """The books in one SQLite file, usable from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._guard = SqlGuard("charges", paramstyle=sqlite3.paramstyle)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)
        self._guard.create(self._db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def charge(self, request: Request, arrived: float) -> Receipt:
        """Judge and record one attempt, in one transaction."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            receipt = self._judge(request)
            self._note(arrived, request.key, request.epoch, receipt.outcome)
        return receipt

    def _judge(self, request: Request) -> Receipt:
        try:
            self._guard.admit(self._db, request.epoch)
        except StaleEpoch as error:
            # whoever was deposed is refused, however late its request arrives
            return Receipt(Outcome.FENCED, "", error.newest)
        known = self._db.execute(
            "SELECT charge, subscription, period, cents FROM charges WHERE key = ?", (request.key,)
        ).fetchone()
        debt = (request.subscription, request.period, request.cents)
        if known is not None:
            outcome = Outcome.REPEATED if known[1:] == debt else Outcome.MISUSED
            return Receipt(outcome, known[0], request.epoch)
        charge = uuid.uuid4().hex
        self._db.execute(
            "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?)",
            (charge, request.key, *debt, request.epoch, time.time()),
        )
        return Receipt(Outcome.CHARGED, charge, request.epoch)

    def look_up(self, key: str, epoch: int, arrived: float) -> Receipt:
        """Say whether a key was charged: `Outcome.REPEATED` if so, else `Outcome.UNKNOWN`.

        It shows the epoch to the fence. So whoever was told that nothing was charged can rely on
        it: a request of an earlier leader that is still under way will be refused.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            receipt = self._find(key, epoch)
            self._note(arrived, key, epoch, receipt.outcome)
        return receipt

    def _find(self, key: str, epoch: int) -> Receipt:
        try:
            self._guard.admit(self._db, epoch)
        except StaleEpoch as error:
            return Receipt(Outcome.FENCED, "", error.newest)
        known = self._db.execute("SELECT charge FROM charges WHERE key = ?", (key,)).fetchone()
        if known is None:
            return Receipt(Outcome.UNKNOWN, "", epoch)
        return Receipt(Outcome.REPEATED, known[0], epoch)

    def _note(self, arrived: float, key: str, epoch: int, outcome: Outcome) -> None:
        self._db.execute("INSERT INTO attempts VALUES (?, ?, ?, ?)", (arrived, key, epoch, outcome))

    def count(self) -> int:
        """Return the number of charges."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM charges").fetchone()[0])

    def newest_epoch(self) -> int:
        """Return the newest epoch that has been here, 0 before the first."""
        with self._lock:
            return self._guard.newest(self._db)

    def charges(self) -> list[Charge]:
        """Return every charge, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT subscription, period, cents, epoch, at FROM charges ORDER BY at"
            ).fetchall()
        return [Charge(*row) for row in rows]

    def attempts(self) -> list[Attempt]:
        """Return every attempt, in order of arrival."""
        with self._lock:
            rows = self._db.execute(
                "SELECT arrived, epoch, outcome FROM attempts ORDER BY arrived"
            ).fetchall()
        return [Attempt(arrived, epoch, Outcome(outcome)) for arrived, epoch, outcome in rows]
