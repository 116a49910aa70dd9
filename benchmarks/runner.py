"""The one runner: ``python -m benchmarks contention failover --quick --plot plots``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Screen

from benchmarks import places
from benchmarks.catalogue import CATALOGUE
from benchmarks.machine import machine
from benchmarks.results import Output, Table
from benchmarks.suite import Benchmark, Size

WIDTH = 180
"""Columns of a table that goes to no terminal."""


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    asked = _parse(arguments)
    try:
        return _run(asked)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _run(asked: argparse.Namespace) -> int:
    """Run one benchmark after another; one that fails does not keep the others from running."""
    if asked.plot is not None:
        import benchmarks.drawing  # noqa: F401 - what is missing for plots shows before the work
    reports: dict[str, Any] = {}
    tables: list[Table] = []
    failed = 0
    for name in asked.benchmarks:
        try:
            given, output, seconds = run_one(CATALOGUE[name], asked)
        except Exception as error:
            failed += 1
            reports[name] = {"error": f"{type(error).__name__}: {error}"}
            print(f"{name} has failed: {error}", file=sys.stderr)
            continue
        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        for table in output.tables():
            show(table, console)
        tables += output.tables()
        if asked.plot is not None:
            _plot(output, asked.plot)
        reports[name] = {"input": plain(given), "output": plain(output), "seconds": seconds}
    whole = {"machine": machine(), "benchmarks": reports}
    if asked.json is not None:
        asked.json.write_text(json.dumps(whole, indent=1) + "\n")
    if asked.reference is not None:
        _write_reference(asked.reference, whole, tables)
    return 1 if failed else 0


def run_one(benchmark: Benchmark, asked: argparse.Namespace) -> tuple[Any, Output, float]:
    """Run one benchmark with a bar on standard error; return input, output and seconds."""
    given = benchmark.given(asked.size, asked.seed)
    for option in ("events", "where"):
        value, fields = getattr(asked, option), attrs.fields_dict(type(given))
        if value is not None and option in fields:
            if option == "where":
                value = tuple(value) if isinstance(given.where, tuple) else value[0]
            given = attrs.evolve(given, **{option: value})
    console = Console(stderr=True)
    columns = (
        TextColumn(benchmark.name),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        output = benchmark.run(
            given, lambda done, text: progress.update(task, completed=done, description=text)
        )
    return given, output, round(time.monotonic() - began, 2)


def show(table: Table, console: Console) -> None:
    """Print a table."""
    screen = Screen(title=table.title, title_justify="left", caption=table.note or None)
    screen.caption_justify = "left"
    for number, column in enumerate(table.columns):
        screen.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        screen.add_row(*row)
    console.print(screen)


def plain(value: Any) -> Any:
    """Return attrs classes, tuples and paths as what JSON has."""
    if attrs.has(type(value)):
        return {f.name: plain(getattr(value, f.name)) for f in attrs.fields(type(value))}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _plot(output: Output, folder: Path) -> None:
    from benchmarks.drawing import draw

    for path in draw(output.figures(), folder):
        print(f"plotted {path}", file=sys.stderr)


def _write_reference(folder: Path, whole: dict[str, Any], tables: list[Table]) -> None:
    """Write a run that others can compare theirs with: of what day, on what machine."""
    where = folder / datetime.now(UTC).date().isoformat()
    where.mkdir(parents=True, exist_ok=True)
    (where / "results.json").write_text(json.dumps(whole, separators=(",", ":")) + "\n")
    with (where / "tables.txt").open("w") as file:
        console = Console(file=file, width=WIDTH)
        for key, value in whole["machine"].items():
            console.print(f"{key}: {value}", highlight=False, markup=False)
        for name, report in whole["benchmarks"].items():
            told = f"{report['seconds']} s" if "seconds" in report else report["error"]
            console.print(f"{name}: {told}", highlight=False, markup=False)
        for table in tables:
            console.print()
            show(table, console)
    print(f"written {where}", file=sys.stderr)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    lines = "\n".join(f"  {name:16} {b.summary}" for name, b in CATALOGUE.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, and print tables; progress goes to standard error.",
        epilog=f"benchmarks:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "benchmarks", nargs="+", metavar="LIST", choices=[*CATALOGUE, "all"], help="which, or all"
    )
    size = parser.add_mutually_exclusive_group()
    for flag, of, what in (
        ("--quick", Size.QUICK, "all of them within two minutes; else a quarter of an hour"),
        ("--long", Size.LONG, "hundreds of runs and hours of patience"),
    ):
        size.add_argument(flag, dest="size", action="store_const", const=of, help=what)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write inputs and outputs")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw figures as SVG and PNG")
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="DIR",
        help="write results, tables and the machine's description into a folder with the date",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random")
    parser.add_argument(
        "--events", type=Path, metavar="PATH", help="write the simulator's raw events, JSON lines"
    )
    parser.add_argument(
        "--where",
        action="append",
        metavar="PLACE",
        help="where journals lie: memory (a memory disk), loop (ext4 on a loop device over one, "
        "made for the run; root only), disk (temporary files), or a folder; given again, peers are "
        "measured at each place, and all else at the first",
    )
    parser.set_defaults(size=Size.USUAL)
    asked = parser.parse_args(arguments)
    if "all" in asked.benchmarks:
        asked.benchmarks = list(CATALOGUE)
    for where in asked.where or ():
        if why := places.missing(where):
            parser.error(why)
    return asked
