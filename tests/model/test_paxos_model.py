"""The roles, explored completely in small clusters: every order, loss, duplication and crash.

The numbers of states are exact: a change of a role's behaviour changes them. If it was meant, run
``pytest tests/model -s``, look at the numbers, and write the new ones down.
"""

from __future__ import annotations

import pytest

from paxos.testing.explorer import Exploration, explore, follow
from paxos.testing.paxos_model import PaxosModel, Size
from paxos.testing.paxos_properties import paxos_model
from paxos.testing.role_steps import Budget

ONE_BALLOT_EACH = Size()


def explored(size: Size, states: int) -> Exploration:
    seen = explore(paxos_model(size))
    print(f"\n{size}\n{seen}")
    assert seen.holds, str(seen)
    assert seen.states == states
    return seen


def test_two_proposers_agree_in_one_slot() -> None:
    seen = explored(ONE_BALLOT_EACH, 14_049)
    assert set(seen.witnesses) == {
        "a value of a is chosen",
        "a value of b is chosen",
        "an acceptor refuses",
        "two ballots have votes in a slot",
        "a proposer adopts another's value",
    }


def test_what_the_learner_delivers_is_chosen() -> None:
    explored(Size(learners=("a",)), 92_081)


def test_restart_in_between_of_an_acceptor_and_proposer_keeps_agreement() -> None:
    explored(Size(crashes=1, fragile=("a",)), 52_915)


def test_restart_in_between_of_an_acceptor_keeps_agreement() -> None:
    explored(Size(crashes=1, fragile=("c",)), 60_214)


def leading(size: Size) -> tuple[PaxosModel, tuple[int, ...]]:
    """Return a model, and the state in which all have promised ``a`` and its proposals are out."""
    model = paxos_model(size)
    hear = [f"{node}'s acceptor hears from a: Prepare" for node in size.nodes]
    propose = [f"a proposes a{slot}" for slot in range(size.slots)]
    return model, follow(model, "a prepares", *hear, *propose)


def test_two_slots_are_decided_and_gaps_are_filled_when_a_leader_is_challenged() -> None:
    proposers = (Budget("a", values=2), Budget("b"))
    model, start = leading(Size(slots=2, proposers=proposers))
    seen = explore(model, start=start)
    print(f"\na leads; {model.size}\n{seen}")
    assert seen.holds, str(seen)
    assert seen.states == 138_337
    assert "a no-op is chosen below a command" in seen.witnesses


def test_witness_is_a_readable_list_of_steps() -> None:
    seen = explore(paxos_model(ONE_BALLOT_EACH))
    lines = str(seen.witnesses["an acceptor refuses"]).splitlines()
    assert lines[:2] == ["  1 a prepares", "  2 b prepares"]
    assert lines[-1] == "  => an acceptor refuses"


def test_equal_sizes_are_explored_equally() -> None:
    one, two = (explore(paxos_model(ONE_BALLOT_EACH)) for _ in range(2))
    assert one == two


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("size", "states"),
    [
        (Size(proposers=(Budget("a", 2, 2), Budget("b"))), 915_457),
        (Size(slots=2, proposers=(Budget("a", values=2), Budget("b", values=0))), 1_303_997),
        (Size(slots=2, proposers=(Budget("a", values=2), Budget("b"))), 1_784_813),
    ],
    ids=["three ballots", "two slots, one asks", "two slots, both ask"],
)
def test_larger_configurations(size: Size, states: int) -> None:
    seen = explore(paxos_model(size))
    print(f"\n{size}\n{seen}")
    assert seen.violation is None, str(seen)
    assert seen.states == states
