"""The contention benchmark: many runs of many scenes, and what they say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from benchmarks.contention.arena import Arena, Run, Scene
from benchmarks.contention.links import DELAYS
from benchmarks.contention.policies import NAMES, RANKED
from benchmarks.results import Figure, Line, Output, Spread, Table, number, share
from benchmarks.suite import Tell

GOAL: Final = "our goal"
"""The part in which our own policy is judged, with every number of proposers."""

ROUNDS_WITHOUT_LOSS: Final = 1.05
ROUNDS_WITH_LOSS: Final = 1.15
"""The most rounds in the mean that our own policy may need: without loss, and at 5 % of it."""

DUELS: Final = 40
"""How often, at most, a scene without a policy is run: all of its duels are long, and alike."""

DELAYS_RATIO: Final = 1.1
"""By how much its median decision may exceed that of a proposer that is alone."""


@frozen
class Part:
    """Scenes that belong into one table; ``axis`` is the field of `Scene` along a figure's x."""

    title: str
    axis: str
    runs: int
    scenes: tuple[Scene, ...]


@frozen
class Sweep:
    """The benchmark's input."""

    seed: int
    parts: tuple[Part, ...]
    events: Path | None = None
    """Where to write every event of every run as a line of JSON."""


@frozen
class Row:
    """What the runs of one scene came to."""

    scene: Scene
    runs: int
    undecided: int
    ballots: Spread
    """Begun until the value was chosen (for many decrees: the last of them)."""
    histogram: tuple[tuple[int, int], ...]
    """How many runs needed how many ballots."""
    busiest: Spread
    hops: Spread
    units: Spread
    messages: Spread
    octets: Spread
    decided: float
    """Slots, in the mean."""

    @classmethod
    def of(cls, scene: Scene, runs: list[Run]) -> Row:
        """Sum runs up."""
        return cls(
            scene=scene,
            runs=len(runs),
            undecided=sum(run.decided == 0 for run in runs),
            ballots=Spread.of(run.ballots for run in runs),
            histogram=tuple(sorted(Counter(run.ballots for run in runs).items())),
            busiest=Spread.of(run.busiest for run in runs),
            hops=Spread.of(run.hops for run in runs),
            units=Spread.of(run.units for run in runs),
            messages=Spread.of(run.messages for run in runs),
            octets=Spread.of(run.octets for run in runs),
            decided=sum(run.decided for run in runs) / len(runs),
        )


@frozen
class Contention(Output):
    """The benchmark's output."""

    parts: tuple[tuple[str, str, tuple[Row, ...]], ...]
    """Title, axis and rows of each part."""

    def tables(self) -> tuple[Table, ...]:
        """Return the verdict on our own policy, and one table for each part."""
        goal = next(rows for title, _, rows in self.parts if title == GOAL)
        return (_verdict_table(goal), *(_table(title, rows) for title, _, rows in self.parts))

    def figures(self) -> tuple[Figure, ...]:
        """Return rounds and time of each part whose axis is a number."""
        return tuple(
            figure
            for title, axis, rows in self.parts
            if axis in ("proposers", "acceptors", "spread")
            for figure in _figures(title, axis, rows)
        )


def run(sweep: Sweep, tell: Tell) -> Contention:
    """Run every scene of every part; equal inputs give equal outputs, to the byte."""
    total = sum(_runs(part, scene) for part in sweep.parts for scene in part.scenes)
    done = 0
    parts: list[tuple[str, str, tuple[Row, ...]]] = []
    with nullcontext() if sweep.events is None else sweep.events.open("w") as log:
        for part in sweep.parts:
            rows: list[Row] = []
            for scene in part.scenes:
                tell(done / total, f"{part.title}: {scene.policy}, {scene.proposers} proposers")
                # The same seeds for every scene: what differs is the scene alone.
                first, count = 1_000_000 * sweep.seed, _runs(part, scene)
                seeds = range(first, first + count)
                rows.append(Row.of(scene, [Arena(scene, seed, log).run() for seed in seeds]))
                done += count
            parts.append((part.title, part.axis, tuple(rows)))
    return Contention(tuple(parts))


