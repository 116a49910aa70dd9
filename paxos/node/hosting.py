"""Trio in a thread of its own, for programs that run something else.

`paxos.blocking` and `paxos.aio` stand on this. Everything asynchronous in this package is one of
three things, and each is carried over as it is: a coroutine becomes a `Job`, an asynchronous
context manager a `Visit`, and the steps of an asynchronous iterator are coroutines again.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import trio

from paxos.errors import NodeClosed
from paxos.forks import Native, elsewhere

AT_EXIT: Final = 5.0
"""How long a program that ends waits for the node to end in an orderly way, in seconds."""

T = TypeVar("T")
R = TypeVar("R")


def closed(cause: BaseException | None = None) -> NodeClosed:
    """Return the error for whoever asks a node that is not there any more, for this cause."""
    error = NodeClosed(
        "the node was closed, or has ended by itself: what was asked of it last may or may not "
        "have had its effect. Leave the node's block, which raises what ended it"
    )
    error.__cause__ = cause
    return error


def _future() -> Future[Any]:
    """Return a future that nobody can cancel: what it stands for goes on in the thread."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


class Job(Generic[R]):
    """A coroutine function at work in the thread."""

    def __init__(self, host: Host[Any], function: Callable[[], Awaitable[R]]) -> None:
        self._host = host
        self._function = function
        self._scope = trio.CancelScope()
        self.done: Future[R] = _future()
        """With `CancelledError` where `cancel` came in time."""

    def cancel(self) -> None:
        """Cancel the coroutine function, unless it is done already."""
        self._host.soon(self._scope.cancel)

    async def run(self) -> None:
        """Run it, in the thread."""
        try:
            with self._scope:
                self.done.set_result(await self._function())
        except Exception as error:
            self.done.set_exception(error)
        finally:
            if not self.done.done():
                cancelled = self._scope.cancelled_caught
                self.done.set_exception(CancelledError() if cancelled else closed())


class Visit(Generic[R]):
    """An asynchronous context manager, entered and left by one task in the thread.

    The body runs elsewhere. When it is to be cancelled, ``interrupt`` is called with what the
    manager has yielded, in the thread; and the manager waits until the body has indeed ended.
    """

    def __init__(
        self,
        host: Host[Any],
        manager: AbstractAsyncContextManager[R],
        interrupt: Callable[[R], object],
    ) -> None:
        self.host = host
        self._manager = manager
        self._interrupt = interrupt
        self._scope = trio.CancelScope()
        self._left = trio.Event()
        self.entered: Future[R] = _future()
        """With what the manager yields, or `CancelledError` where `cancel` came in time."""
        self.ended: Future[None] = _future()
        """When the manager has been left; with what that raised."""

    def cancel(self) -> None:
        """Cancel the entering, unless it is done already."""
        self.host.soon(lambda: self.entered.done() or self._scope.cancel())

    def leave(self) -> bool:
        """Say that the body has ended; False in a fork, where `ended` never comes."""
        self.host.soon(self._left.set)
        return not self.host.forked

    async def run(self) -> None:
        """Go in and out, in the thread."""
        try:
            with self._scope:
                async with self._manager as value:
                    self.entered.set_result(value)
                    await self._body(value)
        except Exception as error:
            self._end(error)
        except BaseException:
            self._end(closed())
            raise
        else:
            self._end(None)

    def fail(self, error: Exception) -> None:
        """Let it have ended with an error before it began."""
        self._end(error)

    async def _body(self, value: R) -> None:
        try:
            await self._left.wait()
        except trio.Cancelled:
            self._interrupt(value)
            with trio.CancelScope(shield=True):
                await self._left.wait()
            raise

    def _end(self, error: Exception | None) -> None:
        if not self.entered.done():
            self.entered.set_exception(error or CancelledError())
            error = None
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


class Host(Native, Generic[T]):
    """A thread that runs Trio inside of a context manager, such as that of a node.

    A program that ends without leaving it leaves it all the same, so that a node can resign; but
    what does not end then is not waited for, since it ends with the program.
    """

    def __init__(
        self, manager: AbstractAsyncContextManager[T], interrupt: Callable[[T], object]
    ) -> None:
        super().__init__()
        self._token: trio.lowlevel.TrioToken | None = None
        self._early: list[Callable[[], object]] = []
        """What was to be called before Trio ran."""
        self._starting = threading.Lock()
        self._nursery: trio.Nursery | None = None
        self._thread = threading.Thread(target=self._run, name="paxos", daemon=True)
        self.inside = Visit(self, self._working(manager), interrupt)
        """The visit to the manager itself."""

    def start(self) -> None:
        """Start the thread, and enter the manager."""
        atexit.register(self._at_exit)
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended, as it does when the manager has been left."""
        if not self.forked:
            self._thread.join()

    def job(self, function: Callable[[], Awaitable[R]]) -> Job[R]:
        """Start a coroutine function in the thread.

        Raises:
            ForkedProcess: This is a fork of the process where the thread runs.

        """
        job = Job(self, function)
        self._begin(job.run, job.done)
        return job

    def visit(
        self, manager: AbstractAsyncContextManager[R], interrupt: Callable[[R], object]
    ) -> Visit[R]:
        """Start to enter another context manager in the thread. Raises what `job` does."""
        visit = Visit(self, manager, interrupt)
        self._begin(visit.run, visit.entered)
        return visit

    def soon(self, function: Callable[[], object]) -> bool:
        """Have a function called in the thread, as soon as it runs; False when it has ended."""
        if self.forked:
            return False
        with self._starting:
            if self._token is None:
                self._early.append(function)
                return True
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            return False
        return True

    def _begin(self, task: Callable[[], Awaitable[None]], outcome: Future[Any]) -> None:
        if self.forked:
            raise elsewhere(self.process)

        def begin() -> None:
            if self._nursery is None:
                outcome.set_exception(closed(self._failure()))
            else:
                self._nursery.start_soon(task)

        if not self.soon(begin):
            outcome.set_exception(closed(self._failure()))

    def _failure(self) -> BaseException | None:
        """Return the error that ended it, as soon as that is known."""
        ended = self.inside.ended
        return ended.exception() if ended.done() else None

    @asynccontextmanager
    async def _working(self, manager: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
        """Let jobs be done inside of the manager: what cancels its body cancels them at once."""
        async with manager as value, trio.open_nursery() as self._nursery:
            try:
                yield value
            finally:
                self._nursery.cancel_scope.cancel()
                self._nursery = None

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except Exception as error:
            if self.inside.ended.done():
                raise
            self.inside.fail(error)  # Trio could not even begin
        atexit.unregister(self._at_exit)

    async def _main(self) -> None:
        with self._starting:
            self._token = trio.lowlevel.current_trio_token()
            for function in self._early:
                self._token.run_sync_soon(function)
        await self.inside.run()

    def _at_exit(self) -> None:
        self.inside.cancel()
        self.inside.leave()
        if not self.forked:
            self._thread.join(AT_EXIT)
