"""``paxos serve``."""

from __future__ import annotations

from pathlib import Path

import click
import trio

from paxos.cli.group import explaining
from paxos.cli.options import CLUSTER
from paxos.node.cluster import Cluster
from paxos.node.serving import serve as serve_member


class Counter:
    """The state machine of a bare node: answers each command with how many there have been."""

    def __init__(self) -> None:
        self._count = 0

    def apply(self, command: bytes) -> bytes:
        """Count the command."""
        self._count += 1
        return str(self._count).encode()

    def snapshot(self) -> bytes:
        """Return the count."""
        return str(self._count).encode()

    def restore(self, snapshot: bytes) -> None:
        """Continue from a count."""
        self._count = int(snapshot)


@click.command()
@CLUSTER
@click.option("--node", required=True, help="Which member to be, such as node1.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The node's journal; made if missing. Never copy or restore it.",
)
def serve(cluster_file: Path, node: str, data: Path) -> None:
    """Run one member until Ctrl-C or SIGTERM.

    Every change of leader is a line on standard error. Commands are kept in order and counted:
    to replicate a state machine of your own, embed a node with `paxos.open_node`.
    """
    cluster = Cluster.load(cluster_file)
    member = cluster.member(node)
    with explaining(member):
        trio.run(serve_member, cluster, node, data, Counter(), _say)


def _say(text: str) -> None:
    click.echo(text, err=True)
