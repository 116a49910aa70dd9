"""What a benchmark is: a name, an input for each size, and a function from input to output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from benchmarks.results import Output

Tell = Callable[[float, str], None]
"""Hears the share that is done, 0 to 1, and what is going on."""


@frozen
class Benchmark:
    """One entry of the suite."""

    name: str
    summary: str
    size: Callable[[bool, int], Any]
    """Returns the frozen input: quick or full, with a seed."""
    run: Callable[[Any, Tell], Output]
    """Maps the input to the output."""
