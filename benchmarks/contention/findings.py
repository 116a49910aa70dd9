"""What many runs of a contention say together: tables, figures, and a verdict on our own policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from math import inf
from typing import Final

from attrs import frozen

from benchmarks.contention.arena import BALLOT_BOUND, Run, Scene
from benchmarks.contention.policies import RANKED
from benchmarks.results import Figure, Line, Output, Spread, Table, number, share

GOAL: Final = "our goal"
"""The part in which our own policy is judged, with every number of proposers."""

ONE: Final = "one instance"

CROWD: Final = 32
"""The proposers of which distributions are drawn."""

ROUNDS: Final = {0.0: 1.05, 0.01: 1.15, 0.05: 1.15}
"""By loss, the most rounds in the mean that our own policy may need; with more loss it need only
decide."""

DELAYS_RATIO: Final = 1.1
"""By how much its median decision may exceed that of a proposer that is alone."""


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
        """Return the verdict on our own policy, and one table for each other part."""
        goal = next(rows for title, _, rows in self.parts if title == GOAL)
        others = (part for part in self.parts if part[0] != GOAL)
        return (_verdict_table(goal), *(_table(title, rows) for title, _, rows in others))

    def figures(self) -> tuple[Figure, ...]:
        """Return rounds and time of each part whose axis is a number."""
        along = [
            figure
            for title, axis, rows in self.parts
            if axis in ("proposers", "acceptors", "spread")
            for figure in _figures(title, axis, rows)
        ]
        instance = next(rows for title, _, rows in self.parts if title == ONE)
        return (*along, *_distributions(instance))


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
            ours = (row for row in chosen if row.scene.policy == RANKED)
            chosen = [row for row in ours if row.scene.acceptors == Scene().acceptors]
            goal = ROUNDS.get(loss)
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
            _label(policy),
            tuple(float(getattr(row.scene, axis)) for row in mine),
            tuple(spread.mean if field == "ballots" else spread.p50 for spread in spreads),
            tuple(spread.p10 for spread in spreads),
            tuple(spread.p90 for spread in spreads),
        )


@frozen
class Verdict:
    """Whether our own policy is as good as it must be."""

    acceptors: int
    loss: float
    worst_rounds: float
    """The highest mean of all numbers of proposers."""
    worst_delays: float
    """The highest ratio of a median decision to that of a proposer alone."""
    most: float
    """Rounds in any run."""
    undecided: int
    runs: int

    @property
    def met(self) -> bool:
        """Whether every goal is met."""
        rounds = self.worst_rounds <= ROUNDS.get(self.loss, inf)
        return rounds and self.worst_delays <= DELAYS_RATIO and not self.undecided


def verdicts(rows: Iterable[Row]) -> Iterator[Verdict]:
    """Judge the part ``our goal``."""
    rows = tuple(rows)
    for acceptors, loss in sorted({(row.scene.acceptors, row.scene.loss) for row in rows}):
        chosen = [row for row in rows if (row.scene.acceptors, row.scene.loss) == (acceptors, loss)]
        alone = next(row for row in chosen if row.scene.policy != RANKED)
        ours = [row for row in chosen if row.scene.policy == RANKED]
        yield Verdict(
            acceptors,
            loss,
            max(row.ballots.mean for row in ours),
            max(row.units.p50 for row in ours) / alone.units.p50,
            max(row.ballots.most for row in ours),
            sum(row.undecided for row in ours),
            sum(row.runs for row in ours),
        )


def _verdict_table(rows: Iterable[Row]) -> Table:
    return Table(
        "The default policy against its goals, the worst of all numbers of proposers",
        (
            *("acceptors", "loss", "runs", "mean rounds", "at most", "most in a run"),
            *("median delays", "at most", "undecided", "met"),
        ),
        tuple(
            (
                *(str(verdict.acceptors), share(verdict.loss), str(verdict.runs)),
                *(f"{verdict.worst_rounds:.4f}", str(ROUNDS.get(verdict.loss, ""))),
                *(f"{verdict.most:g}", f"{verdict.worst_delays:.3f}", str(DELAYS_RATIO)),
                *(str(verdict.undecided), "yes" if verdict.met else "NO"),
            )
            for verdict in verdicts(rows)
        ),
        "delays: the median decision's time, in that of a proposer that is alone",
    )


def _distributions(rows: Iterable[Row]) -> Iterator[Figure]:
    """Yield, for each loss, how many of the runs needed at most so many rounds."""
    rows = tuple(row for row in rows if row.scene.proposers == CROWD)
    for loss in sorted({row.scene.loss for row in rows}):
        yield Figure(
            f"contention-distribution-{100 * loss:g}",
            f"Rounds to decision: one instance, {CROWD} proposers, {100 * loss:g} % loss",
            "ballots begun, at most",
            "share of runs in %",
            tuple(_distribution(row) for row in rows if row.scene.loss == loss),
            log_x=True,
            steps=True,
        )


def _distribution(row: Row) -> Line:
    ballots, runs = zip(*row.histogram, strict=True)
    shares = (100 * count / row.runs for count in accumulate(runs))
    xs = (1, ballots[0], *ballots, BALLOT_BOUND)  # from the axis up, and on to the other end
    return Line(_label(row.scene.policy), tuple(map(float, xs)), (0.0, 0.0, *shares, 100.0))


def _label(policy: str) -> str:
    return "ranked (ours)" if policy == RANKED else policy
