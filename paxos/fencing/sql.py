"""A guard in a database: one table, and one conditional statement in the guarded transaction.

The statement locks the row of the resource until the transaction ends. So acts of two epochs never
overlap, and an act whose transaction is rolled back has left no trace, here as elsewhere. Any
database that knows ``INSERT ... ON CONFLICT`` will do: SQLite since 3.24, PostgreSQL since 9.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

from paxos.errors import ConfigError, StaleEpoch

MAX_EPOCH: Final = (1 << 63) - 1
"""The largest epoch that fits every database."""

MAX_RESOURCE: Final = 200
"""The longest name of a resource, in characters."""

_TABLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?")
_MARKS: Final = {"qmark": "??", "format": ("%s", "%s"), "pyformat": ("%s", "%s")} | {
    "numeric": (":1", ":2")
}
"""How the two parameters are written in each style of the DB-API; ``named`` would need names."""


class Cursor(Protocol):
    """What the guard uses of a cursor of the DB-API (PEP 249)."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""

    def execute(self, operation: str, parameters: Sequence[Any] = ..., /) -> object:
        """Run a statement."""

    def fetchone(self) -> Any:
        """Return the next row."""

    def close(self) -> None:
        """Forget the result."""


class Connection(Protocol):
    """What the guard uses of a connection of the DB-API (PEP 249)."""

    def cursor(self) -> Any:
        """Return a new `Cursor`."""


class SqlGuard:
    """Remembers the newest epoch of one election in a table, and admits no older one.

    Args:
        resource: What is guarded, 1 to 200 characters: a row of the table.
        paramstyle: That of the driver: ``sqlite3.paramstyle``, ``psycopg.paramstyle``.
        table: The table, shared by all resources; with its schema where there is one.

    Raises:
        ConfigError: One of these cannot be used; the text says why.

    """

    def __init__(self, resource: str, *, paramstyle: str, table: str = "paxos_fence") -> None:
        if not 1 <= len(resource) <= MAX_RESOURCE:
            raise ConfigError(f"the resource must have 1 to {MAX_RESOURCE} characters")
        if not _TABLE.fullmatch(table):
            raise ConfigError(f"the table {table!r} must be of a-z 0-9 _, like paxos_fence")
        if paramstyle not in _MARKS:
            known = ", ".join(_MARKS)
            raise ConfigError(f"the paramstyle {paramstyle!r} is not known here; there are {known}")
        one, two = _MARKS[paramstyle]
        self._resource = resource
        self._create = (
            f"CREATE TABLE IF NOT EXISTS {table} (resource VARCHAR({MAX_RESOURCE}) PRIMARY KEY, "
            "epoch BIGINT NOT NULL CHECK (epoch > 0))"
        )
        self._admit = (
            f"INSERT INTO {table} (resource, epoch) VALUES ({one}, {two}) "  # noqa: S608 - checked above
            f"ON CONFLICT (resource) DO UPDATE SET epoch = excluded.epoch "
            f"WHERE {table.split('.')[-1]}.epoch <= excluded.epoch"
        )
        self._newest = f"SELECT epoch FROM {table} WHERE resource = {one}"  # noqa: S608 - checked above

    def create(self, connection: Connection) -> None:
        """Make the table if it is missing. The caller commits."""
        self._run(connection, self._create)

    def admit(self, connection: Connection, epoch: int) -> None:
        """Admit the transaction under way, or raise: then roll it back.

        To be called first in the transaction that does the guarded work, before it reads or writes
        anything else, and never in autocommit mode, where it would guard nothing but itself.

        Raises:
            StaleEpoch: A newer epoch has been here.

        """
        check_epoch(epoch)
        if self._run(connection, self._admit, self._resource, epoch) == 0:
            raise StaleEpoch(epoch, self.newest(connection))

    def newest(self, connection: Connection) -> int:
        """Return the newest epoch that was admitted; 0 before the first."""
        cursor: Cursor = connection.cursor()
        try:
            cursor.execute(self._newest, (self._resource,))
            row = cursor.fetchone()
        finally:
            cursor.close()
        return 0 if row is None else int(row[0])

    @staticmethod
    def _run(connection: Connection, statement: str, *parameters: object) -> int:
        cursor: Cursor = connection.cursor()
        try:
            cursor.execute(statement, parameters)
            return cursor.rowcount
        finally:
            cursor.close()


def check_epoch(epoch: int) -> None:
    """Raise `ValueError` for what is no epoch."""
    if type(epoch) is not int or not 1 <= epoch <= MAX_EPOCH:
        raise ValueError(f"an epoch is a whole number from 1 to {MAX_EPOCH}, not {epoch!r}")
