"""``paxos demo``."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from paxos.cli.group import TERMINATED
from paxos.cli.options import JSON
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
    help="How often the leader is killed while it charges.",
)
@JSON
def demo(nodes: int, subscriptions: int, kills: int, as_json: bool) -> None:
    """Charge every subscription exactly once while leaders are killed.

    Starts a payment provider and service processes that embed a node each, lets the leader
    charge, and kills it (SIGKILL) again and again. Exits 0 only when no customer was charged
    twice or forgotten.
    """
    missing = [name for name in ("flask", "waitress", "httpx") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the demo needs {', '.join(missing)}; install with: pip install 'trio-paxos[demo]'"
        )
    from paxos.demo.story import Plan

    report = _play(Plan(nodes=nodes, subscriptions=subscriptions, kills=kills))
    if report is None:
        sys.exit(TERMINATED)
    _print(report, as_json)
    sys.exit(0 if report.ok else 1)


def _play(plan: Plan) -> Report | None:
    """Play in a folder that is removed afterwards; None when SIGTERM ended the story."""
    with tempfile.TemporaryDirectory(prefix="paxos-demo-") as folder, _Terminal(plan) as audience:
        return trio.run(_until_terminated, plan, Path(folder), audience)


async def _until_terminated(plan: Plan, folder: Path, audience: _Terminal) -> Report | None:
    from paxos.demo.story import play

    report: Report | None = None
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def stop() -> None:
                await anext(signals)
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop)
            report = await play(plan, folder, audience)
            nursery.cancel_scope.cancel()
    return report


class _Terminal:
    """The audience: events as lines, and a bar where there is a terminal."""

    def __init__(self, plan: Plan) -> None:
        console = Console(stderr=True, highlight=False)  # standard output is for the result
        self._begun = time.monotonic()
        self._progress = Progress(
            TextColumn("charged"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("charged", total=plan.subscriptions)

    def __enter__(self) -> _Terminal:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Print an event above the bar."""
        seconds = time.monotonic() - self._begun
        self._progress.console.print(f"{seconds:6.2f} s  {text}", markup=False, soft_wrap=True)

    def progress(self, charged: int) -> None:
        """Move the bar."""
        self._progress.update(self._bar, completed=charged)


def _print(report: Report, as_json: bool) -> None:
    from paxos.demo.report import sentences, table

    if as_json:
        click.echo(json.dumps(report.to_json()))
        return
    Console(highlight=False).print(table(report))
    for sentence in sentences(report):
        click.echo(sentence)
