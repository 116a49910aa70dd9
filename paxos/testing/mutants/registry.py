"""How a mutant is written, found and put in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from attrs import frozen

FoundBy: TypeAlias = Literal["roles", "settling", "leases", "pauses", "read leases", "simulation"]
"""Who must catch a mutant: the explorer or a `RoleCluster`, which look at the roles alone; a
`RoleCluster` that must make progress once all faults have ended; a `LeaseCluster`, which looks at
named elections alone; a `PausedCluster`; a `ReadLeaseCluster`; or only a whole simulated node."""


@frozen
class Mutant:
    """A known bug: a small patch, and the rule that it breaks."""

    name: str
    breaks: str
    """The rule, in one sentence."""
    owner: Any
    """The class or module that is patched."""
    patches: Mapping[str, object]
    """By attribute, what takes its place."""
    schedule: int | None
    """Which of the classic schedules it is, by number, if any."""
    found_by: FoundBy


MUTANTS: dict[str, Mutant] = {}
"""By name, in the order of the roles."""


def mutant(
    owner: Any,
    attribute: str,
    *,
    schedule: int | None = None,
    found_by: FoundBy = "roles",
    wrap: Callable[[Any], object] = lambda function: function,
    **more: object,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function that takes the place of ``owner.attribute``.

    Its name is the mutant's, its docstring the rule that it breaks. ``more`` are attributes to be
    replaced beside it; ``wrap`` makes what is not a plain method of the function.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name, breaks = function.__name__, (function.__doc__ or "").strip()
        assert name not in MUTANTS, f"two mutants are called {name}"
        patches = {attribute: wrap(function), **more}
        MUTANTS[name] = Mutant(name, breaks, owner, patches, schedule, found_by)
        return function

    return register


@contextmanager
def mutated(name: str) -> Iterator[Mutant]:
    """Put a known bug in place, for as long as the block lasts.

    It changes the class for the whole process: run one at a time.

    Raises:
        KeyError: If there is no such mutant.

    """
    mutant = MUTANTS[name]
    kept = {attribute: vars(mutant.owner)[attribute] for attribute in mutant.patches}
    try:
        for attribute, replacement in mutant.patches.items():
            setattr(mutant.owner, attribute, replacement)
        yield mutant
    finally:
        for attribute, original in kept.items():
            setattr(mutant.owner, attribute, original)
