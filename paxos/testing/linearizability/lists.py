"""A list to which elements are appended; a read returns all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from attrs import frozen

from paxos.testing.linearizability.history import Operation
from paxos.testing.linearizability.models import Model, Starts
from paxos.testing.linearizability.problem import FOREVER, Item, Problem

_OPTIONAL: Final = "optional"


class AppendList(Model):
    """Append of one element, and read of the whole list; null is the empty list."""

    functions = frozenset({"read", "append"})

    def init(self) -> Hashable:
        """Return the empty list."""
        return ()

    def apply(self, state: Any, operation: Operation) -> Iterable[Hashable]:
        """Return the longer list, or nothing where a read saw another one."""
        if operation.f == "append":
            return ((*state, operation.value),)
        return (state,) if _seen(operation) == state else ()

    def problem(
        self, musts: Sequence[Operation], mays: Sequence[Operation], start: Any
    ) -> Problem | None:
        """Prepare the search along the longest list that was read: others are its beginnings."""
        reads = [each for each in musts if each.f == "read"]
        lists = [_seen(each) for each in reads]
        longest = max(lists, key=_length, default=())
        if not isinstance(longest, tuple) or any(
            not isinstance(each, tuple) or longest[: len(each)] != each for each in lists
        ):
            return None
        if not reads or longest[: len(start)] != start:
            return None if reads else Problem(start, (), self.apply)
        appends = [each for each in musts if each.f == "append"]
        items = [self._item(each, each.completed) for each in reads]
        items += _appends(appends, mays, longest, len(start), reads)
        if any(item.deadline < item.invoked for item in items):
            return None
        road = _Road(longest, Counter(map(_length, lists)))
        return Problem((len(start), 0), items, road.apply, road.beyond)

    def starts(self, operations: Sequence[Operation]) -> Starts:
        """Return what finds the lists that a window may begin with."""
        return _starts


def _starts(musts: Sequence[Operation], mays: Sequence[Operation], line: int) -> Iterable[Any]:
    """Go back from the first list read, as far as what the window appends explains its end."""
    lists = [_seen(each) for each in musts if each.f == "read"]
    shortest = min(lists, key=_length, default=())
    if not isinstance(shortest, tuple):
        return
    supply = Counter(each.value for each in (*musts, *mays) if each.f == "append")
    for length in range(len(shortest), -1, -1):
        yield shortest[:length]
        if not length or not supply[shortest[length - 1]]:
            return
        supply[shortest[length - 1]] -= 1


def _seen(read: Operation) -> Any:
    return () if read.result is None else read.result


def _length(seen: Any) -> int:
    """Return a list's length; what is no list is sorted where it is found."""
    return len(seen) if isinstance(seen, tuple) else -1


def _appends(
    musts: Sequence[Operation],
    mays: Sequence[Operation],
    longest: tuple[Any, ...],
    begin: int,
    reads: Sequence[Operation],
) -> list[Item]:
    """Return the appends that matter; one that alone explains an element precedes who read it."""
    places = {element: place for place, element in enumerate(longest) if place >= begin}
    needed = Counter(longest[begin:])
    supply = Counter(each.value for each in (*musts, *mays) if each.f == "append")
    first_read = _first_reads(longest, reads)
    items = []
    for operations, optional in ((musts, False), (mays, True)):
        for each in operations:
            element, deadline = each.value, FOREVER if optional else each.completed or FOREVER
            if optional and not needed[element]:
                continue
            if needed[element] == supply[element] == 1:
                deadline = min(deadline, first_read[places[element]])
            twin = (element, _OPTIONAL if deadline == FOREVER else "")
            items.append(Item(_Append(element), each.invoked, deadline, False, twin))
    return items


def _first_reads(longest: tuple[Any, ...], reads: Sequence[Operation]) -> list[int]:
    """Return for each place of the list the line at which the first read of it is complete."""
    first = [FOREVER] * len(longest)
    for read in reads:
        if (length := _length(_seen(read))) and read.completed is not None:
            first[length - 1] = min(first[length - 1], read.completed)
    for place in range(len(first) - 2, -1, -1):
        first[place] = min(first[place], first[place + 1])
    return first


@frozen
class _Append:
    element: Any


Place: TypeAlias = tuple[int, int]
"""How long the list is, up to one more than the longest read, and how many reads saw it so."""


@frozen
class _Road:
    """The list grows along the longest read, and waits at each length for its readers."""

    longest: tuple[Any, ...]
    readers: Counter[int]

    def apply(self, place: Place, step: Operation | _Append) -> tuple[Place, ...]:
        """Append what comes next on the road, or read what is there."""
        length, count = place
        if isinstance(step, Operation):
            return ((length, count + 1),) if _length(_seen(step)) == length else ()
        if length > len(self.longest):
            return (place,)
        if count < self.readers[length]:
            return ()
        if length < len(self.longest) and self.longest[length] != step.element:
            return ()
        return ((length + 1, 0),)

    def beyond(self, place: Place) -> bool:
        """Return whether all reads are done."""
        return place[0] > len(self.longest)
