"""The database of subscriptions: who owes what for the period, and who has been charged."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final

from attrs import frozen

PERIOD: Final = "2030-01"
"""The period that the story bills."""

_SCHEMA: Final = """
CREATE TABLE subscriptions (
    subscription TEXT NOT NULL,
    period       TEXT NOT NULL,
    cents        INTEGER NOT NULL,
    charge       TEXT,             -- the provider's receipt; NULL while it is due
    PRIMARY KEY (subscription, period)
) STRICT, WITHOUT ROWID
"""


@frozen
class Subscription:
    """What one customer owes for one period."""

    subscription: str
    period: str
    cents: int

    @property
    def key(self) -> str:
        """The idempotency key.

        Made of subscription and period alone: whoever charges it, whenever, under whatever epoch,
        uses the same key, so the provider can tell a repetition from a new debt.
        """
        return f"{self.subscription}/{self.period}"


def create(path: Path, count: int) -> None:
    """Write a new database with this many subscriptions due, of 5.00 to 24.99 each."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # the story reads while a service writes
        connection.execute(_SCHEMA)
        connection.executemany(
            "INSERT INTO subscriptions VALUES (?, ?, ?, NULL)",
            [(f"customer-{n:05}", PERIOD, 500 + n * 37 % 2000) for n in range(1, count + 1)],
        )
        connection.commit()
    finally:
        connection.close()


class Subscriptions:
    """An open database. Not for several threads at once, though for one after the other."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)

    def __enter__(self) -> Subscriptions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._db.close()

    def all(self) -> list[Subscription]:
        """Return every subscription, charged or not."""
        rows = self._db.execute("SELECT subscription, period, cents FROM subscriptions")
        return [Subscription(*row) for row in rows]

    def due(self) -> list[Subscription]:
        """Return those that nobody has marked as charged."""
        rows = self._db.execute(
            "SELECT subscription, period, cents FROM subscriptions WHERE charge IS NULL"
        )
        return [Subscription(*row) for row in rows]

    def count_due(self) -> int:
        """Return how many are due."""
        query = "SELECT count(*) FROM subscriptions WHERE charge IS NULL"
        return int(self._db.execute(query).fetchone()[0])

    def mark_charged(self, key: str, charge: str) -> None:
        """Write the provider's receipt back; harmless if it is there already."""
        subscription, period = key.rsplit("/", 1)
        self._db.execute(
            "UPDATE subscriptions SET charge = ? WHERE subscription = ? AND period = ?",
            (charge, subscription, period),
        )
