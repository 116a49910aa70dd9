"""The one runner: ``python -m benchmarks contention failover --quick --plot plots``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Screen

from benchmarks.catalogue import CATALOGUE
from benchmarks.results import Output, Table
from benchmarks.suite import Benchmark


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    asked = _parse(arguments)
    try:
        return _run(asked)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _run(asked: argparse.Namespace) -> int:
    reports: dict[str, Any] = {}
    for name in asked.benchmarks:
        given, output, seconds = run_one(CATALOGUE[name], asked)
        console = Console(width=None if sys.stdout.isatty() else 160)
        for table in output.tables():
            show(table, console)
        if asked.plot is not None:
            from benchmarks.drawing import draw

            for path in draw(output.figures(), asked.plot):
                print(f"plotted {path}", file=sys.stderr)
        reports[name] = {"input": plain(given), "output": plain(output), "seconds": seconds}
    if asked.json is not None:
        text = json.dumps({"machine": machine(), "benchmarks": reports}, indent=1)
        asked.json.write_text(text + "\n")
    return 0


def run_one(benchmark: Benchmark, asked: argparse.Namespace) -> tuple[Any, Output, float]:
    """Run one benchmark with a bar on standard error; return input, output and seconds."""
    given = benchmark.size(asked.quick, asked.seed)
    for option in ("events", "where"):
        value = getattr(asked, option)
        if value is not None and option in attrs.fields_dict(type(given)):
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


def machine() -> dict[str, object]:
    """Return what figures depend on, but for what else the machine was doing."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
    }


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
    parser.add_argument("--quick", action="store_true", help="all of them within two minutes")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write inputs and outputs")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw figures as SVG and PNG")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random")
    parser.add_argument(
        "--events", type=Path, metavar="PATH", help="write the simulator's raw events, JSON lines"
    )
    parser.add_argument(
        "--where", type=Path, metavar="DIR", help="where journals lie (default: temporary files)"
    )
    asked = parser.parse_args(arguments)
    if "all" in asked.benchmarks:
        asked.benchmarks = list(CATALOGUE)
    return asked


if __name__ == "__main__":
    sys.exit(main())
