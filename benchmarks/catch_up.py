"""How soon an empty node catches up, as a ratio to copying the same bytes; and what is kept.

    python -m benchmarks.catch_up --where DIR --commands 1000000

Two members of three decide so many commands of 100 bytes, each the new value of one of ``--keys``
keys; their disk and memory are looked at on the way. Then the third starts with an empty journal.
With ``--log-only`` nothing is compacted, so it fetches the whole log; else a snapshot and the rest.
The bytes that are copied for comparison are those that then lie in the third member's journal: a
copy of the file, synced. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import trio

import paxos
from paxos.replicated.compaction import Compaction

IN_FLIGHT = 256
LOOKS = 10
"""How often disk and memory are looked at while the commands are decided."""

NEVER = Compaction(slots=1 << 40, log_bytes=1 << 50)
LIMIT = 600.0
"""Seconds within which the last member must have caught up."""


class Table:
    """A key-value table: a command is eight bytes of a key and its new value."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}

    def apply(self, command: bytes) -> bytes:
        """Set a value."""
        self._rows[command[:8]] = command
        return b""

    def snapshot_parts(self) -> Iterator[bytes]:
        """Return the rows, a thousand at a time."""
        rows = list(self._rows.values())
        return (b"".join(rows[start : start + 1000]) for start in range(0, len(rows), 1000))

    def restore_parts(self, parts: Iterable[bytes]) -> None:
        """Take the rows."""
        whole = b"".join(parts)
        self._rows = {whole[at : at + 8]: whole[at : at + 100] for at in range(0, len(whole), 100)}

    def snapshot(self) -> bytes:
        """Return all rows."""
        return b"".join(self._rows.values())

    def restore(self, snapshot: bytes) -> None:
        """Take the rows."""
        self.restore_parts((snapshot,))


class Member:
    """A member in a process of its own, which answers questions over a pipe."""

    def __init__(self, cluster: paxos.Cluster, name: str, data: Path, compaction: Any) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(cluster, name, data, compaction, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def ask(self, *question: Any) -> Any:
        """Return the answer to ``look`` or ``drive``."""
        self._pipe.send(question)
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(timeout=10)
        self._process.kill()


def _run(cluster: paxos.Cluster, name: str, data: Path, compaction: Any, pipe: Connection) -> None:
    trio.run(_serve, cluster, name, data, compaction, pipe)


async def _serve(
    cluster: paxos.Cluster, name: str, data: Path, compaction: Any, pipe: Connection
) -> None:
    async with paxos.open_node(
        cluster, name, data=data, machine=Table(), compaction=compaction
    ) as node:
        while True:
            await trio.lowlevel.wait_readable(pipe.fileno())
            try:
                question = pipe.recv()
            except EOFError:
                return
            match question:
                case ("look",):
                    pipe.send(node.statistics() | {"resident": _resident()})
                case ("drive", first, commands, keys):
                    pipe.send(await _drive(node, first, commands, keys))


async def _drive(node: paxos.Node, first: int, commands: int, keys: int) -> float:
    numbers = iter(range(first, first + commands))
    began = time.perf_counter()

    async def propose() -> None:
        for number in numbers:
            await node.propose(b"%08d" % (number % keys) + bytes(92))

    async with trio.open_nursery() as nursery:
        for _ in range(IN_FLIGHT):
            nursery.start_soon(propose)
    return time.perf_counter() - began


def _resident() -> int:
    """Return the bytes of memory that this process has at the moment."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(where: Path, commands: int, keys: int, compaction: Compaction) -> dict[str, Any]:
    """Decide the commands, let the third member catch up, and copy what it then has."""
    cluster = paxos.Cluster.local(3)
    files = [where / f"{name}.db" for name in cluster.names]
    members = [
        Member(cluster, name, file, compaction)
        for name, file in list(zip(cluster.names, files, strict=True))[:2]
    ]
    try:
        seconds, disk, resident = 0.0, [], []
        share = commands // LOOKS
        for look in range(LOOKS):
            seconds += members[0].ask("drive", look * share, share, keys)
            disk.append(_size(files[0]))
            resident.append(members[0].ask("look")["resident"])
            _tell(f"{(look + 1) * share:,} commands, {disk[-1] >> 20} MiB on disk")
        target = members[0].ask("look")["frontier"]
        members.append(Member(cluster, cluster.names[2], files[2], compaction))
        began = time.perf_counter()
        last = _await_frontier(members[2], target)
        caught_up = time.perf_counter() - began - last.pop("starting")
    finally:
        for member in members:
            member.close()
    copied = _copy(files[2], where / "copy")
    return {
        "commands": share * LOOKS,
        "slots": target,
        "commands_s": round(share * LOOKS / seconds),
        "disk_mib": [size >> 20 for size in disk],
        "resident_mib": [size >> 20 for size in resident],
        "catch_up_s": round(caught_up, 3),
        "copy_s": round(copied, 3),
        "ratio": round(caught_up / copied, 1),
        "mib": round(_size(files[2]) / (1 << 20), 1),
        "snapshots_installed": last["snapshots_installed"],
        "resident_of_last_mib": last["resident"] >> 20,
    }


def _await_frontier(member: Member, target: int) -> dict[str, Any]:
    """Wait until a member has learned so much; ``starting`` is how long the process took."""
    began = time.perf_counter()
    seen = member.ask("look")
    starting = time.perf_counter() - began
    while seen["frontier"] < target:
        if time.perf_counter() - began > LIMIT:
            sys.exit(f"it has not caught up in {LIMIT:g} seconds: {seen}")
        time.sleep(0.01)
        seen = member.ask("look")
    assert isinstance(seen, dict)
    return seen | {"starting": starting}


def _copy(source: Path, target: Path) -> float:
    began = time.perf_counter()
    shutil.copyfile(source, target)
    with target.open("r+b") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - began


def _size(file: Path) -> int:
    return sum(f.stat().st_size for f in file.parent.glob(f"{file.name}*"))


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catch_up")
    parser.add_argument("--where", type=Path, required=True, help="a new folder for the journals")
    parser.add_argument("--commands", type=int, default=1_000_000, help="how many are decided")
    parser.add_argument("--keys", type=int, default=100_000, help="how many rows the state has")
    parser.add_argument("--log-mib", type=int, default=32, help="log between two snapshots")
    parser.add_argument("--log-only", action="store_true", help="never compact")
    asked = parser.parse_args(arguments)
    if asked.where.exists() and any(asked.where.iterdir()):
        sys.exit(f"{asked.where} is not empty: journals must be new")
    asked.where.mkdir(parents=True, exist_ok=True)
    compaction = NEVER if asked.log_only else Compaction(log_bytes=asked.log_mib << 20)
    print(json.dumps(measure(asked.where, asked.commands, asked.keys, compaction)))


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
