"""The verdict on a history."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from typing import Final

from attrs import frozen

from paxos.errors import PaxosError
from paxos.testing.linearizability.history import History, Operation
from paxos.testing.linearizability.models import Model, may, must
from paxos.testing.linearizability.problem import Problem
from paxos.testing.linearizability.search import Budget, UndecidedError, solve
from paxos.testing.linearizability.window import Window, find_window

CONFIGURATIONS: Final = 3_000_000
"""Remembered at most for one key; about a gigabyte."""


class ModelError(PaxosError):
    """A history has an operation that its model does not know."""


@frozen
class Verdict:
    """Whether a history is linearizable; None where the bounds did not suffice to find out."""

    linearizable: bool | None
    operations: int
    key: Hashable = None
    """Of the operations in the window; or the first of the keys that are undecided."""
    window: Window | None = None
    """Of a history that is not linearizable, the shortest proof that was found."""


def check(history: History, model: Model, timeout: float | None = None) -> Verdict:
    """Find out whether every key's operations fit into one order.

    In that order each operation takes effect at one moment between its invocation and its
    completion, and answers as the model says. ``timeout`` is in seconds; there is a bound of
    memory besides. Raises `ModelError`.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    parts = sorted(history.by_key().items(), key=lambda part: len(part[1]))
    undecided: list[Hashable] = []
    windows: list[tuple[Hashable, Window]] = []
    for key, operations in parts:
        _known(operations, model)
        budget = Budget(deadline, CONFIGURATIONS)
        try:
            fine = solve(_whole(operations, model), budget)
        except UndecidedError:
            undecided.append(key)
            continue
        if not fine:
            budget = Budget(deadline, CONFIGURATIONS)
            windows.append((key, find_window(model, operations, budget)))
    if windows:
        key, window = min(windows, key=lambda pair: len(pair[1].operations))
        return Verdict(False, len(history), key, window)
    if undecided:
        return Verdict(None, len(history), undecided[0])
    return Verdict(True, len(history))


def _known(operations: Sequence[Operation], model: Model) -> None:
    for each in operations:
        if model.functions is not None and each.f not in model.functions:
            known = ", ".join(sorted(model.functions))
            raise ModelError(f"line {each.invoked}: {each.f} is none of the model's {known}")


def _whole(operations: Sequence[Operation], model: Model) -> Problem | None:
    musts = [each for each in operations if must(each, model)]
    mays = [each for each in operations if each.completed is None and may(each, model)]
    return model.problem(musts, mays, model.init())
