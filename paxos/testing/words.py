"""Messages in few words, for traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from paxos.protocol import messages as paxos
from paxos.protocol.messages import Message
from paxos.protocol.records import (
    Begun,
    Doubted,
    Learned,
    Piece,
    Promised,
    Readmitted,
    Record,
    Snapshotted,
    Voted,
)
from paxos.replicated import messages as more
from paxos.replicated import snapshot_messages as snapshots

_WORDS: Final[dict[type[Message], Callable[[Any], str]]] = {
    paxos.Prepare: lambda m: f"prepare {m.ballot} from slot {m.frontier}",
    paxos.Promise: lambda m: f"promise {m.ballot} from slot {m.frontier}, {_votes(m)}",
    paxos.Accept: lambda m: f"accept {m.ballot} slot {m.slot}: {m.value}",
    paxos.Accepted: lambda m: f"accepted {m.ballot} slot {m.slot}",
    paxos.Rejected: lambda m: f"rejected {m.ballot}, promised {m.promised}",
    paxos.Chosen: lambda m: f"chosen {m.ballot} slot {m.slot}",
    paxos.Learn: lambda m: f"learn slots {m.first} to {m.last}",
    paxos.Teach: lambda m: f"teach slot {m.slot}: {m.value}",
    paxos.Confirm: lambda m: f"confirm {m.ballot}, round {m.number}",
    paxos.Confirmed: lambda m: f"confirmed {m.ballot}, round {m.number}",
    paxos.AskMemory: lambda m: f"ask memory {m.number}",
    paxos.Memory: lambda m: f"memory {m.number}: {m.highest}, learned to {m.frontier}",
    more.Heartbeat: lambda m: f"heartbeat {m.ballot}, learned to {m.frontier}",
    more.Heard: lambda m: f"heard {m.ballot}, learned to {m.frontier}",
    more.Resigned: lambda m: f"resigned {m.ballot}",
    more.Knock: lambda m: "knock",
    more.Probe: lambda m: f"probe of {m.ballot}",
    more.Refused: lambda m: "nobody listens there",
    more.Poll: lambda m: f"poll {m.number}",
    more.Polled: lambda m: f"polled {m.number}: {'welcome' if m.granted else 'no'}, {m.ballot}",
    more.Propose: lambda m: (
        f"propose {', '.join(f'{c.session.node}#{c.number}' for c in m.commands)}"
    ),
    more.Read: lambda m: f"read {m.boot}/{m.number}",
    more.Readable: lambda m: f"readable {m.boot}/{m.number}: below slot {m.slot}",
    more.StateChecksum: lambda m: f"checksum {m.checksum:08x} at slot {m.position}",
    snapshots.SnapshotOffered: lambda m: f"offers snapshot {m.position}, {m.length} bytes",
    snapshots.FetchPieces: lambda m: (
        f"fetch pieces of snapshot {m.position}: {', '.join(map(str, m.indices))}"
    ),
    snapshots.SnapshotPiece: lambda m: f"piece {m.index}, {len(m.data)} bytes",
    snapshots.SnapshotWanted: lambda m: "snapshot wanted",
    snapshots.SnapshotSaved: lambda m: f"saved snapshot {m.snapshot.position}",
    snapshots.SnapshotLoaded: lambda m: f"loaded snapshot {m.fetched.position}",
    more.Adopted: lambda m: "commands to propose",
    more.Advanced: lambda m: "learned",
}


def _votes(promise: paxos.Promise) -> str:
    if not promise.total:
        return "no votes"
    votes = ", ".join(f"slot {vote.slot} {vote.ballot}: {vote.value}" for vote in promise.votes)
    return f"{len(promise.votes)} of {promise.total} votes: {votes}"


def record_in_words(record: Record) -> str:
    """Return what a record remembers, in one line."""
    match record:
        case Begun(ballot):
            return f"begun {ballot}"
        case Promised(ballot):
            return f"promised {ballot}"
        case Voted(slot, ballot, value):
            return f"voted {ballot} slot {slot}: {value}"
        case Learned(slot, _, value):
            return f"learned slot {slot}: {value}"
        case Doubted(why):
            return f"in doubt: {why}"
        case Readmitted(ballot):
            return f"readmitted above {ballot}"
        case Piece(position, index):
            return f"piece {index} of snapshot {position}"
        case Snapshotted(position):
            return f"snapshot {position}"


def in_words(message: Message) -> str:
    """Return what the message says, in one line."""
    return _WORDS[type(message)](message)
