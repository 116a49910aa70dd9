"""What contention between real processes came to, beside the same in the simulator."""

from __future__ import annotations

from math import nan
from statistics import correlation

from attrs import frozen

from benchmarks.contention.arena import Scene
from benchmarks.contention.policies import NAMES
from benchmarks.results import Figure, Line, Output, Spread, Table, number, share


@frozen
class Row:
    """What the runs of one scene came to, and the same in the simulator."""

    scene: Scene
    ballots: Spread
    simulated: Spread
    """Ballots of as many simulated runs."""
    seconds: Spread
    messages: Spread
    undecided: int


@frozen
class Contention(Output):
    """The benchmark's output."""

    rows: tuple[Row, ...]

    def tables(self) -> tuple[Table, ...]:
        """Return one table."""
        return (
            Table(
                "One instance, real processes over UDP on loopback, 3 acceptors",
                (
                    *("policy", "proposers", "loss", "runs", "rounds", "p50", "p90", "most"),
                    *("simulated", "ms p50", "p90", "most", "messages", "undecided"),
                ),
                tuple(_cells(row) for row in self.rows),
                "simulated: mean rounds of the same scene in the simulator, whose messages take "
                "0.5 to 1.5 ms; here they take less, and all nodes share the processors.",
            ),
            self._agreement(),
        )

    def _agreement(self) -> Table:
        """Tell whether what needs more rounds in the simulator does so on real processes, too."""
        losses = sorted({row.scene.loss for row in self.rows})
        scenes = [[row for row in self.rows if row.scene.loss == loss] for loss in losses]
        return Table(
            "Real and simulated rounds: the same shape?",
            ("loss", "scenes", "rank correlation"),
            tuple(
                (
                    *(share(loss), str(len(rows))),
                    f"{agreement([(r.ballots.mean, r.simulated.mean) for r in rows]):.3f}",
                )
                for loss, rows in zip(losses, scenes, strict=True)
            ),
            "Spearman's, of the mean rounds of all policies and numbers of proposers: 1 where the "
            "order is the same.",
        )

    def figures(self) -> tuple[Figure, ...]:
        """Return rounds over proposers, for each loss."""
        return tuple(
            Figure(
                f"contention-udp-{100 * loss:g}-rounds",
                f"Ballots begun until a value is chosen: processes over UDP, {100 * loss:g} % loss",
                "proposers",
                "ballots, mean",
                tuple(self._line(policy, loss) for policy in NAMES),
                log_x=True,
                log_y=True,
                band="(band: 10th to 90th percentile)",
            )
            for loss in sorted({row.scene.loss for row in self.rows})
        )

    def _line(self, policy: str, loss: float) -> Line:
        rows = [r for r in self.rows if (r.scene.policy, r.scene.loss) == (policy, loss)]
        return Line(
            policy,
            tuple(float(row.scene.proposers) for row in rows),
            tuple(row.ballots.mean for row in rows),
            tuple(row.ballots.p10 for row in rows),
            tuple(row.ballots.p90 for row in rows),
        )


def agreement(pairs: list[tuple[float, float]]) -> float:
    """Return Spearman's rank correlation; equal figures share the mean of their ranks."""
    ranks = [_ranks(side) for side in zip(*pairs, strict=True)]
    return correlation(*ranks) if all(len(set(side)) > 1 for side in ranks) else nan


def _ranks(figures: tuple[float, ...]) -> list[float]:
    ordered = sorted(figures)
    first = {figure: rank for rank, figure in reversed(list(enumerate(ordered)))}
    return [first[figure] + (ordered.count(figure) - 1) / 2 for figure in figures]


def _cells(row: Row) -> tuple[str, ...]:
    scene, rounds, seconds = row.scene, row.ballots, row.seconds
    return (
        *(scene.policy, str(scene.proposers), share(scene.loss), str(rounds.count)),
        *map(number, (rounds.mean, rounds.p50, rounds.p90, rounds.most, row.simulated.mean)),
        *(number(1e3 * value) for value in (seconds.p50, seconds.p90, seconds.most)),
        number(row.messages.mean),
        share(row.undecided / rounds.count),
    )
