"""The logs in the journals of nodes that have stopped, compared with one another."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from attrs import frozen

from paxos.errors import PaxosError
from paxos.journal import SqliteJournal
from paxos.node.cluster import Cluster
from paxos.replicated.sessions import Sessions
from paxos.replicated.values import Batch, Leadership, LogValue
from paxos.wire import decode_value, encode_value

PAGE_BYTES = 1 << 20


class LogsDiffer(PaxosError):  # noqa: N818 - it says what is wrong
    """The journals contradict one another, or the rules of the log; the message says where."""


@frozen
class Log:
    """What a cluster has decided, as its journals tell."""

    values: tuple[LogValue, ...]
    """By slot."""
    applied: tuple[tuple[int, bytes], ...]
    """Slot and command, in order, of all that took effect: without repetitions."""
    leaderships: tuple[Leadership, ...]


def read_log(path: Path, cluster: Cluster, name: str) -> list[LogValue]:
    """Return the learned values of a node that does not run, by slot; raise `JournalError`.

    It opens the journal as the node does, and so counts as one of its lives.
    """
    values: list[LogValue] = []
    journal = SqliteJournal(
        path, cluster=cluster.name, node=name, encode=encode_value, decode=decode_value
    )
    with closing(journal):
        while page := journal.read(len(values), journal.frontier - 1, PAGE_BYTES):
            for _, value in page:
                assert isinstance(value, LogValue)
                values.append(value)
    return values


def compare_logs(logs: Mapping[str, list[LogValue]]) -> Log:
    """Return the one log of which every node's is a prefix.

    Raises:
        LogsDiffer: There is none, or an epoch does not follow the one before it.

    """
    longest = max(logs.values(), key=len)
    holder = next(name for name, values in logs.items() if values is longest)
    for name, values in logs.items():
        for slot, (mine, theirs) in enumerate(zip(values, longest, strict=False)):
            if mine != theirs:
                raise LogsDiffer(f"slot {slot}: {name} has {mine}, and {holder} has {theirs}")
    return _follow(longest)


def _follow(values: list[LogValue]) -> Log:
    sessions = Sessions()
    applied: list[tuple[int, bytes]] = []
    leaderships: list[Leadership] = []
    for slot, value in enumerate(values):
        if isinstance(value, Leadership):
            if value.epoch != len(leaderships) + 1:
                raise LogsDiffer(f"slot {slot}: {value} follows {len(leaderships)} leaderships")
            leaderships.append(value)
        for command in value.commands if isinstance(value, Batch) else ():
            if sessions.first_time(command):
                sessions.keep(command, slot, b"")
                if isinstance(command.data, bytes):
                    applied.append((slot, command.data))
    return Log(tuple(values), tuple(applied), tuple(leaderships))
