"""A typed face for a key-value machine: through a node in this process, or from anywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import trio
from attrs import frozen

from paxos.errors import CommandFailed
from paxos.machines.commands import (
    Changes,
    Compare,
    Delete,
    Get,
    Put,
    Range,
    Request,
    Simple,
    Transaction,
    encode,
)
from paxos.machines.key_value import COMPACTED
from paxos.machines.store import Change, Compacted, Item
from paxos.wire.cbor import Malformed, parse

Ask: TypeAlias = Callable[[bytes], Awaitable[bytes]]


@frozen
class Page:
    """Some keys of a range, in their order, as they were in one revision."""

    items: tuple[tuple[str, Item], ...]
    more: bool
    """Whether there are others behind the last of these."""
    revision: int


@frozen
class Transacted:
    """What became of a transaction."""

    held: bool
    """Whether every comparison held, so that ``then`` was done, and not ``otherwise``."""
    answers: tuple[Item | Page | bool | None, ...]
    """Of the commands that were done: an item of a `Get`, a page of a `Range`, whether there was
    anything to `Delete`, None for a `Put`."""
    revision: int


class KeyValueClient:
    """Reads and changes a replicated `KeyValue`.

    Args:
        propose: Carries a command into the log and returns the machine's answer: `Node.propose`.
        query: Has a question answered from a state that is up to date: `Node.query` or
            `Client.query`.

    Every method raises what these two raise, and `BadCommand` for what no machine would take: a
    key that is empty or too long, a value or a transaction that is too large; and `CommandFailed`
    where another machine has answered.

    """

    def __init__(self, propose: Ask, query: Ask) -> None:
        self._propose = propose
        self._query = query

    async def get(self, key: str) -> Item | None:
        """Return what is at a key."""
        _, answer = await self._ask(self._query, Get(key))
        return _item(answer)

    async def range(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> Page:
        """Return the first keys with a prefix, from behind ``after`` on."""
        revision, answer = await self._ask(self._query, Range(prefix, after, limit))
        return _page(answer, revision)

    async def put(self, key: str, value: bytes) -> int:
        """Set a key; return the revision."""
        revision, _ = await self._ask(self._propose, Put(key, value))
        return revision

    async def delete(self, key: str) -> bool:
        """Remove a key; return whether there was anything."""
        _, answer = await self._ask(self._propose, Delete(key))
        return bool(answer)

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes | None
    ) -> Transacted:
        """Set a key if its value is the expected one; None stands for a key that is missing.

        If not, the first of the answers is what is there instead.
        """
        then: Simple = Delete(key) if value is None else Put(key, value)
        return await self.transact(
            Compare(key, "value", "=", expected), then=(then,), otherwise=(Get(key),)
        )

    async def transact(
        self,
        *compares: Compare,
        then: tuple[Simple, ...] = (),
        otherwise: tuple[Simple, ...] = (),
    ) -> Transacted:
        """Do one thing if every comparison holds, and another if not, all in one revision."""
        request = Transaction(compares, then, otherwise)
        revision, (held, answers) = await self._ask(self._propose, request)
        done = then if held else otherwise
        read = (_read(part, each, revision) for part, each in zip(done, answers, strict=True))
        return Transacted(held, tuple(read), revision)

    def watch(self, prefix: str = "", since: int | None = None, pause: float = 0.1) -> Polled:
        """Watch the keys with a prefix from afar, from behind a revision on, or from now on.

        It asks again after each ``pause`` in seconds; who has the machine in this process is
        better off with `KeyValue.watch`, which waits. Otherwise it does the same.
        """
        return Polled(self, prefix, since, pause)

    async def changes(self, prefix: str, since: int | None) -> tuple[list[Change], int]:
        """Return the first changes after a revision, and up to which these are all.

        Raises `Compacted`.
        """
        try:
            _, (rows, last) = await self._ask(self._query, Changes(prefix, since))
        except CommandFailed as error:
            _, found, compacted = str(error).partition(COMPACTED)
            if not found or since is None:
                raise
            raise Compacted(since, int(compacted)) from None
        return [Change(*row) for row in rows], last

    async def _ask(self, ask: Ask, request: Request) -> tuple[int, Any]:
        data = await ask(encode(request))
        try:
            revision, answer = parse(data)
        except (Malformed, TypeError, ValueError):
            raise CommandFailed(
                "the answer is none of a key-value machine: do the members run another?"
            ) from None
        return revision, answer


class Polled:
    """Yields the changes of the keys with a prefix, each once and in order; never ends."""

    def __init__(
        self, client: KeyValueClient, prefix: str, since: int | None, pause: float
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._since = since
        self._pause = pause
        self._ready: deque[Change] = deque()

    def __aiter__(self) -> Polled:
        """Return itself."""
        return self

    async def __anext__(self) -> Change:
        """Wait for the next change. Raises `Compacted`, and whatever asking raises."""
        await trio.lowlevel.checkpoint()
        while not self._ready:
            before = self._since
            changes, self._since = await self._client.changes(self._prefix, self._since)
            self._ready.extend(changes)
            if not changes and before is not None:
                await trio.sleep(self._pause)
        return self._ready.popleft()


def _item(row: Any) -> Item | None:
    return None if row is None else Item(*row)


def _page(answer: Any, revision: int) -> Page:
    rows, more = answer
    return Page(tuple((key, Item(*row)) for key, row in rows), more, revision)


def _read(part: Simple, answer: Any, revision: int) -> Item | Page | bool | None:
    match part:
        case Get():
            return _item(answer)
        case Range():
            return _page(answer, revision)
        case Delete():
            return bool(answer)
    return None
