"""A child process must not outlive the process that started it, however that one ends."""

from __future__ import annotations

import os
import threading
from typing import Final

STANDARD_INPUT: Final = 0


def end_with_parent() -> None:
    """End this process at once when standard input ends, which even a killed parent causes.

    A thread waits for it, so that a main thread that hangs cannot keep the process alive.
    """
    threading.Thread(target=_wait_and_exit, name="lifeline", daemon=True).start()


def _wait_and_exit() -> None:
    while os.read(STANDARD_INPUT, 4096):
        pass
    os._exit(0)
