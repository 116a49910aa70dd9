"""The verdict, drawn from the provider's ledger and the subscriptions, not from what services say.

What the services say (who led when) only serves to name the epochs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from attrs import frozen
from rich.table import Table

from paxos.demo.ledger import Attempt, Charge, Outcome
from paxos.demo.subscriptions import Subscription


@frozen
class Reign:
    """A leadership, and when the story first heard of it (seconds since 1970)."""

    leader: str
    epoch: int
    began: float


class Harm(StrEnum):
    """What is done to a leader at its work, as the table says it."""

    KILLED = "kill -9"
    KILLED_UNHEARD = "kill -9 before the receipt"
    """After the provider has accepted a charge, and before its receipt is known to anybody."""
    PAUSED = "paused"
    CUT_OFF = "cut off"


@frozen
class Blow:
    """Harm done to the leader of an epoch, and when."""

    harm: Harm
    leader: str
    epoch: int
    at: float


@frozen
class Evidence:
    """Everything that the story leaves behind."""

    subscriptions: Sequence[Subscription]
    unmarked: int
    """How many subscriptions lack a receipt in their own database."""
    charges: Sequence[Charge]
    attempts: Sequence[Attempt]
    reigns: Sequence[Reign]
    """Without repetitions, in the order of their epochs."""
    blows: Sequence[Blow]
    ended: float


@frozen
class Epoch:
    """One line of the table."""

    leader: str
    epoch: int
    charges: int
    led: float
    """Seconds."""
    gap: float | None
    """Seconds from the last charge before this epoch to its first; None where there is none."""
    end: str


@frozen
class Report:
    """What came of it all."""

    charged_once: int
    charged_twice: int
    """Charged more than once."""
    forgotten: int
    epochs: tuple[Epoch, ...]
    failovers: tuple[float, ...]
    """Seconds from each blow to the first request of a later epoch at the provider."""
    outcomes: dict[Outcome, int]
    """How many attempts ended in which way."""
    problems: tuple[str, ...]
    """What must never happen, in words."""

    @property
    def ok(self) -> bool:
        """Whether every customer was charged exactly once and nothing else was found."""
        return not (self.charged_twice or self.forgotten or self.problems)

    def to_json(self) -> dict[str, object]:
        """Return the form for programs."""
        return {
            "charged_once": self.charged_once,
            "charged_twice": self.charged_twice,
            "forgotten": self.forgotten,
            "epochs": [
                {"leader": epoch.leader, "epoch": epoch.epoch, "charges": epoch.charges}
                for epoch in self.epochs
            ],
            "failovers_ms": [round(seconds * 1000) for seconds in self.failovers],
            "fenced_attempts": self.outcomes.get(Outcome.FENCED, 0),
            "ok": self.ok,
        }


def draw_up(evidence: Evidence) -> Report:
    """Compare what was owed with what was charged."""
    times = Counter((charge.subscription, charge.period) for charge in evidence.charges)
    owed = {(owed.subscription, owed.period) for owed in evidence.subscriptions}
    return Report(
        charged_once=sum(times[debt] == 1 for debt in owed),
        charged_twice=sum(times[debt] > 1 for debt in owed),
        forgotten=sum(times[debt] == 0 for debt in owed),
        epochs=tuple(_epochs(evidence)),
        failovers=tuple(_failovers(evidence)),
        outcomes=dict(Counter(attempt.outcome for attempt in evidence.attempts)),
        problems=tuple(_problems(evidence)),
    )


def _epochs(evidence: Evidence) -> list[Epoch]:
    blows = {blow.epoch: (blow.at, str(blow.harm)) for blow in evidence.blows}
    following = [reign.began for reign in evidence.reigns[1:]] + [None]
    epochs = []
    for reign, next_began in zip(evidence.reigns, following, strict=True):
        ends = [(evidence.ended, "led to the end")]
        if next_began is not None:
            ends.append((next_began, "lost its lease"))
        if reign.epoch in blows:
            ends.append(blows[reign.epoch])
        at, end = min(ends)
        own = [charge.at for charge in evidence.charges if charge.epoch == reign.epoch]
        before = [charge.at for charge in evidence.charges if charge.epoch < reign.epoch]
        epochs.append(
            Epoch(
                leader=reign.leader,
                epoch=reign.epoch,
                charges=len(own),
                led=max(0.0, at - reign.began),
                gap=min(own) - max(before) if own and before else None,
                end=end,
            )
        )
    return epochs


def _failovers(evidence: Evidence) -> list[float]:
    """Measure until a request arrives: the provider's own slowness is not ours."""
    firsts = [
        min((a.arrived for a in evidence.attempts if a.epoch > blow.epoch), default=None)
        for blow in evidence.blows
    ]
    return [
        first - blow.at
        for blow, first in zip(evidence.blows, firsts, strict=True)
        if first is not None
    ]


def _problems(evidence: Evidence) -> list[str]:
    problems = [
        f"epoch {one.epoch} had two leaders, {one.leader} and {other.leader}"
        for one, other in pairwise(evidence.reigns)
        if one.epoch == other.epoch
    ]
    debts = {(owed.subscription, owed.period, owed.cents) for owed in evidence.subscriptions}
    strays = sum((c.subscription, c.period, c.cents) not in debts for c in evidence.charges)
    if strays:
        problems.append(f"{strays} charges were of nothing that was owed")
    epochs = {reign.epoch for reign in evidence.reigns}
    unknown = {charge.epoch for charge in evidence.charges} - epochs
    if unknown:
        problems.append(f"charges under epochs that nobody led: {sorted(unknown)}")
    if evidence.unmarked:
        problems.append(f"{evidence.unmarked} subscriptions still look due in their database")
    return problems


def table(report: Report) -> Table:
    """Return the table for people, an epoch a line."""
    table = Table(title="Who charged, epoch by epoch")
    for heading in ("epoch", "leader"):
        table.add_column(heading)
    for heading in ("led", "charged", "gap before"):
        table.add_column(heading, justify="right")
    table.add_column("ended by")
    for epoch in report.epochs:
        table.add_row(
            str(epoch.epoch),
            epoch.leader,
            f"{epoch.led:.2f} s",
            str(epoch.charges),
            "-" if epoch.gap is None else f"{epoch.gap * 1000:.0f} ms",
            epoch.end,
        )
    return table


def sentences(report: Report) -> list[str]:
    """Return the verdict for people, a sentence a line."""
    count = report.outcomes.get
    lines = [
        f"{report.charged_once} charged exactly once, {report.charged_twice} charged twice, "
        f"{report.forgotten} forgotten.",
        f"The provider found {count(Outcome.REPEATED, 0)} charges in its books when it was asked "
        f"again, and refused {count(Outcome.FENCED, 0)} requests of deposed leaders.",
    ]
    if report.failovers:
        times = ", ".join(f"{seconds * 1000:.0f}" for seconds in report.failovers)
        lines.append(f"From each blow to the next leader's first request: {times} ms.")
    return lines + [f"PROBLEM: {problem}." for problem in report.problems]
