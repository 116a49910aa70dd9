"""How one call, block or iterator of the asynchronous interface is carried over to a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from paxos.node.hosting import Host, Visit

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

_deadline = threading.local()


@contextmanager
def fail_after(seconds: float) -> Iterator[None]:
    """Let every call inside the block, in this thread, wait until then at most.

    Raises:
        TimeoutError: A call took longer; it was cancelled, as a Trio timeout does.

    """
    outer: float | None = getattr(_deadline, "at", None)
    at = time.monotonic() + seconds
    _deadline.at = at if outer is None else min(at, outer)
    try:
        yield
    finally:
        _deadline.at = outer


def _wait(future: Future[R], cancel: Callable[[], None]) -> R:
    """Return what comes of something in the thread; cancel it at the deadline, or at Ctrl-C."""
    at: float | None = getattr(_deadline, "at", None)
    try:
        return future.result(None if at is None else max(0.0, at - time.monotonic()))
    except TimeoutError:
        cancel()
        try:
            return future.result()  # or what it raised, if that was in the last moment
        except CancelledError:
            raise TimeoutError("no answer came in time; the call was cancelled") from None
    except BaseException:
        cancel()
        raise


class Face(Generic[S]):
    """An object of the asynchronous interface, seen from other threads."""

    def __init__(self, host: Host[Any], inner: S) -> None:
        self._host = host
        self._inner = inner

    def _ask(self, function: Callable[[], Awaitable[R]]) -> R:
        job = self._host.job(function)
        return _wait(job.done, job.cancel)


def waiting(
    function: Callable[Concatenate[S, P], Awaitable[R]],
) -> Callable[Concatenate[Face[S], P], R]:
    """Turn a coroutine method into one that waits."""

    @wraps(function)
    def method(self: Face[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._ask(partial(function, self._inner, *args, **kwargs))

    return method


def iterating(
    function: Callable[Concatenate[S, P], AsyncIterator[R]],
) -> Callable[Concatenate[Face[S], P], Iterator[R]]:
    """Turn a method that returns an asynchronous iterator into one that returns an iterator."""

    @wraps(function)
    def method(self: Face[S], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        iterator = function(self._inner, *args, **kwargs)
        while True:
            try:
                yield self._ask(iterator.__anext__)
            except StopAsyncIteration:
                return

    return method


def direct(function: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[Face[S], P], R]:
    """Leave a method as it is that only looks at something."""

    @wraps(function)
    def method(self: Face[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self._inner, *args, **kwargs)

    return method


@contextmanager
def inside(visit: Visit[R]) -> Iterator[R]:
    """Wait for a visit to begin, and after the body for its end."""
    try:
        yield _wait(visit.entered, visit.cancel)
    finally:
        if visit.leave():  # false in a fork, which is no part of it
            visit.ended.result()
