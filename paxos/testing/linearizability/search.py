"""The search of Wing and Gong, with Lowe's memory of what was tried and his just-in-time order.

Nothing that changes the state takes effect before somebody's completion demands it. So a
configuration is small: the next completion, the state, and which of the open operations are done.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from typing import Any, TypeAlias

from attrs import define, field

from paxos.testing.linearizability.problem import FOREVER, Item, Problem

Config: TypeAlias = tuple[int, Any, int, tuple[int, ...]]
"""Next completion, state, bits of the open items that are done, and how many optional items of
each kind of twins are done (of twins without a deadline the first invoked is taken first)."""


class UndecidedError(Exception):
    """The budget is spent."""


@define
class Budget:
    """Bounds a check in time and in memory."""

    deadline: float
    """On the clock of ``time.monotonic``, in seconds."""
    configurations: int
    """How many configurations may still be remembered."""
    spent: int = 0

    def spend(self) -> None:
        """Count one configuration. Raises `UndecidedError` at the end of the budget."""
        self.spent += 1
        self.configurations -= 1
        if self.configurations < 0 or (self.spent % 256 == 0 and time.monotonic() > self.deadline):
            raise UndecidedError


def solve(problem: Problem | None, budget: Budget) -> bool:
    """Return whether there is an order. Raises `UndecidedError`."""
    if problem is None:
        return False
    return _Search(problem, budget).run()


@define
class _Moment:
    """A completion, and what is open at it; earliest deadline first."""

    bit: int
    line: int
    observers: list[tuple[int, Item]]
    changers: list[tuple[int, Item]]


@define
class _Search:
    problem: Problem
    budget: Budget
    _moments: list[_Moment] = field(factory=list)
    _optional: list[list[Item]] = field(factory=list)
    _seen: dict[Hashable, list[tuple[int, ...]]] = field(factory=dict)

    def run(self) -> bool:
        """Search depth first."""
        self._moments = list(_moments(self.problem))
        kinds: dict[Hashable, list[Item]] = {}
        for item in sorted(self.problem.items, key=lambda each: each.invoked):
            if item.deadline == FOREVER and not item.observes:
                kinds.setdefault(item.twin, []).append(item)
        self._optional = list(kinds.values())
        stack: list[Config] = [(0, self.problem.start, 0, (0,) * len(self._optional))]
        while stack:
            advanced = self._advance(stack.pop())
            if advanced is None:
                return True
            if self._is_new(advanced):
                stack.extend(self._successors(advanced))
        return False

    def _advance(self, config: Config) -> Config | None:
        """Pass completions of what is done, and do all that only observes; None at the end."""
        position, state, done, counts = config
        moments, apply = self._moments, self.problem.apply
        while position < len(moments):
            moment = moments[position]
            if done & moment.bit:
                done ^= moment.bit
                position += 1
                continue
            for bit, item in moment.observers:
                if not done & bit:
                    for state in apply(state, item.step):  # noqa: B007, B020 - it goes on from there
                        done |= bit
                        break
            if not done & moment.bit:
                return position, state, done, counts
        return None

    def _is_new(self, config: Config) -> bool:
        """Remember a configuration; one that has done fewer optional items is as good."""
        self.budget.spend()
        position, state, done, counts = config
        tried = self._seen.setdefault((position, state, done), [])
        for other in tried:
            if all(a <= b for a, b in zip(other, counts, strict=True)):
                return False
        tried.append(counts)
        return True

    def _successors(self, config: Config) -> list[Config]:
        """Return where one more item leads, the most promising last."""
        position, state, done, counts = config
        moment, apply = self._moments[position], self.problem.apply
        twins: set[Hashable] = set()
        found: list[Config] = []
        settled = self.problem.settled(state)
        for bit, item in moment.changers:
            if done & bit or item.twin in twins:
                continue
            twins.add(item.twin)
            for after in apply(state, item.step):
                following = (position, after, done | bit, counts)
                if settled and (free := self._return(following, state)) is not None:
                    return [free]
                found.append(following)
                if bit == moment.bit:  # what is demanded, before what may wait
                    found.insert(0, found.pop())
        for kind, items in enumerate(self._optional):
            count = counts[kind]
            if count == len(items) or items[count].invoked > moment.line:
                continue
            if items[count].twin in twins:
                continue
            more = (*counts[:kind], count + 1, *counts[kind + 1 :])
            found.extend((position, after, done, more) for after in apply(state, items[count].step))
        found.reverse()
        return found

    def _return(self, config: Config, settled: Any) -> Config | None:
        """Follow a configuration while only one step is possible; None if that does not return."""
        position, state, done, counts = config
        moment, apply = self._moments[position], self.problem.apply
        while state != settled:
            for bit, item in moment.observers:
                if not done & bit:
                    for state in apply(state, item.step):  # noqa: B007, B020 - it goes on from there
                        done |= bit
                        break
            if state == settled:
                break
            if not self.problem.bound(state):
                return None
            steps = [
                (bit, after)
                for bit, item in moment.changers
                if not done & bit
                for after in apply(state, item.step)
            ]
            if len(steps) != 1:
                return None
            done, state = done | steps[0][0], steps[0][1]
        return position, state, done, counts


def _moments(problem: Problem) -> Iterator[_Moment]:
    """Sweep over all intervals; an open item has a bit of its own, used again after it."""
    musts = [item for item in problem.items if item.deadline < FOREVER]
    events = [(item.invoked, 0, index) for index, item in enumerate(musts)]
    events += [(item.deadline, 1, index) for index, item in enumerate(musts)]
    bits: dict[int, int] = {}
    free: list[int] = []
    opened: list[tuple[int, int]] = []  # deadline and index
    for line, is_completion, index in sorted(events):
        if not is_completion:
            bits[index] = free.pop() if free else 1 << len(bits)
            insort(opened, (musts[index].deadline, index))
            continue
        items = [(bits[each], musts[each]) for _, each in opened]
        yield _Moment(
            bits[index],
            line,
            [pair for pair in items if pair[1].observes],
            [pair for pair in items if not pair[1].observes],
        )
        free.append(bits.pop(index))
        del opened[bisect_left(opened, (line, index))]
