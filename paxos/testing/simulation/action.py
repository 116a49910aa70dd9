"""One fault at one time, and the list of them that is a run's plan."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from attrs import frozen


@frozen
class Action:
    """One fault, or the end of one."""

    at: float
    """Seconds since the beginning."""
    kind: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        """Return the form shown to people."""
        return f"{self.at:8.3f} s  {self.kind} {' '.join(map(str, self.arguments))}".rstrip()


Plan: TypeAlias = tuple[Action, ...]
"""In the order of time."""

Draw: TypeAlias = Callable[[Random, tuple[str, ...], float], list[Action]]
"""Draws the actions of one family of faults, for these nodes, up to this time."""
