"""``paxos recover``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from paxos.cli.restore import INTO, NEW_CLUSTER, PATH, check_source, seed_all
from paxos.journal.seeding import open_votes
from paxos.node.cluster import Cluster
from paxos.protocol.records import Voted
from paxos.wire import decode_value


@click.command()
@click.argument("journals", type=PATH, nargs=-1, required=True, metavar="JOURNAL...")
@NEW_CLUSTER
@INTO
@click.option("--yes", is_flag=True, help="Do not ask whether you are sure.")
def recover(journals: tuple[Path, ...], cluster_file: Path, into: Path, yes: bool) -> None:
    """Begin a new cluster with what the JOURNALs of a lost one still tell.

    For the day on which so many members are gone for ever that no quorum is left. What the lost
    members alone knew is gone: decisions that were acknowledged may be missing. What a survivor
    voted for and has not learned is taken for decided, although it may not have been. The old
    cluster must never run again.
    """
    cluster = Cluster.load(cluster_file)
    reports = {journal: check_source(journal, is_backup=False) for journal in journals}
    best = max(journals, key=lambda journal: reports[journal])
    frontier = reports[best]
    votes = _best_votes(v for journal in journals for v in open_votes(journal, decode_value))
    adopted: list[Voted] = []
    while (vote := votes.get(frontier + len(adopted))) is not None:
        adopted.append(vote)
    click.echo(
        f"{best.name} has learned most: {frontier} slots. {len(adopted)} more were voted for.\n"
        "WARNING: decisions that only the lost members knew are gone, and nothing tells which."
    )
    if not yes:
        click.confirm("Is the old cluster gone, and will it never run again?", abort=True, err=True)
    seed_all(best, cluster, into, adopted)


def _best_votes(votes: Iterable[Voted]) -> dict[int, Voted]:
    """Return the vote of highest ballot for each slot, as a new leader would adopt it (P2c)."""
    best: dict[int, Voted] = {}
    for vote in votes:
        if vote.slot not in best or best[vote.slot].ballot < vote.ballot:
            best[vote.slot] = vote
    return best