def _runs(part: Part, scene: Scene) -> int:
    duels = scene.policy == "none" and scene.proposers > 1
    return min(part.runs, DUELS) if duels else part.runs


def sweep(quick: bool, seed: int) -> Sweep:
    """Return the usual input."""
    counts = (2, 8, 32) if quick else (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    losses = (0.0, 0.05) if quick else (0.0, 0.01, 0.05, 0.2)
    runs, few = (10, 3) if quick else (200, 40)
    base = Scene()
    return Sweep(
        seed,
        (
            Part(GOAL, "proposers", 20 if quick else 320, tuple(_goal(quick))),
            Part(
                "one instance",
                "proposers",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=count, loss=loss)
                    for policy, loss, count in product(NAMES, losses, counts)
                ),
            ),
            Part(
                "acceptors",
                "acceptors",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=8, acceptors=voters, loss=0.05)
                    for policy, voters in product(NAMES, (3, 9) if quick else (3, 5, 7, 9))
                ),
            ),
            Part(
                "start spread",
                "spread",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=8, spread=spread)
                    for policy, spread in product(NAMES, (0, 8) if quick else (0, 1, 2, 4, 8, 16))
                ),
            ),
            Part(
                "delay",
                "delay",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=8, delay=delay)
                    for delay, policy in product(DELAYS, NAMES)
                ),
            ),
            Part("many decrees", "proposers", few, tuple(_others("many", quick))),
            Part("leader lost", "proposers", runs, tuple(_others("loss", quick))),
        ),
    )


def _goal(quick: bool) -> Iterator[Scene]:
    """Yield a lone proposer, the yardstick, and then ours with every number of proposers."""
    for loss in (0.0, 0.05):
        yield Scene(policy="none", proposers=1, loss=loss)
        for count in (1, 3, 32) if quick else range(1, 33):
            yield Scene(proposers=count, loss=loss)


def _others(kind: str, quick: bool) -> Iterator[Scene]:
    counts = (3, 9) if quick else (3, 5, 9, 17, 32)
    for policy, loss, count in product(NAMES, (0.0, 0.05), counts):
        yield Scene(kind, policy, count, min(count, 9) | 1, loss)


NOTES: Final = (
    "rounds: ballots begun until a value was chosen; busiest: those of the proposer that began the "
    "most; hops: messages one after another that led to the value; unit: the typical delay of a "
    "message; messages and bytes: sent, in the mean."
)


def _table(title: str, rows: tuple[Row, ...]) -> Table:
    """Return rows of figures; what is the same in all of them stands in the title."""
    names = ("policy", "proposers", "acceptors", "loss", "delay", "spread")
    varying = [name for name in names if len({getattr(row.scene, name) for row in rows}) > 1]
    fixed = [f"{name} {_told(rows[0], name)}" for name in names if name not in varying]
    if len({row.runs for row in rows}) == 1:
        fixed.append(f"{rows[0].runs} runs each")
    columns = (
        *varying,
        *("rounds", "p50", "p90", "p99", "most", "busiest"),
        *("hops", "units", "p90", "p99", "messages", "bytes", "undecided"),
    )
    cells = tuple((*(_told(row, name) for name in varying), *_figures_of(row)) for row in rows)
    return Table(", ".join((title, *fixed)), columns, cells, NOTES)


def _told(row: Row, name: str) -> str:
    value = getattr(row.scene, name)
    if isinstance(value, str):
        return value
    return share(value) if name == "loss" else f"{value:g}"


def _figures_of(row: Row) -> tuple[str, ...]:
    rounds, units = row.ballots, row.units
    return (
        *map(number, (rounds.mean, rounds.p50, rounds.p90, rounds.p99, rounds.most)),
        *map(number, (row.busiest.mean, row.hops.p50, units.p50, units.p90, units.p99)),
        *map(number, (row.messages.mean, row.octets.mean)),
        share(row.undecided / row.runs),
    )


