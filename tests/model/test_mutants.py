"""Every known bug of the roles is caught, and by the same means nothing is found without one."""

from __future__ import annotations

import pytest

from paxos.testing.explorer import explore, follow
from paxos.testing.mutants import MUTANTS, mutated
from paxos.testing.paxos_model import Size
from paxos.testing.paxos_properties import paxos_model
from paxos.testing.role_steps import Budget
from paxos.testing.roles import RoleCluster

CLUSTERS = [(3, 2, 1, 120), (3, 3, 12, 300), (5, 3, 1, 200), (5, 3, 12, 400)]
"""Nodes, proposers, slots and steps, in turn."""

SEEDS = 120

PLAIN = Size()
CRASH = Size(crashes=1, fragile=("a",))
LEARNER = Size(learners=("a",))
TWICE = Size(proposers=(Budget("a", 2), Budget("b")))
FIVE = Size(nodes=("a", "b", "c", "d", "e"), proposers=(Budget("a", 2), Budget("b")))

EXPLORED: dict[str, tuple[Size, tuple[str, ...]]] = {
    "vote_is_no_promise": (PLAIN, ()),
    "accepts_below_its_promise": (PLAIN, ()),
    "promises_a_lower_ballot": (PLAIN, ()),
    "promise_hides_votes": (PLAIN, ()),
    "first_vote_is_kept": (PLAIN, ()),
    "votes_before_persisting": (CRASH, ()),
    "promises_before_persisting": (CRASH, ()),
    "promise_is_not_persisted": (CRASH, ()),
    "vote_is_not_persisted": (LEARNER, ()),
    "restart_forgets_promises": (CRASH, ()),
    "restart_forgets_votes": (CRASH, ()),
    "trimmed_passes_for_empty": (LEARNER, ()),
    "refused_is_called_accepted": (PLAIN, ()),
    "promise_is_counted_twice": (PLAIN, ()),
    "ballots_have_no_owner": (PLAIN, ()),
    "lower_proposal_is_believed": (LEARNER, ()),
    "proposed_passes_for_chosen": (LEARNER, ()),
    "stale_promise_is_counted": (
        TWICE,
        ("a prepares", "a's acceptor hears", "b's acceptor hears", "a prepares", "a proposes"),
    ),
    "most_frequent_value_wins": (
        FIVE,
        (
            "a prepares",
            *(f"{node}'s acceptor hears from a" for node in "abc"),
            "a proposes a0",
            *(f"{node}'s acceptor hears from a: Accept" for node in "ab"),
            "b prepares",
            *(f"{node}'s acceptor hears from b" for node in "cde"),
            "b proposes b0",
            *(f"{node}'s acceptor hears from b: Accept" for node in "cde"),
        ),
    ),
}
"""By mutant, what is explored, and the first steps of the explored runs."""


def broken_seed(seeds: int) -> tuple[int, str] | None:
    """Return the first seed that fails, and whether it broke a rule or made no progress."""
    for seed in range(seeds):
        nodes, proposers, slots, steps = CLUSTERS[seed % len(CLUSTERS)]
        try:
            cluster = RoleCluster(seed, nodes, proposers, slots, crash=0.01)
            for _ in range(steps):
                cluster.step()
            cluster.settle()
        except AssertionError as error:
            return seed, "progress" if "no progress" in str(error) else "safety"
    return None


def test_unmutated_roles_pass_the_same_seeds() -> None:
    assert broken_seed(SEEDS) is None


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, bug in MUTANTS.items()
        if bug.found_by == "roles" and (name not in EXPLORED or EXPLORED[name][1] == ())
    ],
)
def test_bug_breaks_a_rule_within_a_few_seeds(name: str) -> None:
    with mutated(name):
        assert broken_seed(SEEDS) is not None


@pytest.mark.parametrize("name", [n for n, bug in MUTANTS.items() if bug.found_by == "settling"])
def test_bug_hinders_progress_within_a_few_seeds(name: str) -> None:
    with mutated(name):
        found = broken_seed(SEEDS)
    assert found is not None
    assert found[1] == "progress"


@pytest.mark.parametrize("name", EXPLORED)
def test_bug_is_found_by_exploration(name: str) -> None:
    size, opening = EXPLORED[name]
    with mutated(name):
        model = paxos_model(size)
        seen = explore(model, start=follow(model, *opening), max_states=100_000)
    assert seen.violation is not None


@pytest.mark.parametrize(("size", "opening"), [EXPLORED[n] for n in EXPLORED if EXPLORED[n][1]])
def test_unmutated_roles_survive_the_same_openings(size: Size, opening: tuple[str, ...]) -> None:
    model = paxos_model(size)
    try:
        start = follow(model, *opening)
    except ValueError:
        return  # a bug alone can come so far
    assert explore(model, start=start, max_states=20_000).violation is None


def test_mutant_is_in_place_only_inside_the_block() -> None:
    for name, bug in MUTANTS.items():
        before = {attribute: vars(bug.owner)[attribute] for attribute in bug.patches}
        with mutated(name):
            assert all(vars(bug.owner)[a] is patch for a, patch in bug.patches.items())
        assert {a: vars(bug.owner)[a] for a in bug.patches} == before


def test_every_mutant_says_which_rule_it_breaks() -> None:
    assert len(MUTANTS) >= 25
    assert all(bug.breaks.endswith(".") for bug in MUTANTS.values())


def test_unknown_mutant_is_an_error() -> None:
    with pytest.raises(KeyError), mutated("perfect"):
        pass
