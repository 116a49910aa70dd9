"""``paxos demo``."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
import trio
from rich.console import Console

from paxos.cli.group import TERMINATED
from paxos.cli.options import JSON
from paxos.cli.terminal import Terminal, until_terminated
from paxos.errors import ConfigError

if TYPE_CHECKING:  # what the demo needs is imported when it is asked for
    from paxos.demo.report import Report
    from paxos.demo.story import Plan


@click.command()
@click.option(
    "--nodes", type=click.IntRange(1, 9), default=4, show_default=True, help="Service processes."
)
@click.option(
    "--subscriptions",
    type=click.IntRange(1, 10_000),
    default=200,
    show_default=True,
    help="How many customers are due.",
)
@click.option(
    "--kills",
    type=click.IntRange(0, 20),
    default=3,
    show_default=True,
    help="How often the leader is killed while it charges; every second time after the provider "
    "has accepted a charge and before the receipt is known.",
)
@click.option(
    "--pauses",
    type=click.IntRange(0, 20),
    default=1,
    show_default=True,
    help="How often the leader is stopped for three leases, and then resumed.",
)
@click.option(
    "--cuts",
    type=click.IntRange(0, 20),
    default=1,
    show_default=True,
    help="How often the leader is cut off from its peers.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 63) - 1),
    help="Decides what happens when, and what the provider loses.  [default: any]",
)
@JSON
def demo(
    nodes: int,
    subscriptions: int,
    kills: int,
    pauses: int,
    cuts: int,
    seed: int | None,
    as_json: bool,
) -> None:
    """Charge every subscription exactly once, whatever happens to the leaders.

    Starts a payment provider, which loses requests and answers, and service processes that embed
    a node each. The leader of their election charges; again and again it is killed (SIGKILL),
    paused (SIGSTOP) or cut off, and another carries on. Exits 0 only when no customer was charged
    twice or forgotten, as the provider's own ledger tells.
    """
    missing = [name for name in ("flask", "waitress", "httpx") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the demo needs {', '.join(missing)}; install with: pip install 'trio-paxos[demo]'"
        )
    from paxos.demo.story import Plan

    if seed is None:
        seed = secrets.randbelow(1_000_000)
    report = _play(Plan(nodes, subscriptions, kills, pauses, cuts, seed))
    if report is None:
        sys.exit(TERMINATED)
    _print(report, as_json)
    sys.exit(0 if report.ok else 1)


def _play(plan: Plan) -> Report | None:
    """Play in a folder that is removed afterwards; None when SIGTERM ended the story."""
    from paxos.demo.story import play

    with (
        tempfile.TemporaryDirectory(prefix="paxos-demo-") as folder,
        Terminal("charged", plan.subscriptions) as audience,
    ):
        return trio.run(until_terminated, partial(play, plan, Path(folder), audience))


def _print(report: Report, as_json: bool) -> None:
    from paxos.demo.report import sentences, table

    if as_json:
        click.echo(json.dumps(report.to_json()))
        return
    Console(highlight=False).print(table(report))
    for sentence in sentences(report):
        click.echo(sentence)
