"""``paxos status``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import click
import trio
from attrs import frozen
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

import paxos
from paxos.cli.options import CLUSTER, JSON, Number
from paxos.node.cluster import Cluster
from paxos.replicated.messages import Status
from paxos.replicated.values import Leadership

Statuses: TypeAlias = Mapping[str, Status | None]
"""What each member says of itself; None where it does not answer."""


@frozen
class Verdict:
    """Whom a quorum takes for the leader; or, in words, why there is nobody."""

    leadership: Leadership | None
    why: str


@click.command()
@CLUSTER
@JSON
@click.option(
    "--timeout",
    type=Number(0.01, 3600),
    default=1.0,
    show_default=True,
    help="How many seconds to wait for the members' answers.",
)
def status(cluster_file: Path, as_json: bool, timeout: float) -> None:
    """Ask every member how it is. Exits 0 when a quorum agrees on a leader, else 1."""
    cluster = Cluster.load(cluster_file)
    statuses = trio.run(_ask, cluster, timeout)
    verdict = judge(cluster, statuses)
    if as_json:
        click.echo(json.dumps(describe(cluster, statuses, verdict)))
    else:
        Console(highlight=False).print(_table(cluster, statuses))
        for remark in _remarks(statuses):
            click.echo(remark)
        click.echo(verdict.why or str(verdict.leadership))
    sys.exit(0 if verdict.leadership else 1)


async def _ask(cluster: Cluster, timeout: float) -> Statuses:
    async with paxos.open_client(cluster) as client:
        return await client.status(timeout=timeout)


def judge(cluster: Cluster, statuses: Statuses) -> Verdict:
    """Find the leader on which a quorum agrees, or the reason why there is none."""
    size, quorum = len(cluster.members), cluster.quorum
    answers = {name: status for name, status in statuses.items() if status is not None}
    if len(answers) < quorum:
        return Verdict(
            None,
            f"no leader: only {len(answers)} of {size} members "
            f"answer{'s' * (len(answers) == 1)}; {quorum} are needed",
        )
    views = Counter(status.leadership for status in answers.values() if status.leadership)
    for leadership, count in views.most_common(1):
        if count >= quorum:
            return Verdict(leadership, "")
    if views:
        seen = "; ".join(f"{leadership} by {count}" for leadership, count in views.most_common())
        return Verdict(None, f"no agreement: {seen} of {size} members; {quorum} must agree")
    reasons = "; ".join(f"{name}: {status.why}" for name, status in answers.items() if status.why)
    return Verdict(None, f"no leader: {reasons or 'an election is under way; ask again'}")


def describe(cluster: Cluster, statuses: Statuses, verdict: Verdict) -> dict[str, object]:
    """Return what ``--json`` prints."""
    return {
        "cluster": cluster.name,
        "members": [_describe_member(name, statuses.get(name)) for name in cluster.names],
        "quorum": cluster.quorum,
        **_describe_leadership(verdict.leadership),
        "why": verdict.why,
        "ok": verdict.leadership is not None,
    }


def _describe_member(name: str, status: Status | None) -> dict[str, object]:
    if status is None:
        return {"node": name, "reachable": False}
    return {
        "node": name,
        "reachable": True,
        "role": status.role,
        **_describe_leadership(status.leadership),
        "chosen": status.frontier - 1,  # -1 before the first
        "lag": _lag(status),
        "first": status.first,
        "fetched_bytes": status.fetched,
        "fetching_bytes": status.fetching,
        "voting": status.voting,
        "why": status.why,
    }


def _describe_leadership(leadership: Leadership | None) -> dict[str, object]:
    if leadership is None:
        return {"leader": None, "epoch": None}
    return {"leader": leadership.leader, "epoch": leadership.epoch}


def _lag(status: Status) -> int:
    return max(0, status.target - status.frontier)


def _table(cluster: Cluster, statuses: Statuses) -> Table:
    title = f"{cluster.name}: {cluster.quorum} of {len(cluster.members)} decide"
    table = Table(title=title, box=SIMPLE)  # narrow enough for 80 columns
    for heading in ("node", "address", "role", "leader"):
        table.add_column(heading, no_wrap=True)
    for heading in ("epoch", "chosen", "lag"):
        table.add_column(heading, justify="right", no_wrap=True)
    for member in cluster.members:
        cells = [member.name, member.address, *_cells(statuses.get(member.name))]
        table.add_row(*map(Text, cells))  # as text: what a node says is no markup
    return table


def _cells(status: Status | None) -> list[str]:
    if status is None:
        return ["unreachable", "-", "-", "-", "-"]
    leadership = status.leadership
    return [
        status.role,
        leadership.leader if leadership else "-",
        str(leadership.epoch) if leadership else "-",
        str(status.frontier - 1) if status.frontier else "-",
        str(_lag(status)),
    ]


def _remarks(statuses: Statuses) -> list[str]:
    """Return what the members want to be known, a line for each."""
    remarks = []
    for name, status in statuses.items():
        if status is not None and (status.why or not status.voting):
            voting = "" if status.voting else "does not vote: "
            remarks.append(f"{name}: {voting}{status.why}")
        if status is not None and status.fetching:
            share = 100 * status.fetched // status.fetching
            remarks.append(
                f"{name}: fetches a snapshot: {share} % of {status.fetching / (1 << 20):,.1f} MiB"
            )
    return remarks
