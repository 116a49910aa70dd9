"""``paxos elect``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import attrs
import click
import trio

from paxos.cli.group import explaining
from paxos.cli.options import CLUSTER, DATA, DURATION, NODE
from paxos.cli.supervisor import Plan, Supervisor
from paxos.cli.voice import speaking
from paxos.errors import ConfigError
from paxos.node.cluster import Cluster

GRACE: Final = 0.3
"""Share of a lease before whose end an unrenewed command is asked to end."""

MOST_GRACE: Final = 0.6
"""The largest such share: renewals come after a quarter, and need a moment."""


@click.command()
@click.argument("election", metavar="NAME")
@CLUSTER
@NODE
@DATA
@click.option(
    "--priority",
    type=int,
    default=0,
    show_default=True,
    help="Of those who wait, the highest is next; of equal ones, who came first.",
)
@click.option(
    "--lease",
    type=DURATION,
    help="How long the command may go on when the other members cannot be reached, such as 1s or "
    "500ms; at least 100ms.  [default: that of the cluster's file]",
)
@click.option(
    "--grace",
    type=DURATION,
    help="How long before the end of an unrenewed lease the command is sent SIGTERM.  "
    "[default: 0.3 of the lease; at most 0.6]",
)
@click.option(
    "--pause",
    type=DURATION,
    default="1s",
    show_default=True,
    help="How long to wait before standing again when the command has ended by itself.",
)
@click.option(
    "--stop-after",
    type=DURATION,
    default="10s",
    show_default=True,
    help="How long the command has to end when this program is told to end.",
)
@click.option(
    "--once",
    is_flag=True,
    help="End when the command has ended by itself, with its exit status.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def elect(
    election: str,
    cluster_file: Path,
    node: str,
    data: Path,
    priority: int,
    lease: float | None,
    grace: float | None,
    pause: float,
    stop_after: float,
    once: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND only while this node leads the election NAME.

    Takes part in the cluster as a member, waits until it is elected, and runs the command with
    PAXOS_EPOCH, PAXOS_LEADER and PAXOS_ELECTION in its environment. When the lease is not renewed
    in time, the command is sent SIGTERM, and before the lease ends SIGKILL; then this node stands
    again. It does so, too, when the command has ended by itself.

    A second process guards the command. So it ends in time also when this one is stopped or hangs,
    and at once when this one is killed, together with everything that it has started: the kernel
    tells which that is, also what has left its process group. Nothing on this machine can help
    when the guard is stopped as well, as in a machine that is suspended: let what the command
    works on refuse an older PAXOS_EPOCH.

    SIGTERM and Ctrl-C are passed on to the command, and then end this program; SIGHUP, SIGQUIT,
    SIGUSR1, SIGUSR2 and SIGWINCH are only passed on, and SIGHUP not even that under `nohup`. Exits
    0 when it was told to end, or with the command's status with --once; 128 and the number where a
    signal ended it.

    Example: paxos elect billing --cluster cluster.toml --node node1 --data node1.db -- ./charge
    """
    cluster = Cluster.load(cluster_file)
    member = cluster.member(node)
    if lease is not None:
        cluster = attrs.evolve(cluster, timing=attrs.evolve(cluster.timing, lease=lease))
    lease = cluster.timing.lease
    if grace is None:
        grace = GRACE * lease
    if grace > MOST_GRACE * lease:
        raise ConfigError(
            f"a grace of {grace:g} s is too long for a lease of {lease:g} s: it may be at most "
            f"{MOST_GRACE * lease:g} s, for the lease must have time to be renewed"
        )
    plan = Plan(election, cluster, node, data, command, priority, grace, pause, stop_after, once)
    with explaining(member), speaking("paxos elect: ") as say:
        status = trio.run(Supervisor(plan, say).run)
    sys.exit(status)
