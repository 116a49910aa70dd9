"""``paxos serve``."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import click
import trio

import paxos
from paxos.cli.group import only_cause
from paxos.cli.options import CLUSTER
from paxos.errors import PaxosError
from paxos.journal import JournalError
from paxos.node.cluster import Cluster

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


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


class Alarm(paxos.Instrument):
    """Says on standard error what somebody must see to."""

    def journal_failed(self, error: JournalError) -> None:
        """Say that this node votes no more, and why."""
        click.echo(f"Error: {error}", err=True)


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
    try:
        trio.run(_serve, cluster, node, data)
    except (OSError, BaseExceptionGroup) as error:
        cause = only_cause(error)
        if not isinstance(cause, OSError):
            raise
        raise PaxosError(
            f"{node} cannot use {member.address}: {cause.strerror}; "
            "does it run already, or does the cluster's file name another machine?"
        ) from None


async def _serve(cluster: Cluster, name: str, data: Path) -> None:
    asked_to_stop = trio.Event()
    for number in STOPPING:
        # what the receiver restores at its end, so that an impatient second signal is harmless
        # while Trio and the interpreter close down
        signal.signal(number, signal.SIG_IGN)
    with trio.open_signal_receiver(*STOPPING) as signals:
        async with trio.open_nursery() as outside:
            outside.start_soon(_watch, signals, asked_to_stop)
            async with (
                paxos.open_node(
                    cluster, name, data=data, machine=Counter(), instruments=(Alarm(),)
                ) as node,
                trio.open_nursery() as inside,
            ):
                inside.start_soon(_log_leaders, node)
                await asked_to_stop.wait()
                # inside the node, so that it still can resign and say so
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()


async def _watch(signals: AsyncIterator[int], asked_to_stop: trio.Event) -> None:
    """Take every signal, also while the node closes."""
    async for _ in signals:
        asked_to_stop.set()


async def _log_leaders(node: paxos.Node) -> None:
    async for leadership in node.leaderships():
        click.echo("no leader" if leadership is None else str(leadership), err=True)
