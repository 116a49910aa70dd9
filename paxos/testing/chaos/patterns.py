"""Ways in which a network comes apart, as sets of cut links, and kinds of bad weather on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, permutations
from random import Random
from typing import Final, TypeAlias

from paxos.testing.faults import Faults

Cuts: TypeAlias = set[tuple[str, str]]
"""Source and target of every link that is cut."""

Pattern: TypeAlias = Callable[[Sequence[str]], Cuts]
"""Says which links between these nodes are cut; their order is drawn."""

Weather: TypeAlias = Callable[[Random], Faults]
"""Draws what the datagrams of one link suffer."""


def one_way(nodes: Sequence[str]) -> Cuts:
    """Cut one link, in one direction."""
    return {(nodes[0], nodes[-1])}


def isolated(nodes: Sequence[str]) -> Cuts:
    """Cut one node off."""
    return _between(nodes[:1], nodes[1:])


def mute(nodes: Sequence[str]) -> Cuts:
    """Let nobody hear one node, which hears everybody."""
    return {(nodes[0], other) for other in nodes[1:]}


def deaf(nodes: Sequence[str]) -> Cuts:
    """Let one node hear nobody, while everybody hears it."""
    return {(other, nodes[0]) for other in nodes[1:]}


def halves(nodes: Sequence[str]) -> Cuts:
    """Cut the cluster in two."""
    middle = len(nodes) // 2
    return _between(nodes[:middle], nodes[middle:])


def bridge(nodes: Sequence[str]) -> Cuts:
    """Cut the cluster in two, but for one node that reaches both sides."""
    return halves(nodes[1:])


def chain(nodes: Sequence[str]) -> Cuts:
    """Leave each node only its neighbours in a row."""
    kept = _both_ways(pairwise(nodes))
    return set(permutations(nodes, 2)) - kept


def ring(nodes: Sequence[str]) -> Cuts:
    """Leave each node only its neighbours in a circle."""
    return chain(nodes) - {(nodes[0], nodes[-1]), (nodes[-1], nodes[0])}


def star(nodes: Sequence[str]) -> Cuts:
    """Leave each node only its way to the one in the middle."""
    return set(permutations(nodes[1:], 2))


PATTERNS: Final[tuple[Pattern, ...]] = (
    *(one_way, isolated, mute, deaf),
    *(halves, bridge, chain, ring, star),
)


def loss(random: Random) -> Faults:
    """Lose datagrams."""
    return Faults(shortest=0.0, longest=0.0, loss=random.uniform(0.01, 0.3))


def duplication(random: Random) -> Faults:
    """Deliver datagrams twice."""
    return Faults(shortest=0.0, longest=0.002, duplication=random.uniform(0.05, 0.5))


def delay(random: Random) -> Faults:
    """Deliver all datagrams equally late, in order."""
    late = random.uniform(0.005, 0.1)
    return Faults(shortest=late, longest=late)


def reordering(random: Random) -> Faults:
    """Deliver datagrams unequally late."""
    return Faults(shortest=0.0, longest=random.uniform(0.005, 0.2))


def corruption(random: Random) -> Faults:
    """Flip bits."""
    return Faults(shortest=0.0, longest=0.0, corruption=random.uniform(0.01, 0.2))


def storm(random: Random) -> Faults:
    """Do all of it."""
    return Faults(
        shortest=0.0,
        longest=random.uniform(0.001, 0.05),
        loss=random.uniform(0.0, 0.2),
        duplication=random.uniform(0.0, 0.3),
        corruption=random.uniform(0.0, 0.05),
    )


WEATHER: Final[tuple[Weather, ...]] = (
    *(loss, duplication, delay),
    *(reordering, corruption, storm),
)


def _both_ways(pairs: Iterable[tuple[str, str]]) -> Cuts:
    return {way for one, other in pairs for way in ((one, other), (other, one))}


def _between(some: Sequence[str], others: Sequence[str]) -> Cuts:
    return _both_ways((one, other) for one in some for other in others)
