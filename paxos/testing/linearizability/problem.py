"""What the search works on: operations reduced to intervals and steps between states."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final

from attrs import define, field, frozen

FOREVER: Final = 1 << 62


def never(state: Any) -> bool:
    """Return False: nothing is known about states."""
    return False


@define
class Item:
    """An operation that takes effect once between two lines; or, with no deadline, perhaps."""

    step: Any
    """What `Problem.apply` is given."""
    invoked: int
    deadline: int
    """The line of completion, or `FOREVER`: it may also be left out."""
    observes: bool
    """It never changes what others see, so it is done as soon as the state permits."""
    twin: Hashable
    """Items with equal twins lead from equal states to equal states."""


@frozen
class Problem:
    """Find an order of the items in which each step is possible."""

    start: Any
    items: Sequence[Item]
    apply: Callable[[Any, Any], Iterable[Any]]
    settled: Callable[[Any], bool] = field(default=never)
    """Whether nobody will ever observe this state. What leads from such a state to the same one
    through bound states only is done at once: no other order can be better."""
    bound: Callable[[Any], bool] = field(default=never)
    """Whether this state is entered only once, and left only when all who must observe it have."""
