"""``paxos chaos``."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import click
import trio
from rich.console import Console
from rich.table import Table

from paxos.cli.group import FAILED, TERMINATED
from paxos.cli.options import JSON, Number
from paxos.cli.terminal import Terminal, until_terminated
from paxos.testing.chaos import Plan, Report, run_chaos


@click.command()
@click.option(
    "--minutes",
    type=Number(0.01, 10_000),
    default=2.0,
    show_default=True,
    help="How long the cluster is harmed.",
)
@click.option(
    "--nodes", type=click.IntRange(1, 15), default=5, show_default=True, help="Node processes."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Draws which harm is done in which order; the machine's timing differs each time.  "
    "[default: a new one]",
)
@JSON
def chaos(minutes: float, nodes: int, seed: int | None, as_json: bool) -> None:
    """Harm real processes while clients use them; then prove that every promise was kept.

    Members are killed, paused, stopped, and given full disks and failing syncs; links between
    them are cut, also in one direction only, and lose, double, delay, reorder and spoil datagrams.
    Meanwhile clients read, write, and compare and set. At the end all harm ceases: every client
    must be answered, the history must be linearizable, and the members' logs must be the same.

    Exits 0 only when all holds; otherwise journals, logs and history are kept.
    """
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    plan = Plan(nodes=nodes, seconds=60 * minutes, seed=seed)
    folder = Path(tempfile.mkdtemp(prefix="paxos-chaos-"))
    keep = False
    try:
        with Terminal("seconds", max(1, round(plan.seconds))) as terminal:
            terminal.say(f"seed {seed}")
            report = trio.run(until_terminated, partial(run_chaos, plan, folder, terminal))
        keep = report is not None and not report.ok
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    if report is None:
        sys.exit(TERMINATED)
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        _show(report)
    if keep:
        click.echo(
            f"journals, logs and history are in {folder}; see also: "
            f"paxos check {folder / 'history.jsonl'}",
            err=True,
        )
    sys.exit(0 if report.ok else FAILED)


def _show(report: Report) -> None:
    table = Table("what was done", "times")
    table.columns[1].justify = "right"
    for name, count in report.faults.items():
        table.add_row(name, f"{count:,}")
    table.add_section()
    for name, count in report.datagrams.items():
        table.add_row(f"datagrams {name}", f"{count:,}")
    table.add_section()
    for name, count in report.operations.items():
        table.add_row(f"operations {name}", f"{count:,}")
    Console(highlight=False).print(table)
    for violation in report.violations:
        click.echo(f"violation: {violation}")
    recovered = (
        "never" if report.recovered_after is None else f"{report.recovered_after:.1f} s after it"
    )
    click.echo(
        f"seed {report.seed}: {report.nodes} nodes harmed for {report.seconds:g} s; "
        f"{report.slots:,} slots, {report.leaderships} leaderships; nobody was answered for up to "
        f"{report.longest_silence:.1f} s under harm, everybody {recovered}"
    )
    if report.ok:
        click.echo("linearizable, and every log is a prefix of every other")
