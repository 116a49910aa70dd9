"""The same interface for programs with threads, such as a Flask or Celery worker.

    with paxos.blocking.open_node(cluster, "node1", data="node1.db", machine=Ledger()) as node:
        answer = node.propose(b"...")
        for leadership in node.leaderships(): ...

Each call waits for its answer and may come from any thread; `fail_after` bounds the wait. The node
itself runs Trio in a thread of its own. A process that forks opens its node after the fork.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from functools import partial, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import paxos
from paxos.node.hosting import Host, Visit

__all__ = ["Node", "fail_after", "open_node"]

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


class _Face(Generic[S]):
    """An object of the asynchronous interface, seen from other threads."""

    def __init__(self, host: Host[Any], inner: S) -> None:
        self._host = host
        self._inner = inner

    def _ask(self, function: Callable[[], Awaitable[R]]) -> R:
        job = self._host.job(function)
        return _wait(job.done, job.cancel)


def _waiting(
    function: Callable[Concatenate[S, P], Awaitable[R]],
) -> Callable[Concatenate[_Face[S], P], R]:
    """Turn a coroutine method into one that waits."""

    @wraps(function)
    def method(self: _Face[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._ask(partial(function, self._inner, *args, **kwargs))

    return method


def _iterating(
    function: Callable[Concatenate[S, P], AsyncIterator[R]],
) -> Callable[Concatenate[_Face[S], P], Iterator[R]]:
    """Turn a method that returns an asynchronous iterator into one that returns an iterator."""

    @wraps(function)
    def method(self: _Face[S], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        iterator = function(self._inner, *args, **kwargs)
        while True:
            try:
                yield self._ask(iterator.__anext__)
            except StopAsyncIteration:
                return

    return method


def _direct(function: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[_Face[S], P], R]:
    """Leave a method as it is that only looks at something."""

    @wraps(function)
    def method(self: _Face[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self._inner, *args, **kwargs)

    return method


@contextmanager
def _inside(visit: Visit[R]) -> Iterator[R]:
    """Wait for a visit to begin, and after the body for its end."""
    value = _wait(visit.entered, visit.cancel)
    try:
        yield value
    finally:
        if visit.leave():  # false in a fork, which is no part of it
            visit.ended.result()


class Node(_Face[paxos.Node]):
    """One member of a cluster, in this process; comes from `open_node`. See `paxos.Node`."""

    propose = _waiting(paxos.Node.propose)
    barrier = _waiting(paxos.Node.barrier)
    leaderships = _iterating(paxos.Node.leaderships)
    decisions = _iterating(paxos.Node.decisions)
    statistics = _direct(paxos.Node.statistics)

    @property
    def name(self) -> str:
        """The member's name."""
        return self._inner.name

    @property
    def leader(self) -> paxos.Leadership | None:
        """The live leader as this node knows it; None while there is none."""
        return self._inner.leader

    @property
    def position(self) -> int:
        """How far the log is applied here."""
        return self._inner.position

    @property
    def closed(self) -> bool:
        """Whether this node has stopped taking part."""
        return self._inner.closed


def _opening(
    function: Callable[P, AbstractAsyncContextManager[paxos.Node]],
) -> Callable[P, AbstractContextManager[Node]]:
    @wraps(function)
    @contextmanager
    def opened(*args: P.args, **kwargs: P.kwargs) -> Iterator[Node]:
        host = Host(function(*args, **kwargs), lambda: None)
        host.start()
        try:
            with _inside(host.inside) as node:
                yield Node(host, node)
        finally:
            host.join()

    return opened


open_node = _opening(paxos.open_node)
"""Take part in a cluster inside the block, as `paxos.open_node` does; from any thread.

A program that ends inside of the block leaves it first. The machine and the instruments are called
in the node's thread: a machine that other threads read needs a lock.
"""
