"""Which role of a node gets which message: the one table, for node and simulator alike."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from paxos.protocol.messages import (
    Accept,
    Accepted,
    AskMemory,
    Chosen,
    Confirm,
    Confirmed,
    Learn,
    Memory,
    Message,
    Prepare,
    Promise,
    Rejected,
    Teach,
)
from paxos.replicated.messages import (
    Adopted,
    Advanced,
    Heard,
    Heartbeat,
    Knock,
    Poll,
    Polled,
    Probe,
    Propose,
    Read,
    Readable,
    Refused,
    Resigned,
    StateChecksum,
)
from paxos.replicated.snapshot_messages import (
    FetchPieces,
    SnapshotLoaded,
    SnapshotOffered,
    SnapshotPiece,
    SnapshotSaved,
    SnapshotWanted,
)

Role: TypeAlias = Literal["acceptor", "proposer", "learner"]

ROUTES: Final[dict[type[Message], tuple[Role, ...]]] = {
    Prepare: ("acceptor", "proposer"),  # a proposer defers to a rival's live ballot
    Promise: ("proposer", "learner"),  # a learner hears how far others are
    Accept: ("acceptor", "learner"),  # a learner hears which value a ballot proposes
    Accepted: ("learner",),
    Rejected: ("proposer",),
    Chosen: ("learner",),
    Learn: ("learner",),
    Teach: ("learner",),
    StateChecksum: ("learner",),
    SnapshotOffered: ("learner",),
    FetchPieces: ("learner",),
    SnapshotPiece: ("learner",),
    SnapshotWanted: ("learner",),  # this and the next two from this node itself only
    SnapshotSaved: ("learner",),
    SnapshotLoaded: ("learner",),
    Confirm: ("acceptor",),
    Confirmed: ("proposer",),
    AskMemory: ("proposer",),
    Memory: ("proposer",),
    Heartbeat: ("proposer", "learner"),
    Heard: ("proposer", "learner"),
    Resigned: ("proposer",),
    Knock: (),  # only whether it is refused matters
    Probe: ("proposer",),
    Refused: ("proposer",),  # from this node's own transport only
    Poll: ("proposer",),
    Polled: ("proposer", "learner"),
    Propose: ("proposer",),
    Read: ("proposer",),
    Readable: ("proposer",),
    Adopted: ("proposer",),  # this and the next from this node itself only
    Advanced: ("proposer",),
}
