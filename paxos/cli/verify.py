"""``paxos verify``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from paxos.cli.group import FAILED
from paxos.cli.options import JSON
from paxos.journal.verification import Report
from paxos.journal.verification import verify as verify_journal


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@JSON
def verify(path: Path, as_json: bool) -> None:
    """Read all of the journal PATH, of a node that does not run, and say what is wrong with it.

    Nothing is changed. Exits 0 when the journal is intact and complete, so that its node may vote,
    and 1 when it is not: the node then asks the other members for what is missing.
    """
    report = verify_journal(path)
    if as_json:
        click.echo(json.dumps(_describe(report)))
    else:
        for key, value in report.facts.items():
            click.echo(f"{key}: {value}")
        for finding in report.findings:
            click.echo(finding)
        click.echo("not intact" if report.findings else "intact")
    sys.exit(FAILED if report.findings else 0)


def _describe(report: Report) -> dict[str, object]:
    return {"ok": not report.findings, "facts": report.facts, "findings": list(report.findings)}
