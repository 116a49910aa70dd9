"""``paxos serve``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import click
import trio

from paxos.cli.group import explaining
from paxos.cli.options import CLUSTER, DATA, NODE
from paxos.cli.voice import speaking
from paxos.machines import Counter, KeyValue
from paxos.node.cluster import Cluster
from paxos.node.serving import serve as serve_member
from paxos.replicated.state import StateMachine

MACHINES: Final[dict[str, type[StateMachine]]] = {"kv": KeyValue, "counter": Counter}
"""The state machines that have a short name."""


def make_machine(ctx: click.Context, param: click.Parameter, value: str) -> StateMachine:
    """Make a state machine by its short name, or as ``package.module:Class``."""
    module, colon, name = value.partition(":")
    if not colon:
        if value not in MACHINES:
            known = ", ".join(MACHINES)
            raise click.BadParameter(f"{value!r} is none of {known}, and no package.module:Class")
        return MACHINES[value]()
    sys.path.insert(0, "")  # as `python -m` does: a module of one's own lies here
    try:
        made = getattr(import_module(module), name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise click.BadParameter(f"{value!r} cannot be made: {error}") from None
    lacking = [each for each in ("apply", "snapshot", "restore") if not hasattr(made, each)]
    if lacking:
        missing = " and no ".join(lacking)
        raise click.BadParameter(f"{value!r} is no state machine: it has no {missing}")
    return cast("StateMachine", made)


@click.command()
@CLUSTER
@NODE
@DATA
@click.option(
    "--machine",
    callback=make_machine,
    default="kv",
    show_default=True,
    help="The state machine, the same on every member: kv, which `paxos kv` reads and changes; "
    "counter, which answers every command with how many there were; or package.module:Class, made "
    "without arguments. A machine with large state may have snapshot_parts and restore_parts.",
)
def serve(cluster_file: Path, node: str, data: Path, machine: StateMachine) -> None:
    """Run one member until Ctrl-C, SIGTERM or SIGHUP; `nohup` spares it the last.

    Every change of leader is a line on standard error. To work with the state machine in the same
    process, embed a node with `paxos.open_node`.
    """
    cluster = Cluster.load(cluster_file)
    member = cluster.member(node)
    with explaining(member), speaking() as say:
        trio.run(serve_member, cluster, node, data, machine, say)
