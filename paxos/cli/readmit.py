"""``paxos readmit``."""

from __future__ import annotations

from pathlib import Path

import click
import trio

import paxos
from paxos.cli.group import FAILED
from paxos.cli.options import CLUSTER
from paxos.node.cluster import Cluster
from paxos.replicated.messages import Status


@click.command()
@CLUSTER
@click.option(
    "--without",
    multiple=True,
    required=True,
    metavar="OTHER",
    help="A member that is gone for ever; may be given several times.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether you are sure.")
@click.argument("node")
@click.pass_context
def readmit(
    context: click.Context, cluster_file: Path, without: tuple[str, ...], yes: bool, node: str
) -> None:
    """Let NODE, which has forgotten what it voted for, vote again without the help of OTHER.

    A node whose disk was wiped, restored or damaged is readmitted by itself as soon as all other
    members answer. Use this only where one of them is gone for ever: if OTHER ever takes part again
    with what it remembers, two different values may be chosen for one slot, and nothing will tell.
    Exits 0 when NODE votes.
    """
    cluster = Cluster.load(cluster_file)
    for name in (node, *without):
        cluster.member(name)
    if not yes:
        click.confirm(
            f"If {', '.join(without)} ever comes back with its journal, decisions may be lost. "
            "Is it gone for ever?",
            abort=True,
            err=True,
        )
    status = trio.run(_readmit, cluster, node, without)
    click.echo(f"{node} votes" if status.voting else f"{node} does not vote: {status.why}")
    context.exit(0 if status.voting else FAILED)


async def _readmit(cluster: Cluster, node: str, without: tuple[str, ...]) -> Status:
    async with paxos.open_client(cluster) as client:
        status = await client.readmit(node, without)
        with trio.move_on_after(5):
            while not status.voting:
                await trio.sleep(0.1)
                status = (await client.status())[node] or status
    return status
