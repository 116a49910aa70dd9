"""What a model is: how one key behaves when its operations come one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeAlias

from paxos.testing.linearizability.history import Operation, Outcome
from paxos.testing.linearizability.problem import FOREVER, Item, Problem

Starts: TypeAlias = Callable[[Sequence[Operation], Sequence[Operation], int], Iterable[Any]]
"""See `Model.starts`."""


class Model(ABC):
    """One key's sequential behaviour; a model of your own needs `init` and `apply`.

    The other methods only make the search faster. Partition by key is done before.
    """

    functions: frozenset[str] | None = None
    """The operations that the model knows; None: all."""

    @abstractmethod
    def init(self) -> Hashable:
        """Return the state before the first operation."""

    @abstractmethod
    def apply(self, state: Any, operation: Operation) -> Iterable[Hashable]:
        """Return the states to which the operation may lead; none if it cannot be next.

        An operation of unknown outcome (`Outcome.INFO`) has no result that could disagree.
        """

    def observes(self, operation: Operation) -> bool:
        """Return whether the operation never changes the state, as a read."""
        return operation.f == "read"

    def constrains(self, operation: Operation) -> bool:
        """Return whether a failed operation says something all the same; else it is left out."""
        return False

    def problem(
        self, musts: Sequence[Operation], mays: Sequence[Operation], start: Any
    ) -> Problem | None:
        """Prepare a search for an order of all ``musts`` and any of ``mays``, from a state.

        A may is taken for one of unknown outcome. None: there is no such order. The override of a
        built-in model uses that everything is known beforehand.
        """
        return Problem(
            start,
            [self._item(operation, operation.completed) for operation in musts]
            + [self._item(operation, None) for operation in mays],
            self.apply,
        )

    def _item(self, operation: Operation, completed: int | None) -> Item:
        return Item(
            step=operation,
            invoked=operation.invoked,
            deadline=FOREVER if completed is None else completed,
            observes=self.observes(operation),
            twin=(operation.f, operation.value, operation.result, operation.outcome),
        )

    def starts(self, operations: Sequence[Operation]) -> Starts | None:
        """Return a function of musts, mays and first line of a window of these operations.

        That returns the states in which the window may begin, or as many as make a difference.
        None: not known, so every window begins at the beginning.
        """
        return None


def must(operation: Operation, model: Model) -> bool:
    """Return whether the operation has a place in every order."""
    if operation.outcome is Outcome.FAIL:
        return model.constrains(operation)
    return operation.outcome is Outcome.OK


def may(operation: Operation, model: Model) -> bool:
    """Return whether the operation may influence others, if it is not known to have ended."""
    return operation.outcome is not Outcome.FAIL and not model.observes(operation)
