"""The elections in a snapshot of the replicated state."""

from __future__ import annotations

from typing import Any, Final

from paxos.replicated.elections import MAX_ELECTIONS, Candidate, ElectionsSnapshot
from paxos.wire.cbor import Malformed
from paxos.wire.decrees import PRIORITY, PROCLAIMED
from paxos.wire.fields import TEXT, Field, name, natural

MAX_NODES: Final = 4096
"""The most nodes that stand in elections."""


def _write(snapshot: ElectionsSnapshot) -> list[Any]:
    elections = [
        (*fields, [(c.node, c.priority, c.order, c.value) for c in roster])
        for *fields, roster in snapshot.elections
    ]
    return [elections, snapshot.sessions, snapshot.campaigns]


def _read(item: Any) -> ElectionsSnapshot:
    if type(item) is not tuple or len(item) != 3:
        raise Malformed("not elections")
    sessions = tuple(
        (name(node), natural(boot), natural(renewal), natural(lease))
        for node, boot, renewal, lease in _rows(item[1], 4, MAX_NODES)
    )
    nodes = {row[0] for row in sessions}
    elections = tuple(_read_election(row, nodes) for row in _rows(item[0], 7, MAX_ELECTIONS))
    return ElectionsSnapshot(elections, sessions, natural(item[2]))


def _read_election(row: tuple[Any, ...], nodes: set[str]) -> Any:
    election, epoch, leader, value, reason, heir, roster = row
    candidates = tuple(
        Candidate(name(node), PRIORITY.read(priority), natural(order), PROCLAIMED.read(proclaimed))
        for node, priority, order, proclaimed in _rows(roster, 4, MAX_NODES)
    )
    leader = None if leader is None else name(leader)
    there = {candidate.node for candidate in candidates} | {leader} - {None}
    if not there <= nodes or len(there) < len(candidates) + (leader is not None):
        raise Malformed("a candidate or leader without a session of its own")
    return (
        name(election),
        natural(epoch),
        leader,
        PROCLAIMED.read(value),
        TEXT.read(reason),
        None if heir is None else name(heir),
        candidates,
    )


def _rows(rows: Any, length: int, most: int) -> tuple[tuple[Any, ...], ...]:
    """Read rows that each begin with another name."""
    if type(rows) is not tuple or len(rows) > most:
        raise Malformed("not rows, or too many")
    if not all(type(row) is tuple and len(row) == length for row in rows):
        raise Malformed("not a row")
    if len({name(row[0]) for row in rows}) < len(rows):
        raise Malformed("two rows of one name")
    return rows


ELECTIONS: Final = Field(_read, _write)
