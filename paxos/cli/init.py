"""``paxos init``."""

from __future__ import annotations

from pathlib import Path

import click

from paxos.errors import ConfigError
from paxos.node.cluster import DEFAULT_BASE_PORT, Cluster


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--nodes",
    type=click.IntRange(1, 99),
    default=4,
    show_default=True,
    help="How many members; 3 and 4 survive one failure, 5 survive two.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The host of every member; edit the file to spread them.",
)
@click.option(
    "--base-port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_BASE_PORT,
    show_default=True,
    help="The UDP port of node1; the others follow.",
)
def init(directory: Path, nodes: int, host: str, base_port: int) -> None:
    """Make a new cluster: DIRECTORY/cluster.toml and its key. Nothing is ever overwritten."""
    cluster = Cluster.generate(nodes, host, base_port)
    file = directory / "cluster.toml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be created: {error.strerror}") from None
    cluster.save(file)
    members = ", ".join(f"{member.name} at {member.address}" for member in cluster.members)
    click.echo(f"{file}: {cluster.name}, {members}")
    click.echo(f"{file.parent / 'cluster.key'}: its key; whoever has it is trusted")
    click.echo(f"{_survival(cluster)} Start each with:")
    click.echo(f"  paxos serve --cluster {file} --node node1 --data node1.db")


def _survival(cluster: Cluster) -> str:
    size, survives = len(cluster.members), cluster.survives
    who = f"{size} member{'s' * (size > 1)} survive{'s' * (size == 1)}"
    what = f"the failure of {survives}" if survives else "no failure"
    cheaper = f", as {size - 1} would" if size > 1 and size % 2 == 0 else ""
    return f"{who} {what}{cheaper}."
