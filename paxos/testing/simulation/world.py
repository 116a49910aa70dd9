"""Virtual time: a heap of what happens next, and nothing happens by itself."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from heapq import heappop, heappush
from random import Random
from typing import Any


class World:
    """Time, chance and the trace of one simulated run; all three follow from the seed.

    Randomness comes in named streams, so that one more draw in one place moves nothing in another.
    """

    def __init__(self, seed: int, *, keep_trace: bool = False) -> None:
        self.seed = seed
        self.now = 0.0
        """Seconds since the beginning, those that were skipped included."""
        self.events = 0
        """How many events have happened."""
        self.lines: list[str] | None = [] if keep_trace else None
        """The trace, if it is kept."""
        self._digest = sha256()
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._scheduled = 0
        self._skipped = 0.0

    def random(self, stream: str) -> Random:
        """Return the stream of randomness of this name, from its beginning."""
        return Random(f"{self.seed}/{stream}")  # noqa: S311 - reproducible on purpose

    def after(self, delay: float, action: Callable[..., None], *arguments: Any) -> None:
        """Let something happen ``delay`` seconds from now; equal times keep their order."""
        self._scheduled += 1
        due = self.now - self._skipped + delay
        heappush(self._heap, (due, self._scheduled, action, arguments))

    def skip(self, seconds: float) -> None:
        """Let time pass in which nothing happens; all that is due comes so much later."""
        self._skipped += seconds
        self.now += seconds

    def run_until(self, end: float) -> None:
        """Let everything happen that is due by ``end``, and set the time to it.

        Time that was skipped does not count.
        """
        heap = self._heap
        while heap and heap[0][0] <= end:
            due, _, action, arguments = heappop(heap)
            self.now = due + self._skipped
            self.events += 1
            action(*arguments)
        self.now = end + self._skipped

    def run_for(self, seconds: float) -> None:
        """Let everything happen that is due in the next so many seconds."""
        self.run_until(self.now - self._skipped + seconds)

    def note(self, line: str) -> None:
        """Add a line to the trace."""
        line = f"{self.now:11.6f}  {line}\n"
        self._digest.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    @property
    def trace_sha256(self) -> str:
        """The digest of the trace so far."""
        return self._digest.hexdigest()
