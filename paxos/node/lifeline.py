"""A child process must not outlive the process that started it, however that one ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

STANDARD_INPUT: Final = 0


def end_with_parent(hear: Callable[[str], None] = lambda _: None) -> None:
    """End this process at once when standard input ends, which even a killed parent causes.

    A thread waits for it, so that a main thread that hangs cannot keep the process alive. It
    calls ``hear`` with each line that comes before.
    """
    threading.Thread(target=_wait_and_exit, args=(hear,), name="lifeline", daemon=True).start()


def _wait_and_exit(hear: Callable[[str], None]) -> None:
    unread = b""
    try:
        while heard := os.read(STANDARD_INPUT, 4096):
            *lines, unread = (unread + heard).split(b"\n")
            for line in lines:
                hear(line.decode())
    finally:
        os._exit(0)
