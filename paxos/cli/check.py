"""``paxos check``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from paxos.cli.group import BAD_INPUT, FAILED
from paxos.cli.options import JSON, Number
from paxos.testing.linearizability import (
    AppendList,
    History,
    HistoryError,
    Model,
    ModelError,
    Register,
    Verdict,
    draw,
    read_history,
)
from paxos.testing.linearizability import (
    check as check_history,
)
from paxos.testing.linearizability.values import show


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--model",
    "model_name",
    type=click.Choice(["register", "kv", "append"]),
    help="How a key behaves: a value that is read, written, and compared and set (register, and kv "
    "for many keys), or a list (append).  [default: append for a file that appends, else kv]",
)
@click.option(
    "--strict-cas",
    is_flag=True,
    help="A failed cas proves that the value was not the expected one; without this, nothing.",
)
@click.option(
    "--timeout",
    type=Number(0.01),
    default=120.0,
    show_default=True,
    help="Seconds for each file, after which it is undecided.",
)
@JSON
def check(
    files: tuple[Path, ...],
    model_name: str | None,
    strict_cas: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Check histories of clients for linearizability, each key alone.

    A FILE has JSON lines in the order of real time, such as
    {"process": 3, "type": "invoke", "f": "write", "key": "x", "value": 1}. The type is invoke, ok,
    fail (it did not take effect) or info (nobody knows); f is read, write, cas (its value is
    [expected, new]) or append. A key never written reads null, an empty list [] or null.

    Exits 0 when all are linearizable, 1 when one is not or is undecided, 2 on unreadable input.
    """
    verdicts: list[tuple[Path, Verdict, float]] = []
    for file in files:
        began = time.monotonic()
        try:
            with file.open("rb") as lines:
                history = read_history(lines)
            verdict = check_history(history, _model(model_name, strict_cas, history), timeout)
        except (HistoryError, ModelError, OSError) as error:
            click.echo(f"Error: {click.format_filename(file)}: {error}", err=True)
            sys.exit(BAD_INPUT)
        verdicts.append((file, verdict, time.monotonic() - began))
    for file, verdict, seconds in verdicts:
        click.echo(_explain(file, verdict, seconds), err=as_json)
    if as_json:
        click.echo(json.dumps([_describe(*each) for each in verdicts]))
    sys.exit(0 if all(verdict.linearizable for _, verdict, _ in verdicts) else FAILED)


def _model(name: str | None, strict_cas: bool, history: History) -> Model:
    appends = any(operation.f == "append" for operation in history.operations)
    if name == "append" or (name is None and appends):
        return AppendList()
    return Register(strict_cas=strict_cas)


def _describe(file: Path, verdict: Verdict, seconds: float) -> dict[str, object]:
    return {
        "file": str(file),
        "linearizable": verdict.linearizable,
        "operations": verdict.operations,
        "seconds": round(seconds, 6),
    }


def _explain(file: Path, verdict: Verdict, seconds: float) -> str:
    """Say the verdict in words, and draw the proof."""
    name = click.format_filename(file)
    counted = f"{verdict.operations:,} operation{'s' * (verdict.operations != 1)}, {seconds:.2f} s"
    if verdict.linearizable:
        return f"{name}: linearizable ({counted})"
    key = "" if verdict.key is None else f" of key {show(verdict.key)}"
    if verdict.window is None:
        return f"{name}: undecided{key} within the bounds of time and memory ({counted})"
    count = len(verdict.window.operations)
    these = "this operation fits" if count == 1 else f"these {count:,} operations fit"
    return (
        f"{name}: not linearizable ({counted})\n"
        f"  {these} into no order{key}, whatever came before:\n{draw(verdict.window)}"
    )
