"""Holders of an election lost: what comes of the contests, as a table."""

from __future__ import annotations

from attrs import frozen

from benchmarks.peers.contests import CONTESTS, OurElect, OurHastyElect
from benchmarks.results import Spread, Table, number


@frozen
class HolderLost:
    """The death of a holder (SIGKILL)."""

    contest: str
    seconds: float
    """Until another candidate said that it holds the election."""


def holder_table(losses: tuple[HolderLost, ...]) -> Table:
    """Sum up who was lost by what recipe, and compare ours with it: usual leases, and shortest."""
    spreads = {
        name: Spread.of(loss.seconds for loss in losses if loss.contest == name)
        for name in CONTESTS
    }

    def row(name: str) -> tuple[str, ...]:
        contest, times = CONTESTS[name], spreads[name]
        ours = spreads[(OurElect if contest.usual else OurHastyElect).name]
        figures = (number(1e3 * time) for time in (times.p50, times.p90, times.most))
        ratio = f"{ours.p50 / times.p50:.2f}" if ours.count else ""
        lease = f"{1e3 * contest.lease:,.0f}, {'usual' if contest.usual else 'shortest'}"
        return (name, lease, contest.dies, str(times.count), *figures, ratio)

    return Table(
        "Holder of an election killed (SIGKILL): milliseconds until the next one says so",
        ("recipe", "lease ms", "what dies", "runs", "p50", "p90", "most", "ours to theirs"),
        tuple(row(name) for name, times in spreads.items() if times.count),
        "Three candidates, three voters or servers. The lease is the session's timeout, or the "
        "lock's. Ours includes the start of the command. Shortest: what the servers grant and "
        "candidates keep while nothing is wrong; etcdctl elect lets nobody choose. Where a member "
        "dies, it may lead the log, too. ours to theirs: medians, usual to usual, shortest to "
        "shortest.",
    )
