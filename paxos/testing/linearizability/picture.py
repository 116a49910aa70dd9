"""A window, drawn: one line for each operation, time from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from paxos.testing.linearizability.history import Operation
from paxos.testing.linearizability.values import show
from paxos.testing.linearizability.window import Window

ROWS: Final = 40
"""Operations in the window that are drawn at most, the last ones."""
AROUND: Final = 8
"""Operations around it that are drawn at most, the last ones."""
TEXT: Final = 60
"""Characters of an operation's text; long values are cut in the middle."""


def draw(window: Window) -> str:
    """Return lines of ASCII. Bars overlap where operations did; columns are events, not seconds."""
    rows = window.operations[-ROWS:]
    around = window.around[-AROUND:]
    lines = sorted(
        line for each in rows for line in (each.invoked, each.completed) if line is not None
    )
    if not lines:
        return ""
    names = [f"line {each.invoked}, process {show(each.process)}" for each in (*rows, *around)]
    margin = max(map(len, names))
    bars = [_bar(each, lines) for each in (*rows, *around)]
    drawn = [
        f"  {name:<{margin}}  {bar}  {_cut(str(each))}"
        for name, bar, each in zip(names, bars, (*rows, *around), strict=True)
    ]
    notes = _note("earlier", len(window.operations) - len(rows))
    drawn[len(rows) : len(rows)] = (
        ["  may also have taken effect in between, which does not help:"] if around else []
    )
    return "\n".join([*notes, *drawn, *_note("more", len(window.around) - len(around))])


def _note(which: str, count: int) -> list[str]:
    return [f"  ({count:,} {which} not drawn)"] if count else []


def _bar(operation: Operation, lines: Sequence[int]) -> str:
    """Draw from invocation to completion; an arrow where it goes on outside."""
    width = 2 if len(lines) <= 24 else 1
    inside = operation.invoked >= lines[0]
    begin = sum(line < operation.invoked for line in lines) * width
    end = operation.completed
    ends = end is not None and end <= lines[-1]
    last = (sum(line < (end or 0) for line in lines) if ends else len(lines)) * width
    head, tail = "|" if inside else "<", "|" if ends else ">"
    bar = " " * begin + head + "-" * (last - begin - 1) + tail
    return bar.ljust(len(lines) * width + 1)


def _cut(text: str) -> str:
    if len(text) <= TEXT:
        return text
    half = TEXT // 2 - 2
    return f"{text[:half]}...{text[-half:]}"
