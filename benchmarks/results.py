"""What benchmarks hand back: distributions, tables and figures, as plain frozen data."""

from __future__ import annotations

import math
from collections.abc import Iterable

from attrs import frozen


@frozen
class Spread:
    """A distribution in a few numbers; all are zero when nothing was measured."""

    count: int
    mean: float
    p10: float
    p50: float
    p90: float
    p99: float
    most: float

    @classmethod
    def of(cls, samples: Iterable[float]) -> Spread:
        """Sum samples up. A percentile is a sample: the least with that share at or below it."""
        ordered = sorted(samples)
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

        def percentile(share: float) -> float:
            return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

        return cls(
            count=len(ordered),
            mean=math.fsum(ordered) / len(ordered),
            p10=percentile(0.1),
            p50=percentile(0.5),
            p90=percentile(0.9),
            p99=percentile(0.99),
            most=ordered[-1],
        )


@frozen
class Table:
    """Rows of cells that are ready to print."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    """What a reader must know to read it right."""


@frozen
class Line:
    """One line of a figure, with a band from ``lows`` to ``highs`` around it."""

    label: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()


@frozen
class Figure:
    """Lines over one axis."""

    name: str
    """Of the file, without its ending."""
    title: str
    x: str
    y: str
    """What the axes show, with the unit."""
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    goal: float | None = None
    """Drawn as a horizontal line."""
    band: str = ""
    """What the bands show."""
    steps: bool = False
    """Whether a line stays where it is until its next point, as counts of a distribution do."""


class Output:
    """Base of what a benchmark hands back; subclasses are frozen and hold plain numbers."""

    __slots__ = ()

    def tables(self) -> tuple[Table, ...]:
        """Return the tables for people."""
        return ()

    def figures(self) -> tuple[Figure, ...]:
        """Return the figures."""
        return ()


def number(value: float) -> str:
    """Return a number with three digits that count, as people write it."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 4)}f}"


def share(value: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.2f} %" if value else "0"
