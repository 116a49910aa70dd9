"""How long a message is on its way between two nodes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

Delay = Callable[[Random, int, int], float]
"""Seconds from one node, by its number, to another."""

UNIT: Final = 0.001
"""The typical delay in seconds: the unit in which times are told."""

FAR: Final = 0.040
"""One way between the two regions, in seconds."""


def constant(random: Random, source: int, target: int) -> float:
    """Return the unit."""
    return UNIT


def jittered(random: Random, source: int, target: int) -> float:
    """Return something around the unit: messages overtake each other."""
    return random.uniform(0.5, 1.5) * UNIT


def heavy_tailed(random: Random, source: int, target: int) -> float:
    """Return a log-normal delay whose median is the unit; one in a hundred takes ten times that."""
    return random.lognormvariate(0.0, 1.0) * UNIT


def two_region(random: Random, source: int, target: int) -> float:
    """Return the unit within a region, and `FAR` between; every other node is in the other one."""
    return (UNIT if source % 2 == target % 2 else FAR) * random.uniform(0.95, 1.05)


DELAYS: Final[dict[str, Delay]] = {
    "constant": constant,
    "jittered": jittered,
    "heavy-tailed": heavy_tailed,
    "two-region": two_region,
}
