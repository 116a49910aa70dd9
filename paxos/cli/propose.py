"""``paxos propose``."""

from __future__ import annotations

import os
from pathlib import Path

import click
import trio

import paxos
from paxos.cli.options import CLUSTER, Number
from paxos.node.cluster import Cluster


@click.command()
@CLUSTER
@click.option(
    "--timeout",
    type=Number(0.01, 3600),
    default=10.0,
    show_default=True,
    help="How many seconds to wait for the answer.",
)
@click.argument("command")
def propose(cluster_file: Path, timeout: float, command: str) -> None:
    """Propose COMMAND, a text, through any member; print the slot and the answer.

    Exits 0 when it was applied, and 1 when it was not or when that is not known.
    """
    slot, answer = trio.run(_propose, Cluster.load(cluster_file), os.fsencode(command), timeout)
    click.echo(f"slot {slot}: {answer.decode(errors='backslashreplace')}")


async def _propose(cluster: Cluster, command: bytes, timeout: float) -> tuple[int, bytes]:
    async with paxos.open_client(cluster) as client:
        return await client.propose(command, timeout=timeout)
