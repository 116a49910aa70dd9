"""Which faults happen when: drawn from the seed, before anything else, as a list to read."""

from __future__ import annotations

from random import Random
from typing import Final

from paxos.testing.simulation.action import Action, Draw, Plan
from paxos.testing.simulation.coups import coups


def _weather(kind: str, low: float, high: float) -> Draw:
    def draw(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
        return [Action(random.uniform(0, end / 2), kind, (round(random.uniform(low, high), 4),))]

    return draw


def _spells(kind: str, stop: str, longest: float, arguments: Draw | None = None) -> Draw:
    """Return a fault of one node that begins some times, and ends after a while."""

    def draw(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
        actions = []
        for _ in range(random.randint(1, 5)):
            at, name = random.uniform(0, end), random.choice(names)
            actions.append(Action(at, kind, (name,)))
            actions.append(Action(at + random.uniform(0.01, longest), stop, (name,)))
        return actions

    return draw


def _crashes(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    actions = []
    for _ in range(random.randint(1, 8)):
        at, name = random.uniform(0, end), random.choice(names)
        if random.random() < 0.6:
            actions.append(Action(at, "crash_in_a_step", (name, random.randint(1, 60))))
        else:
            actions.append(Action(at, "crash", (name,)))
        late = random.choice((0.001, 0.05, 0.5, 2.0))
        actions.append(Action(at + late + random.uniform(0, 0.2), "start", (name,)))
    return actions


def _usurpations(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    """Begin ballots at random times, often two at about the same time."""
    actions = []
    for _ in range(random.choice((3, 12, 60))):
        at = random.uniform(0, end)
        rivals = random.sample(names, min(len(names), random.randint(1, 3)))
        actions += [Action(at + random.uniform(0, 0.01), "usurp", (name,)) for name in rivals]
    return actions


def _relics(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    """Propose at some times what rests on what is over."""
    number = random.choice((5, 30, 100))
    times = [random.uniform(0, end) for _ in range(number)]
    return [Action(at, "relic", (random.choice(names),)) for at in times]


def _suspension(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    """Let minutes pass between a message and its replay."""
    at = random.uniform(0, end)
    return [
        Action(at / 2, "replay", (0.05,)),
        Action(at, "suspend_all", (random.uniform(60, 600),)),
    ]


def _crash_of_all(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    at = random.uniform(0, end)
    crashes = [Action(at, "crash_all")]
    return crashes + [Action(at + random.uniform(0.01, 0.5), "start", (name,)) for name in names]


PARTITIONS: Final = ("one_way", "isolate", "halves", "bridge", "ring", "star", "chain")


def _partitions(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    actions = []
    for _ in range(random.randint(1, 4)):
        at, kind = random.uniform(0, end), random.choice(PARTITIONS)
        order = tuple(random.sample(names, len(names)))
        actions.append(Action(at, kind, order))
        actions.append(Action(at + random.uniform(0.05, 2.0), "heal"))
    return actions


def _flapping(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    at, order = random.uniform(0, end), tuple(random.sample(names, len(names)))
    period = random.uniform(0.02, 0.3)
    actions = []
    for _ in range(random.randint(3, 12)):
        actions += [Action(at, "flap", order), Action(at + period, "heal")]
        at += 2 * period
    return actions


FILTERED: Final = (
    "Chosen", "Teach", "Accepted", "Promise", "Heard", "Polled", "Rejected", "Prepare", "Memory",
    "Learn", "Heartbeat", "Confirmed",
)  # fmt: skip


def _filters(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    at, kind = random.uniform(0, end), random.choice(FILTERED)
    return [Action(at, "filter", (kind,)), Action(at + random.uniform(0.1, 2.0), "unfilter")]


def _delays(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    longest = random.choice((0.005, 0.02, 0.1, 0.5))
    return [Action(random.uniform(0, end / 2), "delay", (round(longest * random.random(), 5),))]


def _clocks(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    return [
        Action(0.0, "clock", (name, round(random.uniform(0, 1e6)), _rate(random))) for name in names
    ]


def _rate(random: Random) -> float:
    """Draw how fast a clock goes, within the drift that leases allow for, often near its end."""
    return random.choice((0.942, 1.058, random.uniform(0.95, 1.05)))


def _wall_clocks(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    return [
        Action(
            random.uniform(0, end),
            "set_time",
            (random.choice(names), random.choice((-1e8, -3600, -1, 1, 3600, 1e8))),
        )
        for _ in range(random.randint(1, 4))
    ]


def _wild_clock(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    """Draw a clock whose rate is beyond the drift that leases allow for."""
    rate = random.choice((random.uniform(0.75, 0.9), random.uniform(1.1, 1.3)))
    return [Action(0.0, "clock", (random.choice(names), round(random.uniform(0, 1e6)), rate))]


def _failed_syncs(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    at, name = random.uniform(0, end), random.choice(names)
    actions = [
        random.choice(
            (
                Action(at, "fail_sync", (name, True)),
                Action(at, "fail_sync", (name, False)),
                Action(at, "fill_disk", (name,)),
            )
        )
    ]
    if random.random() < 0.7:  # else for ever
        at += random.uniform(0.1, 1.5)
        actions += [Action(at, "mend_disk", (name,)), Action(at, "crash", (name,))]
        actions.append(Action(at + 0.1, "start", (name,)))
        at += 0.1 + random.uniform(0.02, 0.5)  # what was lost shows when the power is cut again
        actions += [Action(at, "crash", (name,)), Action(at + 0.1, "start", (name,))]
    return actions


REPAIRING: Final = (
    "Memory", "AskMemory", "Prepare", "Promise", "Teach", "Chosen", "Accepted", "Heartbeat",
)  # fmt: skip
"""Kinds of messages on which it depends how a node gets over a loss."""


def _disturbances(
    random: Random, names: tuple[str, ...], name: str, copied: float, at: float
) -> list[Action]:
    """Make it harder to get over what happens to a node at that time.

    Messages are lost that could help; old ones come late; ballots begin between the copy and the
    loss; and those who remember the node forget it in a crash.
    """
    actions: list[Action] = []
    if random.random() < 0.5:
        begins, kind = at - random.choice((0.0, 0.03, 0.1)), random.choice(REPAIRING)
        actions += [
            Action(max(0.0, begins), "filter", (kind,)),
            Action(at + random.choice((0.03, 0.2, 1.0)) * random.random(), "unfilter"),
        ]
    if random.random() < 0.3:
        late = random.choice(("dawdle", "echo")), random.choice(("Memory", "Promise", "Prepare"))
        actions.append(Action(copied, late[0], (late[1], random.choice((0.1, 1.0)))))
        lossy = random.choice(("Promise", "Promise", "Teach", "Memory"))
        actions.append(Action(copied, "drop", (lossy, random.choice((0.3, 0.6)))))
        actions.append(Action(at + 1.0, "hurry"))
    if random.random() < 0.5:
        for _ in range(random.randint(1, 4)):
            when = random.uniform(copied, at) + random.choice((0.0, 0.0, 0.05)) * random.random()
            actions.append(Action(when, "usurp", (random.choice(names),)))
    if random.random() < 0.3:
        other, when = random.choice(names), max(0.0, at + random.uniform(-0.1, 0.1))
        if other != name:
            actions += [Action(when, "crash", (other,)), Action(when + 0.01, "start", (other,))]
    return actions


def _laggards(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
    """Cut a node off while it still writes what it has, slowly; then it must catch up.

    One that only hears nobody gets commands chosen of which it may never learn by itself.
    """
    actions = []
    for _ in range(random.randint(1, 3)):
        at, order = random.uniform(0, end), tuple(random.sample(names, len(names)))
        actions.append(Action(at, random.choice(("isolate", "isolate", "deafen")), order))
        if random.random() < 0.6:
            actions.append(Action(max(0.0, at - 0.05), "slow_disk", order[:1]))
            actions.append(Action(at + random.uniform(0.2, 1.5), "fast_disk", order[:1]))
        at += random.uniform(0.05, 1.0)
        actions.append(Action(at, "heal"))
        if random.random() < 0.4:
            at += random.uniform(0, 0.2)
            actions += [Action(at, "crash", order[:1]), Action(at + 0.02, "start", order[:1])]
    return actions


def _spoiling(kind: str, *ways: bool) -> Draw:
    """Return a fault of what a node has stored, which happens while it is down, in these ways."""

    def draw(random: Random, names: tuple[str, ...], end: float) -> list[Action]:
        at, name = random.uniform(0, end), random.choice(names)
        forsaken = kind == "restore_copy" and random.random() < 0.3
        copied = max(0.0, random.choice((at * random.random(), at - random.uniform(0, 0.02))))
        actions = [
            Action(copied, "keep_copy", (name,)),
            Action(at, "crash", (name,)),
            Action(at + 0.0001, kind, (name, *random.sample(ways, min(1, len(ways))))),
            *([Action(at + 0.0002, "lose_witness", (name,))] if forsaken else []),
            *_disturbances(random, names, name, copied, at),
        ]
        for _ in range(random.randint(1, 3)):  # what it does about the loss has more than one step
            at += random.choice((0.001, 0.1))
            actions.append(Action(at, "start", (name,)))
            at += random.choice((0.02, 0.2, 1.0))
            actions.append(Action(at, "crash", (name,)))
        return [*actions, Action(at + 0.1, "start", (name,))]

    return draw


SWARM: Final[dict[str, Draw]] = {
    "loss": _weather("loss", 0.01, 0.3),
    "duplication": _weather("duplication", 0.01, 0.5),
    "straggling": _weather("straggling", 0.005, 0.1),
    "corruption": _weather("corruption", 0.001, 0.02),
    "refusal": _weather("refusal", 0.0005, 0.01),
    "replay": _weather("replay", 0.01, 0.1),
    "delays": _delays,
    "partitions": _partitions,
    "flapping": _flapping,
    "laggards": _laggards,
    "filters": _filters,
    "small": lambda random, names, end: [Action(random.uniform(0, end), "small", (True,))],
    "crashes": _crashes,
    "crash_of_all": _crash_of_all,
    "usurpations": _usurpations,
    "coups": coups,
    "relics": _relics,
    "suspension": _suspension,
    "pauses": _spells("pause", "resume", 1.5),
    "slow_steps": _spells("slow", "fast", 1.0),
    "slow_disks": _spells("slow_disk", "fast_disk", 1.0),
    "failed_syncs": _failed_syncs,
    "flipped_bit": _spoiling("flip_bit"),
    "older_copy": _spoiling("restore_copy", True, False),
    "wiped_disk": _spoiling("wipe", True, False),
    "clocks": _clocks,
    "wall_clocks": _wall_clocks,
    "paused_checks": lambda random, names, end: [
        Action(random.uniform(0, end / 2), "pause_checks", (random.choice((0.01, 0.05)),))
    ],
    "wild_clock": _wild_clock,
}
"""Every family of faults. A run has a random subset of them: what all have at once hides much."""

RARE: Final = {
    "laggards": 0.5,
    "small": 0.05,
    "corruption": 0.2,
    "suspension": 0.1,
    "coups": 0.5,
    "flipped_bit": 0.15,
    "older_copy": 0.15,
    "wiped_disk": 0.15,
    "wild_clock": 0.1,
}
"""The chance of a family to be in a run, where it is not one in three."""


def draw_plan(random: Random, names: tuple[str, ...], end: float) -> Plan:
    """Draw a random subset of the faults, and their rates and times.

    Each family has a stream of its own: a new one moves nothing in the others.
    """
    actions: list[Action] = []
    seed = random.random()
    for family, draw in SWARM.items():
        own = Random(f"{seed}/{family}")  # noqa: S311 - reproducible on purpose
        if own.random() < RARE.get(family, 0.33):
            actions += draw(own, names, end)
    return tuple(sorted(actions, key=lambda action: action.at))
