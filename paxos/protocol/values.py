"""What a slot decides, as far as the roles care: anything that is immutable and comparable."""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import frozen

Value: TypeAlias = object
"""Opaque to the roles: they store it, compare it for nothing and never look inside."""


@frozen
class NoOp:
    """The state-unchanging command with which a new leader fills gaps (section 3)."""

    def __str__(self) -> str:
        """Return the form shown to people."""
        return "no-op"


NOOP: Final = NoOp()
