"""The model's reductions hide nothing: without them, the same things come to pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paxos.testing.explorer import explore
from paxos.testing.facts import Asked, Delivered, Fact, Kept
from paxos.testing.paxos_model import Move, PaxosModel, Size, State
from paxos.testing.role_steps import Budget


class Plodding(PaxosModel):
    """Every single step is a step; nobody is made to answer."""

    def _answered(self, state: State, news: int = -1, changed: int = -1) -> State:
        return state

    def _moves_of(self, seat: int, number: int, past: int) -> Iterator[Move]:
        yield from self._single_moves(seat, number, past)


def outcomes(model: PaxosModel) -> tuple[set[frozenset[Fact]], int]:
    """Return every set of durable and delivered things that may come to pass."""
    scope = model.facts.scope(lambda fact: isinstance(fact, Kept | Delivered | Asked))
    masks: set[int] = set()

    def note(state: State) -> bool:
        masks.add(state[-1] & scope.mask)
        return True

    model.always["noted"] = note
    seen = explore(model)
    assert seen.complete
    return {frozenset(model.facts.of(mask)) for mask in masks}, seen.states


@pytest.mark.parametrize(
    "size",
    [
        Size(nodes=("a", "b")),
        Size(nodes=("a", "b"), proposers=(Budget("a", 2),), learners=("a",)),
        Size(nodes=("a", "b"), proposers=(Budget("a", 2),), crashes=1, fragile=("a",)),
        Size(nodes=("a", "b"), proposers=(Budget("a", values=2),), slots=2, learners=("b",)),
    ],
)
def test_reduced_and_full_model_come_to_the_same_outcomes(size: Size) -> None:
    (reduced, few), (full, many) = outcomes(PaxosModel(size)), outcomes(Plodding(size))
    print(f"\n{size}: {few} states instead of {many}, {len(full)} outcomes")
    assert reduced == full
    assert few < many
