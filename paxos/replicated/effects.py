"""Effects: what was intended in the outside world, and what came of it.

An effect, such as a charge, cannot be part of the log. What can be is the intent before it and the
outcome after it. Whoever leads next finds in the log which effects may have happened: those that
were intended and are not concluded. It asks about each, and only then causes it again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from attrs import define, field, frozen

from paxos.replicated.decrees import Ruling
from paxos.replicated.effect_decrees import (
    Conclude,
    Concluded,
    EffectDecree,
    Forgotten,
    Intend,
    Intended,
    NotTheLeader,
    TooManyOpen,
)
from paxos.replicated.elections import Elections
from paxos.replicated.values import Session

MAX_OPEN = 10_000
"""How many intents may be open at once, under all names together."""

MAX_KEPT_BYTES = 16 << 20
"""How many bytes of outcomes are kept, with their keys; then the oldest are forgotten."""

ENTRY_BYTES = 64
"""What an outcome counts beside its key and its bytes."""

Id: TypeAlias = tuple[str, str]
"""Name and key."""


@frozen
class Intent:
    """An effect that was decided on and may or may not have happened."""

    name: str
    """The election's, and the effects'."""
    key: str
    """Names the effect, and nothing else: the idempotency key, whoever leads in whatever epoch."""
    epoch: int
    """Of the last leader that was about to cause it: the fencing token."""


@frozen
class Outcome:
    """What came of an effect."""

    data: bytes
    slot: int
    """Where it was decided."""
    at: int
    """When, in seconds since 1970, by the clocks of those who proposed so far."""


@define
class Memory:
    """How far back the outcomes under one name reach."""

    retention: int
    """For how long they are kept, in seconds."""
    horizon: int = 0
    """An outcome decided below this slot may be forgotten, one decided from here on is not."""


@frozen
class EffectsSnapshot:
    """All of `Effects`, as plain rows."""

    now: int = 0
    memories: tuple[tuple[str, int, int], ...] = ()
    """Name, retention and horizon."""
    intents: tuple[tuple[str, str, int], ...] = ()
    """Name, key and epoch, in the order in which they were decided."""
    outcomes: tuple[tuple[str, str, bytes, int, int], ...] = ()
    """Name, key, data, slot and time, the oldest first."""


@define
class Effects:
    """All effects of a cluster, by name and key."""

    intents: dict[Id, int] = field(factory=dict)
    """The epochs of those that are open."""
    outcomes: OrderedDict[Id, Outcome] = field(factory=OrderedDict)
    """In the order in which they were decided."""
    memories: dict[str, Memory] = field(factory=dict)
    now: int = 0
    """The latest time that a decree has given. No safety rests on it."""
    kept_bytes: int = 0

    def open_intents(self, name: str) -> tuple[Intent, ...]:
        """Return what is intended under a name and not concluded, in the order of the log."""
        return tuple(
            Intent(name, key, epoch)
            for (owner, key), epoch in self.intents.items()
            if owner == name
        )

    def apply(
        self, decree: EffectDecree, slot: int, session: Session, elections: Elections
    ) -> Ruling:
        """Let a decree of this session take effect."""
        match decree:
            case Intend():
                return self._intend(decree, session, elections)
            case Conclude():
                return self._conclude(decree, slot)
        raise AssertionError(f"{decree} is no decree of effects")

    def _intend(self, decree: Intend, session: Session, elections: Elections) -> Ruling:
        id_ = decree.name, decree.key
        known = self.outcomes.get(id_)
        if known is not None:
            return Concluded(known.data)  # it is true for whoever asks
        election = elections.by_name.get(decree.name)
        if election is None:
            return NotTheLeader(None, 0)
        if (election.leader, election.epoch) != (session.node, decree.epoch):
            return NotTheLeader(election.leader, election.epoch)
        if elections.sessions[session.node].boot != session.boot:
            return NotTheLeader(None, election.epoch)  # an earlier life of the node led
        memory = self.memories.setdefault(decree.name, Memory(decree.retention))
        memory.retention = decree.retention
        attempted = id_ in self.intents
        if not attempted:
            if 0 <= decree.since < memory.horizon:
                return Forgotten(memory.horizon)
            if len(self.intents) >= MAX_OPEN:
                return TooManyOpen()
            # without its age, nobody can tell a new key from one whose outcome is forgotten
            attempted = max(decree.since, 0) < memory.horizon
        self.intents[id_] = decree.epoch
        return Intended(attempted)

    def _conclude(self, decree: Conclude, slot: int) -> Ruling:
        """Note an outcome. A deposed leader's counts, too: it is a fact about the world."""
        id_ = decree.name, decree.key
        known = self.outcomes.get(id_)
        if known is not None:
            return Concluded(known.data)
        if self.intents.pop(id_, None) is not None:
            self.now = max(self.now, decree.at)
            self._keep(id_, Outcome(decree.outcome, slot, self.now))
        return Concluded(decree.outcome)

    def _keep(self, id_: Id, outcome: Outcome) -> None:
        self.outcomes[id_] = outcome
        self.kept_bytes += _size(id_, outcome)
        while self.outcomes:
            oldest, old = next(iter(self.outcomes.items()))
            memory = self.memories[oldest[0]]
            if self.kept_bytes <= MAX_KEPT_BYTES and self.now - old.at <= memory.retention:
                break
            del self.outcomes[oldest]
            self.kept_bytes -= _size(oldest, old)
            memory.horizon = old.slot + 1

    def snapshot(self) -> EffectsSnapshot:
        """Return a copy that no later decree changes."""
        return EffectsSnapshot(
            self.now,
            tuple((name, m.retention, m.horizon) for name, m in sorted(self.memories.items())),
            tuple((*id_, epoch) for id_, epoch in self.intents.items()),
            tuple((*id_, one.data, one.slot, one.at) for id_, one in self.outcomes.items()),
        )

    @classmethod
    def restored(cls, snapshot: EffectsSnapshot) -> Effects:
        """Return the effects of which this is a snapshot."""
        effects = cls(now=snapshot.now)
        for name, retention, horizon in snapshot.memories:
            effects.memories[name] = Memory(retention, horizon)
        for name, key, epoch in snapshot.intents:
            effects.intents[name, key] = epoch
        for name, key, data, slot, at in snapshot.outcomes:
            outcome = effects.outcomes[name, key] = Outcome(data, slot, at)
            effects.kept_bytes += _size((name, key), outcome)
        return effects


def _size(id_: Id, outcome: Outcome) -> int:
    return ENTRY_BYTES + len(id_[1]) + len(outcome.data)
