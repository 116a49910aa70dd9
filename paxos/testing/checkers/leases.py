"""Whoever counts on a lease stops first, by true time, before anybody who grants it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define

from paxos.testing.checkers.base import Checker, Violation

TINY = 1e-6
"""What is less than this many seconds is lost in arithmetic, or in whole microseconds."""


@define
class Leases(Checker):
    """Compares both ends of a lease long before two nodes can believe to lead."""

    def counted(self, lease: str, holder: str, until: float, honoured: Mapping[str, float]) -> None:
        """Hear how long a lease is counted on, and how long others honour it, by true time."""
        for other, end in honoured.items():
            if until > end + TINY:
                raise Violation(
                    f"{holder} counts on its {lease} for {until - end:g} s longer "
                    f"than {other} honours it"
                )
