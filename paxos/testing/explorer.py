"""A small explicit-state explorer: every reachable state of a model, breadth first.

A model says where it starts and what may happen next; the explorer visits each state once and tells
which `always` property fails, with a shortest list of steps to the failure, and which `sometimes`
property was never seen to hold, so that nothing holds for want of anything happening.

>>> class Clock:
...     always = {"before twelve": lambda hour: hour < 12}
...     sometimes = {"noon": lambda hour: hour == 6, "midnight": lambda hour: hour == 99}
...     def start(self): return 0
...     def steps(self, hour): return [("an hour passes", (hour + 1) % 12)]
>>> print(explore(Clock()))
12 states, 12 steps, depth 11, complete
never seen: midnight
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from attrs import field, frozen

S = TypeVar("S", bound=Hashable)


class Model(Protocol[S]):
    """What can happen; states are compared and hashed, so equal states are visited once."""

    @property
    def always(self) -> Mapping[str, Callable[[S], bool]]:
        """By name, what must hold in every state."""
        ...

    @property
    def sometimes(self) -> Mapping[str, Callable[[S], bool]]:
        """By name, what must hold in some state."""
        ...

    def start(self) -> S:
        """Return the first state."""
        ...

    def steps(self, state: S) -> Iterable[tuple[str, S]]:
        """Return what may happen next, in words (one line or several), and where it leads."""
        ...


@frozen
class Path:
    """A shortest way from the start to a state of interest."""

    name: str
    """The property that fails or holds at its end."""
    steps: tuple[str, ...]

    def __str__(self) -> str:
        """Return one numbered line for each step, and the property at the end."""
        lines = [line for step in self.steps for line in step.splitlines()]
        return "\n".join(
            [f"{i:3} {line}" for i, line in enumerate(lines, 1)] + [f"  => {self.name}"]
        )


@frozen
class Exploration:
    """What the explorer saw."""

    states: int
    """How many different states were reached."""
    steps: int
    """How many steps were tried, those to known states included."""
    depth: int
    """How many steps the farthest state is away."""
    complete: bool
    """Whether every reachable state was visited: no violation, no bound stopped it."""
    violation: Path | None
    witnesses: Mapping[str, Path]
    """By `sometimes` property, the way to the first state in which it held."""
    unseen: tuple[str, ...] = field(default=())
    """The `sometimes` properties that held in no visited state."""

    @property
    def holds(self) -> bool:
        """Whether every property was explored to the end and holds."""
        return self.complete and self.violation is None and not self.unseen

    def __str__(self) -> str:
        """Return the counts, then what is wrong, if anything."""
        end = "complete" if self.complete else "incomplete"
        lines = [f"{self.states} states, {self.steps} steps, depth {self.depth}, {end}"]
        lines += [f"never seen: {name}" for name in self.unseen]
        lines += [f"violated:\n{self.violation}"] if self.violation else []
        return "\n".join(lines)


def follow(model: Model[S], *words: str) -> S:
    """Return the state after some first steps, each the first that mentions the next words.

    Raises:
        ValueError: If no step does.

    """
    state = model.start()
    for word in words:
        for told, successor in model.steps(state):
            if word in told:
                state = successor
                break
        else:
            raise ValueError(f"no step mentions {word!r}")
    return state


def explore(
    model: Model[S], *, start: S | None = None, max_states: int = 10_000_000
) -> Exploration:
    """Visit states breadth first until all are known, a property fails, or the bound is reached.

    It begins at ``start``, or where the model does. Every state is kept whole, not as a
    fingerprint, so no two states are ever taken for one.
    """
    return _Search(model, max_states).run(start if start is not None else model.start())


class _Search(Generic[S]):
    def __init__(self, model: Model[S], max_states: int) -> None:
        self.model = model
        self.max_states = max_states
        self.parents: dict[S, S | None] = {}
        self.always = tuple(model.always.items())
        self.awaited = dict(model.sometimes)
        self.witnesses: dict[str, Path] = {}
        self.violation: Path | None = None
        self.steps = 0

    def run(self, start: S) -> Exploration:
        self.parents[start] = None
        complete = self._sound(start)
        level, depth = [start], 0
        while complete and (following := self._next_level(level)) is not None:
            if not following:
                break
            level, depth = following, depth + 1
        else:
            complete = False
        states, unseen = len(self.parents), tuple(self.awaited)
        return Exploration(
            states, self.steps, depth, complete, self.violation, self.witnesses, unseen
        )

    def _next_level(self, level: list[S]) -> list[S] | None:
        """Return the states one step farther away, or None if the search must end."""
        parents, following = self.parents, []
        for state in level:
            for _, successor in self.model.steps(state):
                self.steps += 1
                if successor in parents:
                    continue
                if len(parents) >= self.max_states:
                    return None
                parents[successor] = state
                if not self._sound(successor):
                    return None
                following.append(successor)
        return following

    def _sound(self, state: S) -> bool:
        """Look for what is awaited, and tell whether everything holds that always must."""
        for name, holds in self.always:
            if not holds(state):
                self.violation = self._path(name, state)
                return False
        for name in [name for name, holds in self.awaited.items() if holds(state)]:
            del self.awaited[name]
            self.witnesses[name] = self._path(name, state)
        return True

    def _path(self, name: str, state: S) -> Path:
        """Walk back to the start; only states are kept, so the words are found anew."""
        words: list[str] = []
        while (parent := self.parents[state]) is not None:
            words.append(next(word for word, to in self.model.steps(parent) if to == state))
            state = parent
        return Path(name, tuple(reversed(words)))
