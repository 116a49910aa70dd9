"""Resources that refuse the acts of an older epoch, by the guards of `paxos.fencing`."""

from __future__ import annotations

import sqlite3
from collections import Counter
from enum import Enum
from typing import Protocol

from attrs import Factory, define

from paxos.errors import GuardBusy, StaleEpoch
from paxos.fencing import Guard, SqlGuard


class Gate(Protocol):
    """A guard as a `GuardedResource` uses it."""

    def enter(self, epoch: int) -> None:
        """Begin an act. Raises `StaleEpoch` or `GuardBusy`."""

    def leave(self, epoch: int) -> None:
        """End an act."""


class PlainGate:
    """In one process: the guard keeps an older act and a newer one apart."""

    def __init__(self) -> None:
        self._guard = Guard()

    def enter(self, epoch: int) -> None:
        """Begin an act, or find that an older one is under way."""
        self._guard.enter(epoch, timeout=0)

    def leave(self, epoch: int) -> None:
        """End an act."""
        self._guard.leave(epoch)


class SqlGate:
    """In a database: an act is a transaction, which holds the database until it ends."""

    def __init__(self) -> None:
        self._guard = SqlGuard("resource", paramstyle=sqlite3.paramstyle)
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._guard.create(self._database)

    def enter(self, epoch: int) -> None:
        """Begin a transaction, and end it at once if the guard refuses it."""
        if self._database.in_transaction:
            raise GuardBusy("the database is locked by a transaction under way")
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._guard.admit(self._database, epoch)
        except StaleEpoch:
            self._database.rollback()
            raise

    def leave(self, epoch: int) -> None:
        """End the transaction."""
        self._database.commit()


class Answer(Enum):
    """What a guard says to an act."""

    ADMITTED = "acts"
    REFUSED = "acts refused"
    PUT_OFF = "acts put off"
    """It may come again, when those under way have ended."""


@define
class GuardedResource:
    """What leaders act on. It sees for itself that its guard keeps what a guard promises.

    Raises:
        AssertionError: From `arrive`, if an act of an older epoch begins after one of a newer, or
            while another is under way.

    """

    gate: Gate
    counts: Counter[str] = Factory(Counter)
    newest: int = 0
    inside: list[int] = Factory(list)
    """The epochs of the acts that are under way."""

    def arrive(self, epoch: int) -> Answer:
        """Let an act begin if its guard admits it."""
        answer = self._ask(epoch)
        self.counts[answer.value] += 1
        if answer is Answer.ADMITTED:
            assert epoch >= self.newest, f"epoch {epoch} was admitted after {self.newest}"
            assert set(self.inside) <= {epoch}, f"{epoch} was admitted beside {self.inside}"
            self.newest = epoch
            self.inside.append(epoch)
        return answer

    def _ask(self, epoch: int) -> Answer:
        try:
            self.gate.enter(epoch)
        except StaleEpoch:
            return Answer.REFUSED
        except GuardBusy:
            return Answer.PUT_OFF
        return Answer.ADMITTED

    def end(self, epoch: int) -> None:
        """Let an act end that has begun."""
        self.inside.remove(epoch)
        self.gate.leave(epoch)
