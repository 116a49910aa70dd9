"""A register with compare-and-set; one for each key is a key-value store."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final

from attrs import define

from paxos.testing.linearizability.foresight import Step, foresee
from paxos.testing.linearizability.history import Operation, Outcome
from paxos.testing.linearizability.models import Model, Starts
from paxos.testing.linearizability.problem import Problem
from paxos.testing.linearizability.values import Opaque

UNSEEN: Final = Opaque("")
"""A value that no operation knows."""


@define
class Register(Model):
    """Read, write and compare-and-set of one value, null before the first write.

    With ``strict_cas`` a failed cas observes that the value was not the expected one; without, it
    says nothing, as a service may also refuse a cas for other reasons.
    """

    strict_cas: bool = False
    functions = frozenset({"read", "write", "cas"})

    def init(self) -> Hashable:
        """Return null."""
        return None

    def apply(self, state: Any, operation: Operation) -> Iterable[Hashable]:
        """Return the next value, or nothing where the operation saw another than this."""
        step = self._step(operation)
        if step.avoids and state == step.value:
            return ()
        if step.expects and state != step.value:
            return ()
        return (step.new if step.writes else state,)

    def observes(self, operation: Operation) -> bool:
        """Return whether the value stays: for a read, a failed cas, and a cas to the same."""
        return not self._step(operation).writes

    def constrains(self, operation: Operation) -> bool:
        """Return whether this is a failed cas that is taken at its word."""
        return self.strict_cas and operation.f == "cas"

    def problem(
        self, musts: Sequence[Operation], mays: Sequence[Operation], start: Any
    ) -> Problem | None:
        """Prepare the search, with foresight."""
        return foresee(
            [(self._step(each), each.invoked, each.completed) for each in musts],
            [(self._step(each), each.invoked, None) for each in mays],
            start,
        )

    def starts(self, operations: Sequence[Operation]) -> Starts:
        """Return what finds the values that a window observes and that existed before it."""
        first: dict[Hashable, int] = {self.init(): 0}
        for operation in operations:
            step = self._step(operation)
            if step.writes and operation.outcome is not Outcome.FAIL:
                first[step.new] = min(operation.invoked, first.get(step.new, operation.invoked))

        def values(
            musts: Sequence[Operation], mays: Sequence[Operation], line: int
        ) -> Iterable[Hashable]:
            observed = {
                step.value
                for step in map(self._step, (*musts, *mays))
                if (step.expects or step.avoids) and first.get(step.value, line) < line
            }
            return [UNSEEN, *sorted(observed, key=repr)]

        return values

    def _step(self, operation: Operation) -> Step:
        match operation.f:
            case "read":
                return Step(value=operation.result, expects=True)
            case "write":
                return Step(new=operation.value, writes=True)
            case "cas":
                expected, new = operation.value
                if operation.outcome is Outcome.FAIL:
                    return Step(value=expected, avoids=True)
                return Step(value=expected, expects=True, new=new, writes=new != expected)
        raise ValueError(f"a register knows no {operation.f}")
