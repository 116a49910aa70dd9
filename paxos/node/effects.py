"""Effects in the outside world, caused by whoever leads, once for each key.

What is guaranteed depends on the provider, the outside party that is asked for the effect:

- Its *intent* is in the log before `act` is called, and only the leader of the newest epoch gets
  one decided. So an effect that may have happened is never forgotten: it stays among the open
  intents until its outcome is decided, whoever leads.
- A provider that is *idempotent*, so that a repetition under one key changes nothing, makes it
  happen once, whoever repeats it and however often.
- A provider that only lets itself be *asked* (``reconcile``) makes it happen once as long as no
  request is still under way when it is asked. It shall therefore refuse older epochs
  (`paxos.fencing`), and be asked under the new one.
- With a provider that is neither, nobody can do better than either *at most once* (``reconcile``
  raises an error, and a person looks) or *at least once* (``reconcile`` returns None). That is no
  weakness of this package: an answer that is lost tells nothing about the act.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
from attrs import define, field

from paxos.errors import EffectForgotten, NotLeading, TooManyIntents
from paxos.replicated.decrees import Ruling
from paxos.replicated.effect_decrees import (
    MAX_KEY,
    MAX_OUTCOME,
    MAX_RETENTION,
    Conclude,
    Concluded,
    Forgotten,
    Intend,
    Intended,
    NotTheLeader,
    TooManyOpen,
)
from paxos.replicated.effects import MAX_OPEN, Intent

if TYPE_CHECKING:
    from paxos.node.election_service import ElectionService
    from paxos.node.term import Term

DEFAULT_RETENTION: Final = 90 * 86400
"""For how long outcomes are kept unless somebody says otherwise, in seconds."""

Act: TypeAlias = Callable[[Intent], Awaitable[bytes]]
Reconcile: TypeAlias = Callable[[Intent], Awaitable[bytes | None]]


@define
class _Turn:
    """The callers on this node that want one key, one after another."""

    lock: trio.Lock = field(factory=trio.Lock)
    callers: int = 0


@define
class Turns:
    """Lets one caller of a node at a time be at work on a key."""

    _by_key: dict[tuple[str, str], _Turn] = field(factory=dict)

    @asynccontextmanager
    async def take(self, name: str, key: str) -> AsyncIterator[None]:
        """Wait for the others that came before."""
        turn = self._by_key.setdefault((name, key), _Turn())
        turn.callers += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.callers -= 1
            if not turn.callers:
                del self._by_key[name, key]


class Effects:
    """The effects of one name, caused by the leader of the election of that name.

    Comes from `paxos.Node.effects`.
    """

    def __init__(self, service: ElectionService, name: str, retention: float, turns: Turns) -> None:
        if not 0 <= retention <= MAX_RETENTION:
            raise ValueError(f"retention must be 0 to {MAX_RETENTION:,} seconds, not {retention}")
        self.name = name
        self._service = service
        self._retention = int(retention)
        self._turns = turns

    async def once(
        self, key: str, act: Act, reconcile: Reconcile, *, since: int | None = None
    ) -> bytes:
        """Cause an effect unless it has happened; return its outcome, which is decided once.

        To be called by the leader, inside of its term. The intent is decided, then `act` causes
        the effect, then its outcome is decided. Where an earlier attempt may have caused it, by
        whichever leader, ``reconcile`` is asked first, and `act` is called only when it returns
        None. What either raises passes through; the intent stays open, and the next call for this
        key asks first. On one node, one caller at a time is at work on a key.

        Args:
            key: Names the effect: 1 to 200 characters, made of what is to be done alone, never of
                who does it or when. It is the idempotency key for the provider.
            act: Causes the effect, and returns its outcome, such as a receipt: at most 4096 bytes.
                It is given the `Intent`, with key and epoch, and should hand both to the provider.
            reconcile: Asks the provider whether it has happened; returns the outcome, or None when
                it certainly has not and will not. It is given the `Intent`, too.
            since: `paxos.Node.position` at a time when nobody could yet have asked for this
                effect: best noted where the need for it arose. It makes the age of the key known.

        Raises:
            NotLeading: This node does not lead the election; nothing was done.
            LeadershipLost: Its term is over; the intent may be open, `act` was not called.
            EffectForgotten: The key is so old that its outcome may be forgotten, by ``since``;
                nothing was done. A key without ``since`` is never refused for its age: once
                outcomes are forgotten, ``reconcile`` is asked about each that is not known.
            TooManyIntents: Too many intents are open; nothing was done.
            OutcomeUnknown: The node was closed meanwhile; the intent may be open.

        """
        _check(key, since)
        async with self._turns.take(self.name, key):
            term = self._term()
            intend = Intend(
                self.name, key, term.epoch, -1 if since is None else since, self._retention
            )
            ruling = await self._service.decree(intend)
            if isinstance(ruling, Concluded):
                return ruling.outcome
            if not isinstance(ruling, Intended):
                raise self._refusal(ruling, key)
            intent = Intent(self.name, key, term.epoch)
            outcome = await reconcile(intent) if ruling.attempted else None
            if outcome is None:
                term.check()
                outcome = await act(intent)
            return await self._conclude(key, outcome)

    async def open_intents(self) -> tuple[Intent, ...]:
        """Return the effects that were begun and not concluded, in order, by whichever leader.

        A new leader calls `once` for each of them, before it begins others.

        Raises:
            NodeClosed: The node was closed meanwhile.

        """
        await self._service.barrier()
        return self._service.open_intents(self.name)

    def _term(self) -> Term:
        """Return the term that makes this node the leader."""
        term = self._service.term(self.name)
        if term is None:
            raise self._not_leading(str(self._service.elections.view(self.name)))
        term.check()
        return term

    async def _conclude(self, key: str, outcome: bytes) -> bytes:
        if not isinstance(outcome, bytes) or len(outcome) > MAX_OUTCOME:
            given = f"{len(outcome):,} bytes" if isinstance(outcome, bytes) else repr(outcome)
            raise TypeError(
                f"the outcome of {key!r} must be at most {MAX_OUTCOME} bytes, not {given:.200}: "
                "return a receipt and keep the rest elsewhere. The effect has happened; its intent "
                "is open"
            )
        ruling = await self._service.decree(Conclude(self.name, key, outcome, int(time.time())))
        assert isinstance(ruling, Concluded)
        return ruling.outcome

    def _refusal(self, ruling: Ruling, key: str) -> Exception:
        match ruling:
            case NotTheLeader(leader=leader, epoch=epoch):
                return self._not_leading(f"leader={leader}, epoch={epoch}" if leader else "nobody")
            case Forgotten(horizon=horizon):
                return EffectForgotten(
                    f"the effect {key!r} is older than what is remembered under {self.name!r}, "
                    f"which reaches back to position {horizon}: nothing was done. Ask the provider "
                    "whether it has happened"
                )
            case TooManyOpen():
                return TooManyIntents(
                    f"{MAX_OPEN:,} intents are open: nothing was done. Conclude those of "
                    "open_intents() first"
                )
        raise AssertionError(f"{ruling} is no ruling on an intent")

    def _not_leading(self, instead: str) -> NotLeading:
        return NotLeading(
            f"{self._service.node_name} does not lead {self.name!r} ({instead}): nothing was done. "
            f"Cause effects inside of `async with node.election({self.name!r}).lead()`"
        )


def _check(key: str, since: int | None) -> None:
    if not 1 <= len(key) <= MAX_KEY:
        raise ValueError(f"a key must have 1 to {MAX_KEY} characters, not {len(key)}")
    key.encode()  # what has no bytes raises UnicodeEncodeError, which is a ValueError
    if since is not None and since < 0:
        raise ValueError(f"a position is 0 or more, not {since}")
