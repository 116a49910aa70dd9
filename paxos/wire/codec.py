"""Messages as bytes: ``[kind, field, ...]``, one line of `LAYOUTS` for each.

A kind's number and fields never change once released: a message that needs another field gets
another number, so that neighbouring versions understand each other or drop and count.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

import attrs
import cbor2
from attrs import AttrsInstance

from paxos.protocol import messages as protocol
from paxos.protocol.messages import Message, Vote
from paxos.replicated import messages as replicated
from paxos.replicated import snapshot_messages as snapshots
from paxos.replicated.admission import Mark
from paxos.replicated.fetching import MAX_REQUESTED
from paxos.replicated.snapshot import DIGEST_BYTES, PIECE_BYTES
from paxos.wire.cbor import Malformed, parse
from paxos.wire.decrees import encode_decree
from paxos.wire.fields import (
    ANY_BALLOT,
    BALLOT,
    DATA,
    FLAG,
    NAME,
    NATURAL,
    OPTIONAL_LEADERSHIP,
    OUTCOME,
    SLOT_OR_NONE,
    TEXT,
    Field,
    Writer,
    name,
    natural,
    real_ballot,
)
from paxos.wire.values import encode_value, read_commands, read_value, write_commands

MAX_MARKS: Final = 256
"""The most journals of which one heartbeat tells."""

MAX_VOTES: Final = 1024
"""The most votes in one part of a promise."""


def _write_votes(votes: tuple[Vote, ...]) -> list[Any]:
    return [(vote.slot, vote.ballot, encode_value(vote.value)) for vote in votes]


def _read_votes(item: Any) -> tuple[Vote, ...]:
    if type(item) is tuple and len(item) <= MAX_VOTES:
        return tuple([_read_vote(vote) for vote in item])
    raise Malformed("not votes, or too many")


def _read_vote(item: Any) -> Vote:
    if type(item) is tuple and len(item) == 3:
        return Vote(natural(item[0]), real_ballot(item[1]), read_value(item[2]))
    raise Malformed("not a vote")


def _read_mark(item: Any) -> Mark:
    if type(item) is tuple and len(item) == 3:
        return Mark(name(item[0]), natural(item[1]), natural(item[2]))
    raise Malformed("not a mark of a journal")


def _read_marks(item: Any) -> tuple[Mark, ...]:
    if type(item) is tuple and len(item) <= MAX_MARKS:
        return tuple([_read_mark(mark) for mark in item])
    raise Malformed("not marks, or too many")


def _read_names(item: Any) -> tuple[str, ...]:
    if type(item) is tuple and len(item) <= MAX_MARKS:
        return tuple([name(each) for each in item])
    raise Malformed("not names, or too many")


NAMES: Final = Field(_read_names)
MARK: Final = Field(_read_mark)
MARKS: Final = Field(_read_marks)


def _read_digest(item: Any) -> bytes:
    if type(item) is bytes and len(item) == DIGEST_BYTES:
        return item
    raise Malformed("not a digest")


def _read_indices(item: Any) -> tuple[int, ...]:
    if type(item) is tuple and 0 < len(item) <= MAX_REQUESTED:
        return tuple([natural(index) for index in item])
    raise Malformed("not indices, or too many")


def _read_piece(item: Any) -> bytes:
    if type(item) is bytes and 0 < len(item) <= PIECE_BYTES:
        return item
    raise Malformed("not a piece")


DIGEST: Final = Field(_read_digest)
INDICES: Final = Field(_read_indices)
PIECE: Final = Field(_read_piece)
VALUE: Final = Field(read_value, encode_value)
VOTES: Final = Field(_read_votes, _write_votes)
COMMANDS: Final = Field(read_commands, write_commands)

LAYOUTS: Final[dict[int, tuple[type[Message], tuple[Field, ...]]]] = {
    1: (protocol.Prepare, (BALLOT, NATURAL)),
    2: (protocol.Promise, (BALLOT, NATURAL, NATURAL, VOTES)),
    3: (protocol.Accept, (BALLOT, NATURAL, VALUE)),
    4: (protocol.Accepted, (BALLOT, NATURAL)),
    5: (protocol.Rejected, (BALLOT, BALLOT)),
    6: (protocol.Chosen, (BALLOT, NATURAL)),
    7: (protocol.Learn, (NATURAL, NATURAL)),
    8: (protocol.Teach, (NATURAL, VALUE, NATURAL, NATURAL)),
    9: (snapshots.SnapshotOffered, (NATURAL, NATURAL, DIGEST)),
    10: (snapshots.FetchPieces, (NATURAL, DIGEST, INDICES)),
    11: (snapshots.SnapshotPiece, (DIGEST, NATURAL, PIECE)),
    35: (replicated.StateChecksum, (NATURAL, NATURAL)),
    12: (protocol.Confirm, (BALLOT, NATURAL)),
    13: (protocol.Confirmed, (BALLOT, NATURAL)),
    16: (replicated.Heartbeat, (BALLOT, NATURAL, NATURAL, NATURAL, MARKS)),
    17: (replicated.Heard, (BALLOT, NATURAL, NATURAL, MARK, NATURAL)),
    18: (replicated.Resigned, (BALLOT,)),
    19: (replicated.Poll, (NATURAL, NATURAL)),
    20: (replicated.Polled, (NATURAL, NATURAL, FLAG, ANY_BALLOT, NATURAL)),
    21: (replicated.Propose, (COMMANDS, NATURAL)),
    22: (replicated.Submit, (NATURAL, DATA)),
    23: (replicated.Answer, (NATURAL, OUTCOME, SLOT_OR_NONE, DATA)),
    24: (replicated.AskStatus, (NATURAL,)),
    26: (replicated.Probe, (BALLOT,)),
    25: (
        replicated.Status,
        (
            NATURAL,
            NAME,
            TEXT,
            OPTIONAL_LEADERSHIP,
            OPTIONAL_LEADERSHIP,
            ANY_BALLOT,
            NATURAL,
            NATURAL,
            FLAG,
            TEXT,
            NATURAL,
            NATURAL,
            NATURAL,
        ),
    ),
    40: (replicated.Read, (NATURAL, NATURAL)),
    41: (replicated.Readable, (NATURAL, NATURAL, NATURAL)),
    42: (replicated.Query, (NATURAL, DATA)),
    64: (protocol.AskMemory, (NATURAL,)),
    66: (replicated.Readmit, (NATURAL, NAMES)),
    65: (protocol.Memory, (NATURAL, ANY_BALLOT, NATURAL, NATURAL, NATURAL)),
}
"""Number, class, and the kinds of the fields, in the order in which the class declares them."""


_Plan: TypeAlias = tuple[int, Callable[[Message], tuple[Any, ...]], tuple[tuple[int, Writer], ...]]


def _writing_plan(kind: int, cls: type[Message], fields: tuple[Field, ...]) -> _Plan:
    """Return the kind, what gets all fields at once, and the writers by position in the array."""
    names = [attribute.name for attribute in attrs.fields(cast("type[AttrsInstance]", cls))]
    assert len(names) == len(fields), cls
    # The getter asks for the class, too: with one name alone it would return no tuple.
    getter = attrgetter("__class__", *names)
    writers = ((at, field.write) for at, field in enumerate(fields, 1) if field.write is not None)
    return kind, getter, tuple(writers)


_WRITE: Final = {cls: _writing_plan(kind, cls, fields) for kind, (cls, fields) in LAYOUTS.items()}
_READ: Final = {
    kind: (cls, tuple(field.read for field in fields), len(fields) + 1)
    for kind, (cls, fields) in LAYOUTS.items()
}


def encode(message: Message) -> bytes:
    """Return the bytes of a message; raise TypeError for one that never travels."""
    plan = _WRITE.get(type(message))
    if plan is None:
        raise TypeError(f"{type(message).__name__} does not travel")
    kind, fields_of, writers = plan
    item = list(fields_of(message))
    item[0] = kind
    for at, write in writers:
        item[at] = write(item[at])
    return cbor2.dumps(item, default=encode_decree)


def decode(data: bytes) -> Message:
    """Return the message that `encode` wrote; raise `Malformed` for anything else."""
    return read_message(parse(data))


def read_message(item: Any) -> Message:
    """Check a parsed item against its layout; raise `Malformed` where it departs from it."""
    if type(item) is not tuple or not item or type(item[0]) is not int:
        raise Malformed("not a message")
    layout = _READ.get(item[0])
    if layout is None:
        raise Malformed("a message of unknown kind")
    cls, readers, length = layout
    if len(item) != length:
        raise Malformed("too few fields, or too many")
    fields = iter(item)
    next(fields)
    return cls(*[read(field) for read, field in zip(readers, fields)])  # noqa: B905
