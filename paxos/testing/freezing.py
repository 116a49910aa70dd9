"""Snapshots of state machines: hashable, comparable, and as good as a copy when thawed.

Generic over attrs fields, so a field that is added to a role tomorrow cannot be forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Any, cast

from attrs import fields, frozen, has


@frozen(cache_hash=True)
class Frozen:
    """A mutable thing at one moment: its type, and what it held, frozen too."""

    kind: type[Any]
    content: tuple[Hashable, ...]


def freeze(thing: Any) -> Hashable:
    """Return a hashable snapshot, equal for equal things.

    What is hashable already is taken as immutable and kept as it is: frozen messages, named
    tuples, strings. A dictionary is sorted by its keys, so the order in which it was filled is
    not part of the state; no handler may depend on it.

    Raises:
        TypeError: If it meets a mutable thing that is neither a collection nor an attrs class.

    """
    if type(thing).__hash__ is not None:
        return thing  # type: ignore[no-any-return]
    if isinstance(thing, dict):
        return Frozen(dict, tuple((key, freeze(thing[key])) for key in sorted(thing)))
    if isinstance(thing, set):
        return Frozen(set, tuple(sorted(thing)))
    if isinstance(thing, list | deque):
        return Frozen(type(thing), tuple(map(freeze, thing)))
    if has(type(thing)):
        kept = tuple(freeze(getattr(thing, field.name)) for field in fields(type(thing)))
        return Frozen(type(thing), kept)
    raise TypeError(f"do not know how to freeze {thing!r}")


def thaw(snapshot: Hashable) -> Any:
    """Return a new thing, equal to the one that was frozen."""
    if not isinstance(snapshot, Frozen):
        return snapshot
    kind, content = snapshot.kind, snapshot.content
    if kind is dict:
        return {key: thaw(value) for key, value in cast("Iterable[tuple[Any, Hashable]]", content)}
    if not has(kind):
        return kind(map(thaw, content))
    thing = object.__new__(kind)
    for field, value in zip(fields(kind), content, strict=True):
        object.__setattr__(thing, field.name, thaw(value))
    return thing
