"""The shortest stretch of a history that proves that the whole is not linearizable."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from attrs import define, field, frozen

from paxos.testing.linearizability.history import Operation
from paxos.testing.linearizability.models import Model, Starts, may, must
from paxos.testing.linearizability.search import Budget, UndecidedError, solve

SLIDING: Final = 200_000
"""How many operations are looked at again to find a window shorter than the first one."""


@frozen
class Window:
    """Operations of one key that fit in no order, whatever state they began in.

    ``operations`` are all that lie between two lines. ``around`` are those that overlap them and
    may or may not take effect in between: they were tried in every way, and do not help.
    """

    operations: Sequence[Operation]
    around: Sequence[Operation]


@frozen
class _Stretch:
    first: int
    last: int
    """Lines."""
    musts: Sequence[Operation]
    mays: Sequence[Operation]


@define
class _Finder:
    model: Model
    operations: Sequence[Operation]
    """In the order of their invocations, as are ``musts``."""
    budget: Budget
    musts: list[Operation] = field(factory=list)
    starts: Starts | None = None
    _open: list[tuple[Operation, ...]] = field(factory=list)
    """By operation, those that may change something and were open when it was invoked."""

    def __attrs_post_init__(self) -> None:
        self.musts = [each for each in self.operations if must(each, self.model)]
        self.starts = self.model.starts(self.operations)
        self._open = list(_open(self.operations, self.model))

    def stretch(self, first: int, last: int) -> _Stretch:
        """Return what lies between two lines, and what overlaps it."""
        begin = bisect_left(self.operations, first, key=_invoked)
        end = bisect_left(self.operations, last, key=_invoked)
        musts: list[Operation] = []
        mays = list(self._open[begin]) if begin < len(self._open) else []
        for each in self.operations[begin:end]:
            inside = each.completed is not None and each.completed <= last
            if inside and must(each, self.model):
                musts.append(each)
            elif not inside and may(each, self.model):
                mays.append(each)
        return _Stretch(first, last, musts, mays)

    def offends(self, stretch: _Stretch) -> bool:
        """Return whether a stretch alone is a proof; False too where that takes too long."""
        limit = Budget(self.budget.deadline, min(100_000, self.budget.configurations))
        try:
            for start in self._beginnings(stretch):
                if solve(self.model.problem(stretch.musts, stretch.mays, start), limit):
                    return False
        except UndecidedError:
            return False
        return True

    def _beginnings(self, stretch: _Stretch) -> Iterator[object]:
        if stretch.first <= self.operations[0].invoked:
            yield self.model.init()
        elif self.starts is not None:
            yield from self.starts(stretch.musts, stretch.mays, stretch.first)

    def earliest_end(self) -> int:
        """Return the first line by which something must have gone wrong."""
        ends = sorted(each.completed for each in self.musts if each.completed is not None)
        low, high = 0, len(ends) - 1  # the whole history offends
        while low < high:
            middle = (low + high) // 2
            if self.offends(self.stretch(0, ends[middle])):
                high = middle
            else:
                low = middle + 1
        return ends[high]

    def latest_begin(self, last: int) -> _Stretch:
        """Shorten a stretch from its beginning: by doubling, then by halving."""
        lines = [each.invoked for each in self.musts if each.invoked < last]
        whole = self.stretch(lines[0], last)
        if self.starts is None:
            return whole
        size, best = 1, 0
        while size < len(lines):
            if self.offends(self.stretch(lines[-size], last)):
                best = len(lines) - size
                break
            size *= 2
        high = len(lines) - size // 2  # does not offend
        while high - best > 1:
            middle = (best + high) // 2
            if self.offends(self.stretch(lines[middle], last)):
                best = middle
            else:
                high = middle
        return self.stretch(lines[best], last)

    def slide(self, best: _Stretch) -> _Stretch:
        """Look for a stretch with fewer operations that ends later."""
        work = 0
        for each in sorted(self.musts, key=lambda each: each.completed or 0):
            if each.completed is None or each.completed <= best.last or len(best.musts) <= 2:
                continue
            begin = bisect_left(self.musts, each.completed, key=_invoked) - len(best.musts) + 1
            tried = self.stretch(self.musts[max(0, begin)].invoked, each.completed)
            work += len(tried.musts) + len(tried.mays)
            if work > SLIDING:
                break
            if len(tried.musts) < len(best.musts) and self.offends(tried):
                best = self.latest_begin(each.completed)
        return best


def find_window(model: Model, operations: Sequence[Operation], budget: Budget) -> Window:
    """Return the shortest window of one key's operations, which are not linearizable."""
    finder = _Finder(model, operations, budget)
    best = finder.latest_begin(finder.earliest_end())
    if finder.starts is not None:
        best = finder.slide(best)
    return Window(tuple(best.musts), tuple(best.mays))


def _open(operations: Sequence[Operation], model: Model) -> Iterator[tuple[Operation, ...]]:
    current: list[Operation] = []
    for before, each in pairwise((None, *operations)):
        assert each is not None
        if before is not None and may(before, model):
            current.append(before)
        current = [one for one in current if one.completed is None or one.completed > each.invoked]
        yield tuple(current)


def _invoked(operation: Operation) -> int:
    return operation.invoked
