"""Lines for people on standard error, from a loop that must not wait until somebody reads them."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

STANDARD_ERROR: Final = 2

LINES: Final = 256
"""How many lines wait at most; more are dropped, and their number is told."""

LAST_WORDS: Final = 1.0
"""How long the end waits for those that are left, in seconds."""


@contextmanager
def speaking(prefix: str = "") -> Iterator[Callable[[str], None]]:
    """Return a function that says a line, at once and whatever has become of standard error.

    Where that is a pipe that nobody empties, or a terminal that is held, a thread of its own waits;
    where it is gone or its disk is full, the lines are lost. A member takes part all the same.
    """
    lines: queue.Queue[str | None] = queue.Queue(LINES)
    dropped = 0

    def say(text: str) -> None:
        nonlocal dropped
        with suppress(queue.Full):
            if dropped:
                lines.put_nowait(f"{dropped} lines were not said, for nobody listened")
                dropped = 0
            lines.put_nowait(text)
            return
        dropped += 1

    def speak() -> None:
        while (text := lines.get()) is not None:
            with suppress(OSError):
                _write(f"{prefix}{text}\n".encode(errors="backslashreplace"))

    thread = threading.Thread(target=speak, name="voice", daemon=True)
    thread.start()
    try:
        yield say
    finally:
        with suppress(queue.Full):
            lines.put_nowait(None)
            thread.join(LAST_WORDS)


def _write(line: bytes) -> None:
    """Write all of it, past Python's own file: its lock would be kept by a thread that waits."""
    while line:
        line = line[os.write(STANDARD_ERROR, line) :]
