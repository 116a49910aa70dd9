"""``paxos key``."""

from __future__ import annotations

import json
from pathlib import Path

import click
import trio
from attrs import evolve

import paxos
from paxos.cli.group import Commands
from paxos.cli.options import CLUSTER, JSON
from paxos.errors import ConfigError, PaxosError
from paxos.node.cluster import Cluster
from paxos.node.key_file import replace_keys
from paxos.wire import KeyRing

ID = click.argument("key_id", metavar="ID")
FORCE = click.option(
    "--force", is_flag=True, help="Do it without asking the members; who lags behind is cut off."
)


@click.group(cls=Commands)
def key() -> None:
    """Exchange the cluster's key while the cluster runs.

    The key file holds a key a line; the first seals, each opens. Running members and clients
    notice within a second that it has changed.

    To exchange a key: `add` a new one, and copy the key file to every member and client; `use` it,
    and copy the file again; `remove` the old one, and copy the file once more. The last two ask
    every member first, and refuse while one is not ready. Copy with the mode kept (scp -p, install
    -m 600): a file that others can read is refused.
    """


@key.command("list")
@CLUSTER
@JSON
def list_keys(cluster_file: Path, as_json: bool) -> None:
    """Show the public ids of the keys; the first seals. A key itself is never shown."""
    ids = Cluster.load(cluster_file).keys.ids
    if as_json:
        click.echo(json.dumps({"keys": ids, "sealing": ids[0]}))
        return
    for number, one in enumerate(ids):
        click.echo(f"{one}  {'opens' if number else 'seals and opens'}")


@key.command()
@CLUSTER
def add(cluster_file: Path) -> None:
    """Add a new key, which only opens as yet."""
    cluster = Cluster.load(cluster_file)
    try:
        ring = cluster.keys.add()
    except ValueError as error:
        raise ConfigError(f"{_file(cluster)}: {error}; remove an old key first") from None
    replace_keys(_file(cluster), ring)
    click.echo(
        f"{ring.ids[-1]} was added to {_file(cluster)}: copy that to every member and client"
    )
    click.echo(f"Then: paxos key use {ring.ids[-1]} --cluster {cluster_file}")


@key.command()
@CLUSTER
@ID
@FORCE
def use(cluster_file: Path, key_id: str, force: bool) -> None:
    """Seal with a key from now on; the others still open."""
    cluster = Cluster.load(cluster_file)
    old = cluster.keys.ids[0]
    ring = _changed(cluster, key_id, "use")
    if not force:
        _require_all(cluster, ring, f"does not know {key_id} yet: copy {_file(cluster)} to it")
    replace_keys(_file(cluster), ring)
    click.echo(f"{key_id} seals: copy {_file(cluster)} to every member and client")
    if old != key_id:
        click.echo(f"Then: paxos key remove {old} --cluster {cluster_file}")


@key.command()
@CLUSTER
@ID
@FORCE
def remove(cluster_file: Path, key_id: str, force: bool) -> None:
    """Forget a key, which must not be the one that seals."""
    cluster = Cluster.load(cluster_file)
    if cluster.keys.ids[0] == key_id:
        raise ConfigError(f"{key_id} seals: use another key first")
    ring = _changed(cluster, key_id, "remove")
    if not force:
        _require_all(cluster, ring, f"still seals with {key_id}: copy {_file(cluster)} to it")
    replace_keys(_file(cluster), ring)
    click.echo(f"{key_id} was removed: copy {_file(cluster)} to every member and client")


def _file(cluster: Cluster) -> Path:
    assert cluster.key_file is not None, "the cluster was loaded from a file"
    return cluster.key_file


def _changed(cluster: Cluster, key_id: str, how: str) -> KeyRing:
    try:
        ring: KeyRing = getattr(cluster.keys, how)(key_id)
    except KeyError:
        known = ", ".join(cluster.keys.ids)
        raise ConfigError(f"{_file(cluster)} has no key {key_id}, only {known}") from None
    return ring


def _require_all(cluster: Cluster, ring: KeyRing, otherwise: str) -> None:
    """Ask every member with the ring as it would be; raise `PaxosError` where one is silent."""
    silent = trio.run(_silent, evolve(cluster, keys=ring, key_file=None))
    if silent:
        raise PaxosError(
            f"{', '.join(silent)} did not answer: it is not running or {otherwise}. "
            "Nothing was changed; --force changes it all the same"
        )


async def _silent(cluster: Cluster) -> list[str]:
    async with paxos.open_client(cluster) as client:
        statuses = await client.status(timeout=2.0)
    return [name for name, status in statuses.items() if status is None]
