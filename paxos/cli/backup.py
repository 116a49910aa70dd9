"""``paxos backup``."""

from __future__ import annotations

from pathlib import Path

import click

from paxos.journal.seeding import back_up


@click.command()
@click.argument("journal", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def backup(journal: Path, target: Path) -> None:
    """Copy JOURNAL, whether or not its node runs, to TARGET.

    The copy is only good for `paxos restore`, into a new cluster. Never put it in the place of a
    journal: a node must not forget what it has said, and one that was restored from a copy is found
    out and does not vote. A node that has lost its journal needs no backup but the other members.
    """
    back_up(journal, target)
    click.echo(f"{target}: a backup of {journal}")
