"""What clients asked and saw, and when."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from paxos.testing.linearizability.values import freeze, show


class Outcome(StrEnum):
    """How an operation ended, as far as its client knows."""

    OK = "ok"
    FAIL = "fail"
    """It did not take effect."""
    INFO = "info"
    """Unknown: it may have taken effect, may yet at any later time, or never."""


@frozen
class Operation:
    """One operation of one client. Lines count events: what ends on an earlier line came first.

    ``value`` is what was asked (of a cas: expected and new), ``result`` what a read returned.
    ``invoked`` and ``completed`` are lines; ``completed`` is None where the outcome is unknown.
    Values are frozen: arrays are tuples, and equal where the JSON values are equal.
    """

    process: Hashable = field(converter=freeze)
    f: str
    key: Hashable = field(converter=freeze)
    value: Any = field(converter=freeze)
    outcome: Outcome
    result: Any = field(converter=freeze)
    invoked: int
    completed: int | None

    def __attrs_post_init__(self) -> None:
        """Refuse intervals without meaning."""
        if (self.completed is None) != (self.outcome is Outcome.INFO):
            raise ValueError("exactly the operations of unknown outcome have no completion")
        if self.completed is not None and self.completed <= self.invoked:
            raise ValueError(f"completed on line {self.completed}, invoked on {self.invoked}")

    def __str__(self) -> str:
        """Return what was asked and seen, such as ``read -> 3``."""
        match self.f, self.value:
            case "cas", (expected, new):
                asked = f"cas {show(expected)} to {show(new)}"
            case "read", _:
                asked = "read"
            case _:
                asked = f"{self.f} {show(self.value)}"
        if self.outcome is Outcome.OK:
            return f"{asked} -> {show(self.result)}" if self.f == "read" else asked
        return f"{asked} ({'failed' if self.outcome is Outcome.FAIL else 'unknown'})"


@frozen
class History:
    """All operations of a run, in the order in which they were invoked."""

    operations: Sequence[Operation]

    def __len__(self) -> int:
        """Return the number of operations."""
        return len(self.operations)

    def by_key(self) -> dict[Hashable, list[Operation]]:
        """Return the operations of each key; keys do not influence one another."""
        parts: dict[Hashable, list[Operation]] = {}
        for operation in self.operations:
            parts.setdefault(operation.key, []).append(operation)
        return parts
