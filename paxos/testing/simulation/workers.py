"""Processes that run the chunks of a campaign, and end when it does, whatever ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import TypeVar

Setting = TypeVar("Setting")
Outcomes = TypeVar("Outcomes")

_ended: Event | None = None
"""Set when the campaign of which this process is a worker has ended."""


def has_ended() -> bool:
    """Tell a worker whether nobody wants what it does any more."""
    return _ended is not None and _ended.is_set()


def run_in_processes(
    chunks: Iterator[range], setting: Setting, jobs: int, work: Callable[[range, Setting], Outcomes]
) -> Generator[Outcomes]:
    """Let ``jobs`` processes do the work on all chunks; yield what comes of them, in any order."""
    context = get_context("spawn")
    ended = context.Event()
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(ended,))
    try:
        pending = {pool.submit(work, chunk, setting) for chunk in islice(chunks, 2 * jobs)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            pending |= {pool.submit(work, chunk, setting) for chunk in islice(chunks, len(done))}
    finally:
        ended.set()
        pool.shutdown(cancel_futures=True)


def _begin(ended: Event) -> None:
    """Leave it to the campaign what Ctrl-C means; SIGTERM ends it after the seed under way.

    So no worker leaves its files behind.
    """
    global _ended
    _ended = ended
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
