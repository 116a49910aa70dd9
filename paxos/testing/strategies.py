"""Hypothesis strategies for whoever writes properties of replicated things."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from paxos.protocol.ballot import Ballot
from paxos.protocol.values import NOOP
from paxos.replicated.values import Batch, Command, Leadership, LogValue, Session
from paxos.testing.simulation.action import Action, Plan
from paxos.testing.simulation.plan import SWARM, draw_plan

NAMES = ("node1", "node2", "node3")


def ballots(names: tuple[str, ...] = NAMES) -> st.SearchStrategy[Ballot]:
    """Return ballots of these nodes."""
    return st.builds(Ballot, st.integers(1, 1000), st.sampled_from(names))


def commands(names: tuple[str, ...] = NAMES, max_bytes: int = 100) -> st.SearchStrategy[Command]:
    """Return commands of these nodes' sessions, of up to so many bytes."""
    sessions = st.builds(Session, st.sampled_from(names), st.integers(1, 9))
    return st.builds(Command, sessions, st.integers(0, 10_000), st.binary(max_size=max_bytes))


def values(names: tuple[str, ...] = NAMES) -> st.SearchStrategy[LogValue]:
    """Return what a slot may decide."""
    batches = st.lists(commands(names), min_size=1, max_size=5).map(tuple).map(Batch)
    leaderships = st.builds(Leadership, st.sampled_from(names), st.integers(1, 1000))
    return st.one_of(st.just(NOOP), batches, leaderships)


def faults(
    family: str, names: tuple[str, ...] = NAMES, end: float = 2.0
) -> st.SearchStrategy[Plan]:
    """Return plans of one family of faults, such as ``crashes``; see `SWARM`."""

    def draw(seed: int) -> Plan:
        actions = SWARM[family](Random(seed), names, end)  # noqa: S311 - drawn to be repeated
        return tuple(sorted(actions, key=lambda action: action.at))

    return st.integers(0, 2**32 - 1).map(draw)


def plans(names: tuple[str, ...] = NAMES, end: float = 2.0) -> st.SearchStrategy[Plan]:
    """Return plans of any faults, which hypothesis shrinks to sublists of one that fails."""

    def sublist(drawn: tuple[int, list[bool]]) -> Plan:
        seed, kept = drawn
        plan = draw_plan(Random(seed), names, end)  # noqa: S311 - drawn to be repeated
        keep = kept + [True] * (len(plan) - len(kept))
        return tuple(action for action, wanted in zip(plan, keep, strict=False) if wanted)

    return st.tuples(st.integers(0, 2**32 - 1), st.lists(st.booleans(), max_size=60)).map(sublist)


__all__ = ["Action", "ballots", "commands", "faults", "plans", "values"]