def _figures(title: str, axis: str, rows: tuple[Row, ...]) -> Iterator[Figure]:
    """Yield, for each loss, what rounds and time are along the axis, a line for each policy."""
    for loss in sorted({row.scene.loss for row in rows}):
        chosen = [row for row in rows if row.scene.loss == loss]
        name = f"contention-{title}-{100 * loss:g}".replace(" ", "-")
        at = f"{title}, {100 * loss:g} % loss"
        goal = None
        if title == GOAL:
            chosen = [row for row in chosen if row.scene.policy == RANKED]
            goal = ROUNDS_WITH_LOSS if loss else ROUNDS_WITHOUT_LOSS
        rounds = tuple(_lines(chosen, axis, "ballots"))
        times = tuple(_lines(chosen, axis, "units"))
        many = title == "many decrees"
        yield Figure(
            f"{name}-rounds",
            f"Ballots begun until {'20 values are' if many else 'a value is'} chosen: {at}",
            axis,
            "ballots, mean",
            rounds,
            log_x=axis != "spread",
            log_y=title != GOAL,
            goal=goal,
            band="(band: 10th to 90th percentile)",
        )
        yield Figure(
            f"{name}-time",
            f"Time until the first learner knows: {at}",
            axis,
            "time in message delays, median",
            times,
            log_x=axis != "spread",
            log_y=True,
            band="(band: 10th to 90th percentile)",
        )


def _lines(rows: Iterable[Row], axis: str, field: str) -> Iterator[Line]:
    by_policy: dict[str, list[Row]] = {}
    for row in rows:
        by_policy.setdefault(row.scene.policy, []).append(row)
    for policy, mine in by_policy.items():
        spreads: list[Spread] = [getattr(row, field) for row in mine]
        yield Line(
            "ranked (ours)" if policy == RANKED else policy,
            tuple(float(getattr(row.scene, axis)) for row in mine),
            tuple(spread.mean if field == "ballots" else spread.p50 for spread in spreads),
            tuple(spread.p10 for spread in spreads),
            tuple(spread.p90 for spread in spreads),
        )


@frozen
class Verdict:
    """Whether our own policy is as good as it must be."""

    loss: float
    worst_rounds: float
    """The highest mean of all numbers of proposers."""
    worst_delays: float
    """The highest ratio of a median decision to that of a proposer alone."""
    undecided: int
    runs: int

    @property
    def met(self) -> bool:
        """Whether every goal is met."""
        most = ROUNDS_WITH_LOSS if self.loss else ROUNDS_WITHOUT_LOSS
        rounds, delays = self.worst_rounds <= most, self.worst_delays <= DELAYS_RATIO
        return rounds and delays and not self.undecided


def verdicts(rows: Iterable[Row]) -> Iterator[Verdict]:
    """Judge the part ``our goal``."""
    rows = tuple(rows)
    for loss in sorted({row.scene.loss for row in rows}):
        chosen = [row for row in rows if row.scene.loss == loss]
        alone = next(row for row in chosen if row.scene.policy != RANKED)
        ours = [row for row in chosen if row.scene.policy == RANKED]
        yield Verdict(
            loss,
            max(row.ballots.mean for row in ours),
            max(row.units.p50 for row in ours) / alone.units.p50,
            sum(row.undecided for row in ours),
            sum(row.runs for row in ours),
        )


def _verdict_table(rows: Iterable[Row]) -> Table:
    return Table(
        "The default policy against its goals, the worst of all numbers of proposers",
        ("loss", "runs", "mean rounds", "at most", "median delays", "at most", "undecided", "met"),
        tuple(
            (
                *(share(verdict.loss), str(verdict.runs), f"{verdict.worst_rounds:.4f}"),
                str(ROUNDS_WITH_LOSS if verdict.loss else ROUNDS_WITHOUT_LOSS),
                *(f"{verdict.worst_delays:.3f}", str(DELAYS_RATIO), str(verdict.undecided)),
                "yes" if verdict.met else "NO",
            )
            for verdict in verdicts(rows)
        ),
        "delays: the median decision's time, in that of a proposer that is alone",
    )
