"""Errors of SQLite and of the system, in words that name the journal and the trouble."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from paxos.journal.base import JournalCorrupt, JournalError

SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""The second comes in place of the first where the message shows damaged bytes."""

_CORRUPT: Final = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,  # our statements never change, so the tables must have
)


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Raise `JournalCorrupt` or `JournalError` for what is raised inside; say what cannot be."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"journal {path} {what}: {error.strerror}") from error
    except SQLITE_ERRORS as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        kind = JournalCorrupt if code in _CORRUPT else JournalError
        raise kind(f"journal {path} {what}: {error}") from error


def damaged(path: Path, what: str) -> JournalCorrupt:
    """Return the error that says so."""
    return JournalCorrupt(f"journal {path} is damaged: {what}")
