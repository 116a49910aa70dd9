"""Linearizability by trying every order: slow, and simple enough to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paxos.testing.linearizability import Operation, Outcome


def linearizable(operations: Sequence[Operation], *, lists: bool, strict_cas: bool) -> bool:
    """Tell whether some order of the operations, each in its time, explains all that was seen."""
    by_key: dict[object, list[Operation]] = {}
    for operation in operations:
        by_key.setdefault(operation.key, []).append(operation)
    start: Any = () if lists else None
    return all(search(part, start, frozenset(), strict_cas, set()) for part in by_key.values())


def search(
    operations: list[Operation],
    state: Any,
    done: frozenset[int],
    strict_cas: bool,
    seen: set[tuple[frozenset[int], Any]],
) -> bool:
    """Do any operation next that no undone one must precede; those of unknown outcome may stay."""
    if (done, state) in seen:
        return False
    seen.add((done, state))
    open_ = [(n, each) for n, each in enumerate(operations) if n not in done]
    if all(each.outcome is Outcome.INFO for _, each in open_):
        return True
    ends = [each.completed for _, each in open_ if each.completed is not None]
    first_end = min(ends, default=None)
    for number, each in open_:
        if first_end is not None and each.invoked > first_end:
            continue
        for after in steps(each, state, strict_cas):
            if search(operations, after, done | {number}, strict_cas, seen):
                return True
    return False


def steps(operation: Operation, state: Any, strict_cas: bool) -> list[Any]:
    """Return the states to which an operation may lead."""
    f, value, outcome = operation.f, operation.value, operation.outcome
    if outcome is Outcome.FAIL:
        refuted = strict_cas and f == "cas" and state == value[0]
        return [] if refuted else [state]
    if f == "read":
        fits = outcome is Outcome.INFO or operation.result == state
        if isinstance(state, tuple) and operation.result is None:
            fits = fits or state == ()
        return [state] if fits else []
    if f == "write":
        return [value]
    if f == "append":
        return [(*state, value)]
    return [value[1]] if state == value[0] else ([state] if outcome is Outcome.INFO else [])
