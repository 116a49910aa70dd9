"""Where a process spends its time, by sampling. Needs pyinstrument (the extra ``bench``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pyinstrument import Profiler
from pyinstrument.frame import Frame

INTERVAL = 0.0005
"""Seconds between two samples."""


class Profile:
    """Samples the thread inside the block."""

    def __init__(self) -> None:
        self._profiler = Profiler(interval=INTERVAL, async_mode="disabled")

    def __enter__(self) -> Self:
        """Begin."""
        self._profiler.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._profiler.stop()

    def shares(self, most: int = 25) -> tuple[tuple[str, float], ...]:
        """Return the functions that took the most, and their shares without what they call."""
        session = self._profiler.last_session
        root = None if session is None else session.root_frame(trim_stem=False)
        if root is None:
            return ()
        times: Counter[str] = Counter()
        for frame in _all(root):
            times[_name(frame)] += frame.absorbed_time + _own(frame)  # type: ignore[assignment]
        return tuple((name, time / root.time) for name, time in times.most_common(most))


def _all(frame: Frame) -> Iterator[Frame]:
    yield frame
    for child in frame.children:
        yield from _all(child)


def _own(frame: Frame) -> float:
    return max(0.0, frame.time - sum(child.time for child in frame.children))


def _name(frame: Frame) -> str:
    if frame.is_synthetic:
        parent = frame.parent
        return _name(parent) if parent is not None else frame.function
    file = Path(frame.file_path or "?")
    return f"{file.parent.name}/{file.name}:{frame.function}"
