"""``paxos kv``: the key-value machine of a running cluster, from outside."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import trio
from attrs import frozen

import paxos
from paxos.cli.group import FAILED, Commands
from paxos.cli.options import CLUSTER, JSON, Number
from paxos.errors import PaxosError
from paxos.machines import BadCommand, Item, KeyValueClient
from paxos.node.cluster import Cluster

Answer = TypeVar("Answer")

TIMEOUT: Final = click.option(
    "--timeout",
    type=Number(0.01, 3600),
    default=10.0,
    show_default=True,
    help="How many seconds to wait for an answer.",
)


@frozen
class Asked:
    """What all of these commands are told."""

    cluster: Cluster
    timeout: float
    as_json: bool

    def run(self, ask: Callable[[KeyValueClient], Awaitable[Answer]]) -> Answer:
        """Ask the cluster."""
        try:
            return trio.run(self._ask, ask)
        except BadCommand as error:
            raise PaxosError(str(error)) from None

    async def _ask(self, ask: Callable[[KeyValueClient], Awaitable[Answer]]) -> Answer:
        async with _connected(self.cluster, self.timeout) as store:
            return await ask(store)

    def say(self, described: dict[str, Any], text: str | bytes) -> None:
        """Print the answer in either form."""
        if self.as_json:
            click.echo(json.dumps(described))
        else:
            click.echo(text)


@asynccontextmanager
async def _connected(cluster: Cluster, timeout: float) -> AsyncIterator[KeyValueClient]:
    async with paxos.open_client(cluster) as client:

        async def propose(command: bytes) -> bytes:
            return (await client.propose(command, timeout=timeout))[1]

        async def query(question: bytes) -> bytes:
            return await client.query(question, timeout=timeout)

        yield KeyValueClient(propose, query)


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all of these have, as its first argument."""

    @CLUSTER
    @TIMEOUT
    @JSON
    @wraps(command)
    def told(cluster_file: Path, timeout: float, as_json: bool, **arguments: Any) -> None:
        command(Asked(Cluster.load(cluster_file), timeout, as_json), **arguments)

    return told


@click.group(cls=Commands)
def kv() -> None:
    """Read and change the key-value machine of a running cluster.

    Its members run `paxos serve --machine kv`. Keys and values are texts; a VALUE of - is read
    from standard input, as bytes. Reads are linearizable. Every change makes a new revision.

    Each command exits 0 when it found or did what was asked for, 1 when not or when nobody knows,
    and 2 on bad usage. In JSON a value is a text, or null where there is none; one that is no
    UTF-8 is {"base64": ...}.
    """


@kv.command()
@click.argument("key")
@asking
def get(asked: Asked, key: str) -> None:
    """Print the value of KEY. Exits 1 when there is none."""
    item = asked.run(lambda store: store.get(key))
    if item is None:
        if asked.as_json:
            click.echo(json.dumps({"key": key, "value": None}))
        else:
            click.echo(f"{key} is not there", err=True)
        sys.exit(FAILED)
    asked.say(_described(key, item), item.value)


@kv.command()
@click.argument("key")
@click.argument("value")
@asking
def put(asked: Asked, key: str, value: str) -> None:
    """Set KEY to VALUE; print the revision."""
    revision = asked.run(lambda store: store.put(key, _bytes(value)))
    asked.say({"key": key, "revision": revision}, f"revision {revision}")


@kv.command()
@click.argument("key")
@asking
def delete(asked: Asked, key: str) -> None:
    """Remove KEY. Exits 1 when it was not there."""
    there = asked.run(lambda store: store.delete(key))
    asked.say({"key": key, "deleted": there}, "deleted" if there else f"{key} is not there")
    sys.exit(0 if there else FAILED)


@kv.command()
@click.argument("key")
@click.argument("value")
@click.option("--expected", help="The value that KEY must have.")
@click.option("--absent", is_flag=True, help="KEY must not be there.")
@asking
def cas(asked: Asked, key: str, value: str, expected: str | None, absent: bool) -> None:
    """Set KEY to VALUE if it is as expected. Exits 1, and prints what is there, if it is not."""
    if (expected is None) is not absent:
        raise click.UsageError("give one of --expected and --absent")
    before = None if expected is None else os.fsencode(expected)
    done = asked.run(lambda store: store.compare_and_set(key, before, _bytes(value)))
    found = None if done.held else done.answers[0]
    assert found is None or isinstance(found, Item)
    described = {"key": key, "set": done.held, "revision": done.revision}
    if done.held:
        asked.say(described, f"revision {done.revision}")
        return
    there = None if found is None else found.value
    asked.say(
        {**described, "found": _text(there)},
        f"not set: {key} is not there" if there is None else b"not set: it is " + there,
    )
    sys.exit(FAILED)


@kv.command("range", short_help="Print the keys with a prefix, and their values.")
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(1), help="Print no more than so many keys.")
@asking
def range_(asked: Asked, prefix: str, limit: int | None) -> None:
    """Print the keys that begin with PREFIX, or all, with their values, in the keys' order.

    A line for each, with a tab between; in JSON, an object on a line. What is many is read in
    pieces, each as of one moment.
    """
    asked.run(lambda store: _range(asked, store, prefix, limit))


async def _range(asked: Asked, store: KeyValueClient, prefix: str, limit: int | None) -> None:
    after, more, left = "", True, limit
    while more and (left is None or left > 0):
        page = await store.range(prefix, after=after, limit=min(left or 1000, 1000))
        for key, item in page.items:
            asked.say(_described(key, item), f"{key}\t".encode() + item.value)
            after = key
        more = page.more
        left = None if left is None else left - len(page.items)


@kv.command(short_help="Print every change of the keys with a prefix.")
@click.argument("prefix", default="")
@click.option(
    "--since",
    type=click.IntRange(0),
    help="Begin with the changes after this revision.  [default: after the present one]",
)
@asking
def watch(asked: Asked, prefix: str, since: int | None) -> None:
    """Print each change of the keys that begin with PREFIX, or of all, until Ctrl-C.

    A line for each: revision, put or delete, key and value, with tabs between. None is left out
    and none comes twice. Exits 1 when those after --since are no longer known.
    """
    asked.run(lambda store: _watch(asked, store, prefix, since))


async def _watch(asked: Asked, store: KeyValueClient, prefix: str, since: int | None) -> None:
    async for change in store.watch(prefix, since):
        what = "delete" if change.value is None else "put"
        described = {"revision": change.revision, "change": what, "key": change.key}
        line = f"{change.revision}\t{what}\t{change.key}".encode()
        if change.value is not None:
            line += b"\t" + change.value
        asked.say({**described, "value": _text(change.value)}, line)


def _bytes(value: str) -> bytes:
    return sys.stdin.buffer.read() if value == "-" else os.fsencode(value)  # as they were given


def _text(value: bytes | None) -> object:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _described(key: str, item: Item) -> dict[str, Any]:
    return {
        "key": key,
        "value": _text(item.value),
        "created": item.created,
        "modified": item.modified,
        "version": item.version,
    }
