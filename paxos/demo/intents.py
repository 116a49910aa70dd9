"""What the services replicate: which charges are intended and which are done.

A charge is an effect in the outside world, so it cannot be part of the log. What can be is the
intent before it and the outcome after it. Whoever leads next finds in the log which charges may
have happened (intended, not done) and repeats those under the same idempotency key.

Commands are JSON, so that a person can read the log: ``["lead", epoch]``,
``["intend", epoch, key, cents]`` and ``["done", key, charge]``. So are the answers; see `Answer`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final

from attrs import frozen

MAX_TEXT: Final = 200
"""The longest idempotency key or receipt, in characters."""


class Verdict(StrEnum):
    """What the log says to an intent."""

    CHARGE = "charge"
    """It is decided: charge now."""
    DONE = "done"
    """It was charged before; the receipt comes with it."""
    DEPOSED = "deposed"
    """A later epoch has begun: the asker does not lead any more."""


@frozen
class Answer:
    """The answer to ``lead`` and ``intend``."""

    verdict: Verdict
    receipt: str = ""
    """Of the charge that is done."""
    open: tuple[tuple[str, int], ...] = ()
    """For ``lead``: key and cents of each charge that is intended and not known to be done."""


class Intents:
    """The state machine: deterministic, and strict with commands that it does not understand."""

    def __init__(self) -> None:
        self._epoch = 0
        self._open: dict[str, int] = {}
        self._done: dict[str, str] = {}

    def apply(self, command: bytes) -> bytes:
        """Apply one command; raise `ValueError`, and change nothing, if it makes no sense."""
        match _read(command):
            case ["lead", epoch]:
                answer = self._lead(_number(epoch))
            case ["intend", epoch, key, cents]:
                answer = self._intend(_number(epoch), _text(key), _number(cents))
            case ["done", key, charge]:
                answer = self._finish(_text(key), _text(charge))
            case _:
                raise ValueError("not a command of the billing service")
        return _write(answer.verdict, answer.receipt, answer.open)

    def _lead(self, epoch: int) -> Answer:
        if epoch < self._epoch:
            return Answer(Verdict.DEPOSED)
        self._epoch = epoch
        return Answer(Verdict.CHARGE, open=tuple(self._open.items()))

    def _intend(self, epoch: int, key: str, cents: int) -> Answer:
        if key in self._done:
            return Answer(Verdict.DONE, self._done[key])
        if epoch < self._epoch:
            return Answer(Verdict.DEPOSED)
        if self._open.setdefault(key, cents) != cents:
            raise ValueError(f"{key} was intended for another amount")
        return Answer(Verdict.CHARGE)

    def _finish(self, key: str, charge: str) -> Answer:
        """Note an outcome. A deposed leader's counts, too: it is a fact about the world."""
        if key not in self._done:
            if key not in self._open:
                raise ValueError(f"{key} was never intended")
            del self._open[key]
            self._done[key] = charge
        return Answer(Verdict.DONE, self._done[key])

    def snapshot(self) -> bytes:
        """Return all state."""
        return _write(self._epoch, self._open, self._done)

    def restore(self, snapshot: bytes) -> None:
        """Replace all state."""
        self._epoch, self._open, self._done = json.loads(snapshot)


def lead(epoch: int) -> bytes:
    """Return the command with which a leader begins: it shuts out earlier ones."""
    return _write("lead", epoch)


def intend(epoch: int, key: str, cents: int) -> bytes:
    """Return the command to be decided before a charge."""
    return _write("intend", epoch, key, cents)


def done(key: str, charge: str) -> bytes:
    """Return the command to be decided after a charge, with the provider's receipt."""
    return _write("done", key, charge)


def read_answer(answer: bytes) -> Answer:
    """Return what the state machine answered."""
    verdict, receipt, still_open = json.loads(answer)
    return Answer(Verdict(verdict), receipt, tuple((key, cents) for key, cents in still_open))


def _write(*items: object) -> bytes:
    return json.dumps(items).encode()


def _read(command: bytes) -> object:
    try:
        return json.loads(command)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


def _number(given: object) -> int:
    if type(given) is not int or not 1 <= given < 1 << 63:
        raise ValueError("an epoch or amount must be a positive 64-bit number")
    return given


def _text(given: object) -> str:
    if type(given) is not str or not 1 <= len(given) <= MAX_TEXT:
        raise ValueError(f"a key or receipt must be a text of 1 to {MAX_TEXT} characters")
    return given
