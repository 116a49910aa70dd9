"""A rival takes the leader's place, which hears of it late, while everybody reads.

That is what reads without the log must survive: for a moment two nodes believe to lead, and the
one that does not any more is asked all the time.
"""

from __future__ import annotations

from random import Random
from typing import Final

from paxos.testing.simulation.action import Action

WAYS: Final = ("cut", "cut", "rival", "deaf", "mute", "open")
"""How the leader is kept from hearing of its rival; see `Nemesis.do_depose`."""

DAWDLING: Final = (
    "Accepted", "Chosen", "Heard", "Heartbeat", "Prepare", "Promise", "Readable", "Rejected",
)  # fmt: skip
"""Kinds of messages that may be late when it matters."""

LONGEST: Final = (0.03, 0.1, 0.3, 1.0)
"""By how much, in seconds."""


def coups(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    """Let a rival begin a ballot, at some times, and read around it."""
    actions: list[Action] = []
    for _ in range(random.randint(1, 4)):
        at, rival = random.uniform(0.1, end), random.choice(names)
        actions += _prelude(random, names, at)
        actions.append(Action(at, "depose", (rival, random.choice(WAYS))))
        actions += _reads(random, names, rival, at)
        actions.append(Action(at + random.choice((0.03, 0.1, 0.4)) * random.random(), "heal"))
    if random.random() < 0.3:
        actions += _forgotten_questions(random, names, random.uniform(0.1, end))
    if random.random() < 0.3:
        actions += _restlessness(random, names, random.uniform(0.1, end))
    return actions


def _restlessness(random: Random, names: tuple[str, ...], at: float) -> list[Action]:
    """Let whoever leads begin anew, many times, while answers to its earlier ballots come late."""
    kind = random.choice(("Accepted", "Confirmed"))
    actions = [Action(at, "dawdle", (kind, random.choice((0.01, 0.03))))]
    for _ in range(random.randint(5, 25)):
        at += random.uniform(0.005, 0.05)
        actions += [Action(at - 0.002, "read", (name,)) for name in names]
        actions.append(Action(at, "depose", (names[0], "self")))
    return [*actions, Action(at + 0.05, "hurry")]


def _forgotten_questions(random: Random, names: tuple[str, ...], at: float) -> list[Action]:
    """Let a reader begin anew while answers to its life before are still under way."""
    reader = random.choice(names)
    actions = [Action(at, "echo", (random.choice(("Readable", "Confirmed")), 2.0))]
    for _ in range(random.randint(1, 4)):
        reads = [Action(at + random.uniform(0, 0.05), "read", (reader,)) for _ in range(20)]
        at += random.uniform(0.02, 0.3)
        actions += [*reads, Action(at, "crash", (reader,)), Action(at + 0.001, "start", (reader,))]
    reads = [Action(at + random.uniform(0, 0.3), "read", (reader,)) for _ in range(30)]
    return [*actions, *reads, Action(at + 1.0, "hurry")]


def _prelude(random: Random, names: tuple[str, ...], at: float) -> list[Action]:
    """Let some kind of message come late, twice, or not at all, from some time before on."""
    before, after = at - random.uniform(0, 0.15), at + random.uniform(0, 0.1)
    match random.randrange(6):
        case 0:
            return [Action(before, "filter", ("Chosen",)), Action(after, "unfilter")]
        case 1 | 2 as which:  # half of them concern reads, which are most of all in danger
            kind = "Confirmed" if which == 1 else random.choice(DAWDLING)
            fault = random.choice(("dawdle", "echo"))
            late = Action(before, fault, (kind, random.choice(LONGEST)))
            return [late, Action(at + 0.4, "hurry")]
        case 3 | 4:  # a ballot is promised twice, in parts; some of each get lost or come late
            return [
                Action(before, "dawdle", ("Chosen", random.choice(LONGEST))),
                Action(before, "dawdle", ("Promise", random.choice((0.03, 0.1)))),
                Action(before, "echo", ("Prepare", 0.1)),
                Action(before, "drop", ("Promise", random.choice((0.2, 0.5)))),
                Action(before, "drop", ("Accept", random.choice((0.0, 0.3)))),
                Action(after + 0.1, "hurry"),
            ]
    name = random.choice(names)  # it forgets what it has only said, a lease among that
    crash = at - random.uniform(0, 0.03)
    return [Action(crash, "crash", (name,)), Action(crash + 0.001, "start", (name,))]


def _reads(random: Random, names: tuple[str, ...], rival: str, at: float) -> list[Action]:
    """Read at every node, most often at the rival, mostly while it takes over."""
    readers = (*names, rival)
    spans = ((0.0, 0.03), (0.0, 0.06), (-0.03, 0.3), (-0.1, 0.1))
    return [
        Action(at + random.uniform(*random.choice(spans)), "read", (random.choice(readers),))
        for _ in range(random.choice((0, 15, 40)))
    ]
