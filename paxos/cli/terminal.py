"""What commands that run for long share: a bar with events above it, and an end by a signal."""

from __future__ import annotations

import signal
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from paxos.node.serving import heeded

T = TypeVar("T")


class Terminal:
    """Shows events as lines on standard error, and a bar where that is a terminal."""

    def __init__(self, what: str, total: int) -> None:
        console = Console(stderr=True, highlight=False)  # standard output is for the result
        self._begun = time.monotonic()
        self._progress = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task(what, total=total)

    def __enter__(self) -> Terminal:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Print an event above the bar."""
        seconds = time.monotonic() - self._begun
        self._progress.console.print(f"{seconds:6.2f} s  {text}", markup=False, soft_wrap=True)

    def progress(self, done: float) -> None:
        """Move the bar."""
        self._progress.update(self._bar, completed=int(done))


async def until_terminated(work: Callable[[], Awaitable[T]]) -> T | None:
    """Return the result of the work, or None when SIGTERM or SIGHUP has cancelled it."""
    result: T | None = None
    with trio.open_signal_receiver(*heeded((signal.SIGTERM, signal.SIGHUP))) as signals:
        async with trio.open_nursery() as nursery:

            async def stop() -> None:
                await anext(signals)
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop)
            result = await work()
            nursery.cancel_scope.cancel()
    return result
