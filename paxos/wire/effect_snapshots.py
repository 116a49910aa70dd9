"""The effects in a snapshot of the replicated state."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from paxos.replicated.effects import MAX_KEPT_BYTES, MAX_OPEN, Effects, EffectsSnapshot
from paxos.replicated.elections import MAX_ELECTIONS
from paxos.wire.cbor import Malformed
from paxos.wire.decrees import EFFECT_OUTCOME, KEY, RETENTION
from paxos.wire.fields import Field, name, natural


def _write(snapshot: EffectsSnapshot) -> list[Any]:
    return [snapshot.now, snapshot.memories, snapshot.intents, snapshot.outcomes]


def _read(item: Any) -> EffectsSnapshot:
    if type(item) is not tuple or len(item) != 4:
        raise Malformed("not effects")
    now = natural(item[0])
    memories = tuple(
        (name(owner), RETENTION.read(retention), natural(horizon))
        for owner, retention, horizon in _rows(item[1], 3, MAX_ELECTIONS)
    )
    owners = {row[0] for row in memories}
    intents = tuple(
        (name(owner), KEY.read(key), natural(epoch))
        for owner, key, epoch in _rows(item[2], 3, MAX_OPEN)
    )
    outcomes = tuple(
        (name(owner), KEY.read(key), EFFECT_OUTCOME.read(data), natural(slot), natural(at))
        for owner, key, data, slot, at in _rows(item[3], 5, MAX_KEPT_BYTES)
    )
    ids = {row[:2] for row in (*intents, *outcomes)}
    if len(owners) < len(memories) or len(ids) < len(intents) + len(outcomes):
        raise Malformed("two rows for one effect or name")
    if not {row[0] for row in (*intents, *outcomes)} <= owners:
        raise Malformed("an effect without a memory of its name")
    if any(one[3] > other[3] or one[4] > other[4] for one, other in pairwise(outcomes)):
        raise Malformed("outcomes out of order")
    snapshot = EffectsSnapshot(now, memories, intents, outcomes)
    if Effects.restored(snapshot).kept_bytes > MAX_KEPT_BYTES:
        raise Malformed("more outcomes than are kept")
    return snapshot


def _rows(rows: Any, length: int, most: int) -> tuple[tuple[Any, ...], ...]:
    if type(rows) is not tuple or len(rows) > most:
        raise Malformed("not rows, or too many")
    if not all(type(row) is tuple and len(row) == length for row in rows):
        raise Malformed("not a row")
    return rows


EFFECTS: Final = Field(_read, _write)
