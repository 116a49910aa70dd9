"""The search of a register's order, by one who has read the whole history.

Most values are written only once. Such a value, when it is there, must stay until all have seen it
who ever will; whoever has seen it proves that its write took effect; and a value that nobody will
see again is as good as any other. With this, the search hardly ever has to go back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import define

from paxos.testing.linearizability.problem import FOREVER, Item, Problem


class Step(NamedTuple):
    """What an operation does with a register: observe a value or its absence, then write."""

    value: Any = None
    """What ``expects`` or ``avoids`` speaks of."""
    expects: bool = False
    avoids: bool = False
    new: Any = None
    writes: bool = False
    optional: bool = False
    """It may be left out, so it is done only if the next step observes what it wrote."""


Timed: TypeAlias = tuple[Step, int, int | None]
"""A step, its line of invocation, and its line of completion."""

State: TypeAlias = tuple[Hashable, int, bool]
"""A value, how many have observed it (if it is written once), whether somebody must do so next."""


class _Nothing:
    """In place of a value that nobody will ever observe."""


NOTHING: Final = _Nothing()
_UNSEEN: Final[State] = (NOTHING, 0, False)


def foresee(musts: Sequence[Timed], mays: Sequence[Timed], start: Hashable) -> Problem | None:
    """Prepare a search for an order of all musts and any mays; None if there is none."""
    items = [Item(*_times(each), not each[0].writes, each[0]) for each in musts]
    options = [Item(*_times(each), not each[0].writes, each[0]) for each in mays]
    avoided = {item.step.value for item in items if item.step.avoids}
    options = [item for item in _seen(items, options, start, bool(avoided)) if item.step.writes]
    writers = _writers([*items, *options], start)
    items, options = _proven(items, options, writers)
    if not _hasten(items, options, writers, start):
        return None
    for item in options:
        item.step = item.twin = item.step._replace(optional=True)
    foresight = _Foresight(
        totals=_totals(items, writers),
        hoped={item.step.value for item in options if item.step.expects},
        avoided=avoided,
        observed={item.step.value for item in items if item.step.expects},
    )
    return Problem(
        foresight.enter(start, False),
        [*items, *options],
        foresight.apply,
        foresight.settled,
        foresight.bound,
    )


def _times(timed: Timed) -> tuple[Step, int, int]:
    step, invoked, completed = timed
    return step, invoked, FOREVER if completed is None else completed


def _seen(
    items: Sequence[Item], options: Sequence[Item], start: Hashable, avoidance: bool
) -> list[Item]:
    """Leave out the options that write what nobody observes, unless absence is observed too."""
    if avoidance:
        return list(options)
    by_value: dict[Hashable, list[Item]] = {}
    for item in options:
        by_value.setdefault(item.step.new, []).append(item)
    waiting = {item.step.value for item in items if item.step.expects}
    kept: list[Item] = []
    while waiting:
        for item in by_value.pop(waiting.pop(), ()):
            kept.append(item)
            if item.step.expects:
                waiting.add(item.step.value)
    return kept


def _writers(items: Iterable[Item], start: Hashable) -> Counter[Hashable]:
    """Count who may have written each value; the start counts too."""
    writers = Counter(item.step.new for item in items if item.step.writes)
    writers[start] += 1
    return writers


def _proven(
    items: Sequence[Item], options: Sequence[Item], writers: Counter[Hashable]
) -> tuple[list[Item], list[Item]]:
    """Make musts of the options that alone can have written what a must observes."""
    alone = {item.step.new: item for item in options if writers[item.step.new] == 1}
    proven = list(items)
    taken: set[int] = set()
    for item in proven:  # grows on the way
        writer = alone.pop(item.step.value, None) if item.step.expects else None
        if writer is not None:
            proven.append(writer)
            taken.add(id(writer))
    return proven, [item for item in options if id(item) not in taken]


def _hasten(
    items: Sequence[Item], options: Sequence[Item], writers: Counter[Hashable], start: Hashable
) -> bool:
    """Let each sole writer be done before its first observer; return whether that is possible."""
    sole = {
        item.step.new: item for item in items if item.step.writes and writers[item.step.new] == 1
    }
    for item in sorted(items, key=lambda each: each.deadline):
        deadline = item.deadline
        while item.step.expects:
            value = item.step.value
            if not writers[value]:
                return False
            if value not in sole or sole[value].deadline <= deadline:
                break
            item = sole[value]
            if item.invoked > deadline:
                return False
            item.deadline = deadline
    return all(item.deadline < FOREVER for item in items)


def _totals(items: Sequence[Item], writers: Counter[Hashable]) -> dict[Hashable, int]:
    totals = {value: 0 for value, count in writers.items() if count == 1}
    for item in items:
        if item.step.expects and item.step.value in totals:
            totals[item.step.value] += 1
    return totals


@define
class _Foresight:
    totals: dict[Hashable, int]
    """How many musts observe each value that is written once."""
    hoped: set[Hashable]
    """Values that optional operations expect."""
    avoided: set[Hashable]
    """Values whose absence is observed."""
    observed: set[Hashable]
    """Values that musts expect."""

    def enter(self, value: Hashable, optional: bool) -> State:
        """Return the state in which this was just written."""
        if value in self.observed or value in self.hoped or value in self.avoided:
            return value, 0, optional
        return NOTHING, 0, optional

    def apply(self, state: State, step: Step) -> tuple[State, ...]:
        """Do a step, where that is possible and not hopeless."""
        value, count, awaited = state
        if step.avoids:
            return () if value == step.value else ((value, count, False),)
        total = self.totals.get(value)
        if step.expects:
            if value != step.value:
                return ()
            if total is not None and not step.optional:
                count += 1
            if not step.writes:
                spent = count == total and value not in self.hoped and value not in self.avoided
                return (_UNSEEN if spent else (value, count, False),)
        elif awaited:
            return ()
        if total is not None and count < total:
            return ()
        return (self.enter(step.new, step.optional),)

    def settled(self, state: State) -> bool:
        """Return whether nobody will observe the value, nor its absence."""
        return state == _UNSEEN and not self.avoided

    def bound(self, state: State) -> bool:
        """Return whether there are still some who must observe the value, which comes once."""
        total = self.totals.get(state[0])
        return total is not None and state[1] < total
