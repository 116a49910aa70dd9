"""What a benchmark is: a name, an input for each size, and a function from input to output."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from attrs import frozen

from benchmarks.results import Output

Tell = Callable[[float, str], None]
"""Hears the share that is done, 0 to 1, and what is going on."""


class Size(Enum):
    """How much is measured."""

    QUICK = "quick"
    """All benchmarks together within two minutes: to see that they run."""
    USUAL = "usual"
    """All together within a quarter of an hour."""
    LONG = "long"
    """Hundreds of runs and hours of patience, for tails and rare events."""


@frozen
class Benchmark:
    """One entry of the suite."""

    name: str
    summary: str
    given: Callable[[Size, int], Any]
    """Returns the frozen input of a size, with a seed."""
    run: Callable[[Any, Tell], Output]
    """Maps the input to the output."""
