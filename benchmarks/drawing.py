"""Figures as SVG and PNG, for screen and paper. Needs matplotlib (the extra ``bench``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from benchmarks.results import Figure, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, which colour-blind readers can tell apart."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

NUMBERS = StrMethodFormatter("{x:,.12g}")
"""Numbers as people write them, never as powers."""

LOOK: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "benchmarks",  # equal figures make equal files
}
"""Settings of matplotlib, whose stubs know each name apart."""


def draw(figures: Iterable[Figure], folder: Path) -> Iterator[Path]:
    """Write each figure in both formats; yield the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(LOOK):
        for figure in figures:
            canvas = _draw(figure)
            for ending in ("svg", "png"):
                path = folder / f"{figure.name}.{ending}"
                metadata = {"Date": None} if ending == "svg" else {}
                canvas.savefig(path, dpi=200, metadata=metadata)
                yield path


def _draw(figure: Figure) -> Canvas:
    canvas = Canvas(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    for line, colour, marker in zip(figure.lines, cycle(COLOURS), cycle(MARKERS), strict=False):
        _draw_line(axes, line, colour, "" if figure.steps else marker, figure.steps)
    if figure.goal is not None:
        axes.axhline(figure.goal, color="0.35", linestyle=":", linewidth=1.2, label="goal")
    axes.set_title(figure.title, fontsize=10, loc="left")
    axes.set_xlabel(figure.x)
    axes.set_ylabel(f"{figure.y}\n{figure.band}" if figure.band else figure.y)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(NUMBERS)
    if figure.log_x:
        axes.set_xscale("log", base=2)
        _plain(axes.xaxis, 2)
    if figure.log_y:
        axes.set_yscale("log")
        _plain(axes.yaxis, 10)
    else:
        axes.set_ylim(bottom=0, top=1.08 * max(axes.dataLim.y1, figure.goal or 0))
    if len(figure.lines) > 1 or figure.goal is not None:
        axes.legend(frameon=False, fontsize=8)
    return canvas


def _draw_line(axes: Axes, line: Line, colour: str, marker: str, steps: bool) -> None:
    axes.plot(
        line.xs,
        line.ys,
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=1.4,
        label=line.label,
        drawstyle="steps-post" if steps else "default",
        zorder=3,
    )
    if line.lows:
        axes.fill_between(line.xs, line.lows, line.highs, color=colour, alpha=0.12, linewidth=0)


def _plain(axis: Axis, base: int) -> None:
    """Write 1, 2, 4 and not powers."""
    axis.set_major_locator(LogLocator(base=base))
    axis.set_major_formatter(NUMBERS)
    axis.set_minor_formatter(NullFormatter())
