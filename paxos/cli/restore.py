"""``paxos restore``, and what it shares with ``paxos recover``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from paxos.errors import PaxosError
from paxos.journal import JournalError
from paxos.journal.seeding import seed
from paxos.journal.verification import verify
from paxos.node.cluster import Cluster
from paxos.node.journal_file import open_journal
from paxos.protocol.records import Learned, Voted

PATH: Final = click.Path(path_type=Path)
NEW_CLUSTER: Final = click.option(
    "--new-cluster",
    "cluster_file",
    type=PATH,
    required=True,
    help="The file of the new cluster, as written by `paxos init`.",
)
INTO: Final = click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The directory for the new journals, one for each member, such as node1.db.",
)


@click.command()
@click.argument("copy", type=PATH, metavar="BACKUP")
@NEW_CLUSTER
@INTO
def restore(copy: Path, cluster_file: Path, into: Path) -> None:
    """Give every member of a new cluster a journal with the log and the state of BACKUP.

    Each member must be started with the journal that is made for it here.
    """
    cluster = Cluster.load(cluster_file)
    check_source(copy, is_backup=True)
    seed_all(copy, cluster, into, ())


def check_source(journal: Path, *, is_backup: bool) -> int:
    """Verify a source, but for its being a backup; return how many slots it has learned."""
    report = verify(journal)
    wrong = [f for f in report.findings if not (is_backup and _concerns_copies(f))]
    if wrong or not report.facts:
        raise JournalError(f"{journal} cannot be used: {'; '.join(wrong) or 'it is empty'}")
    return int(str(report.facts["frontier"]))


def _concerns_copies(finding: str) -> bool:
    return "in doubt" in finding or ".witness" in finding


def seed_all(source: Path, cluster: Cluster, into: Path, adopted: Sequence[Voted]) -> None:
    """Make the journals of all members, with some more values at the end of the log."""
    targets = {name: into / f"{name}.db" for name in cluster.names}
    for target in targets.values():
        if target.exists():
            raise PaxosError(f"{target} exists, and is never overwritten; name another directory")
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PaxosError(f"{into} cannot be made: {error.strerror}") from error
    for name, target in targets.items():
        seed(source, target, cluster=cluster.name, node=name)
        if adopted:
            with closing(open_journal(target, cluster, name, _cannot_be)) as journal:
                journal.write([Learned(vote.slot, None, vote.value) for vote in adopted])
        click.echo(f"{target}: for {name} of {cluster.name}")
    click.echo("Start every member with its own journal; one without would deny what is in them.")


def _cannot_be(damage: str) -> None:
    raise JournalError(f"the new journal is damaged already: {damage}")
