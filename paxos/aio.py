"""The same interface for asyncio programs.

    async with paxos.aio.open_node(cluster, "node1", data="node1.db", machine=Ledger()) as node:
        answer = await node.propose(b"...")
        async for leadership in node.leaderships(): ...

The node runs Trio in a thread of its own, so it takes part also while the loop is busy. What comes
of cancellation is asyncio's: a task that is cancelled cancels what it awaits in the node, and a
block that the node ends, such as a leadership that is lost, is cancelled like `asyncio.timeout`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from functools import partial, wraps
from inspect import isawaitable, iscoroutinefunction
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import trio

import paxos
from paxos.node.hosting import Host, Visit

__all__ = ["open_node"]

P = ParamSpec("P")
R = TypeVar("R")

SHARED = (paxos.Node, paxos.Election, paxos.Effects, paxos.Term)
"""Objects of these classes belong to the node's thread; others are values."""


async def _wait(future: Future[R], cancel: Callable[[], None]) -> R:
    """Return what comes of something in the thread; a cancelled task cancels it, and waits."""
    waiter = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiter)
    except asyncio.CancelledError:
        cancel()
        await _settled(waiter)
        raise


async def _settled(waiter: asyncio.Future[Any]) -> bool:
    """Wait for it, whatever happens; tell whether the task was cancelled meanwhile."""
    cancelled = False
    while True:  # at least once, so that a cancellation that is due comes here
        try:
            await asyncio.wait([waiter])
        except asyncio.CancelledError:
            cancelled = True
        if waiter.done():
            waiter.exception()  # seen
            return cancelled


class _Face:
    """An object of the node's thread, seen from asyncio."""

    def __init__(self, host: Host[Any], inner: object) -> None:
        self._host = host
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if not callable(attribute):
            return attribute

        waits = iscoroutinefunction(attribute)

        @wraps(attribute)
        def method(*args: Any, **kwargs: Any) -> Any:
            bound = partial(
                attribute,
                *(_brought(one) for one in args),
                **{key: _brought(one) for key, one in kwargs.items()},
            )
            return _ask(self._host, bound) if waits else _carried(self._host, bound())

        return method


async def _ask(host: Host[Any], function: Callable[[], Awaitable[Any]]) -> Any:
    job = host.job(function)
    return _carried(host, await _wait(job.done, job.cancel))


def _carried(host: Host[Any], result: Any) -> Any:
    """Return what asyncio can use in the place of what the asynchronous interface returned."""
    if isinstance(result, AbstractAsyncContextManager):
        return _Block(partial(host.visit, result))
    if isinstance(result, AsyncIterator):
        return _Steps(host, result)
    return _Face(host, result) if isinstance(result, SHARED) else result


class _Steps:
    def __init__(self, host: Host[Any], iterator: AsyncIterator[Any]) -> None:
        self._host = host
        self._iterator = iterator

    def __aiter__(self) -> _Steps:
        return self

    async def __anext__(self) -> Any:
        return await _ask(self._host, self._iterator.__anext__)


class _Block(Generic[R]):
    """An asynchronous context manager of the node's thread, around a body in asyncio."""

    def __init__(self, begin: Callable[[Callable[[object], object]], Visit[R]]) -> None:
        self._begin = begin
        self._begun = False
        self._interrupted = False
        self._leaving = False

    async def __aenter__(self) -> Any:
        if self._begun:  # or who leaves it would leave the wrong one
            raise RuntimeError("this block was entered before: make another by the same call")
        self._begun = True
        task = asyncio.current_task()
        assert task is not None
        self._task, self._loop = task, asyncio.get_running_loop()
        self._cancelling = task.cancelling()
        self._visit = self._begin(self._interrupt)
        try:
            value = await _wait(self._visit.entered, self._visit.cancel)
        except asyncio.CancelledError:
            await self._end()  # it may have been entered in the last moment
            raise
        return _carried(self._visit.host, value)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not self._visit.leave():
            return False  # a fork, which is no part of it
        cancelled = await self._end() or kind is asyncio.CancelledError
        ours = self._interrupted and self._task.uncancel() <= self._cancelling
        self._visit.ended.result()
        if ours:
            return kind is asyncio.CancelledError
        if cancelled and kind is not asyncio.CancelledError:
            raise asyncio.CancelledError
        return False

    async def _end(self) -> bool:
        """Leave, whatever happens; tell whether the task was cancelled meanwhile."""
        self._leaving = True
        self._visit.leave()
        return await _settled(asyncio.wrap_future(self._visit.ended))

    def _interrupt(self, _: object) -> None:
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self._leaving:
            self._interrupted = True
            self._task.cancel()


def _brought(given: Any) -> Any:
    """Let the node's thread call a function of the application in the application's loop."""
    if not callable(given):
        return given
    loop = asyncio.get_running_loop()

    async def in_loop(*args: Any, **kwargs: Any) -> Any:
        result = given(*args, **kwargs)
        return await result if isawaitable(result) else result

    @wraps(given)
    async def call(*args: Any, **kwargs: Any) -> Any:
        token, done = trio.lowlevel.current_trio_token(), trio.Event()
        future = asyncio.run_coroutine_threadsafe(in_loop(*args, **kwargs), loop)
        future.add_done_callback(lambda _: token.run_sync_soon(done.set))
        try:
            await done.wait()
        except trio.Cancelled:
            future.cancel()
            with trio.CancelScope(shield=True):
                await done.wait()
            raise
        return future.result()

    return call


def _opening(
    function: Callable[P, AbstractAsyncContextManager[paxos.Node]],
) -> Callable[P, AbstractAsyncContextManager[paxos.Node]]:
    @wraps(function)
    def opened(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[paxos.Node]:
        def begin(interrupt: Callable[[object], object]) -> Visit[paxos.Node]:
            host = Host(function(*args, **kwargs), interrupt)
            host.start()
            return host.inside

        # to its user a face has the interface of what is behind it
        return cast("AbstractAsyncContextManager[paxos.Node]", _Block(begin))

    return opened


open_node = _opening(paxos.open_node)
"""Take part in a cluster inside the block, as `paxos.open_node` does; from asyncio.

The machine and the instruments are called in the node's thread.
"""
