"""The kinds of field that messages have: how each is written, and what is accepted when read.

A reader takes what the CBOR decoder made of hostile bytes and returns the field, or raises
`Malformed`. Types are compared exactly, because in Python ``True`` is an ``int``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from attrs import frozen

from paxos.protocol.ballot import Ballot
from paxos.replicated.messages import Outcome
from paxos.replicated.values import MAX_COMMAND_BYTES, Leadership
from paxos.wire.cbor import Malformed

MAX_NATURAL: Final = 2**63 - 1
"""The largest integer on the wire: the largest that SQLite stores."""

MAX_NAME: Final = 64
"""The longest name of a node or client, in characters."""

MAX_TEXT: Final = 4096
"""The longest text for people, in characters."""

Reader: TypeAlias = Callable[[Any], Any]
Writer: TypeAlias = Callable[[Any], Any]


@frozen
class Field:
    """One kind of field. ``write`` is None where the CBOR encoder needs no help."""

    read: Reader
    write: Writer | None = None


def natural(item: Any) -> int:
    """Read an integer from 0 to `MAX_NATURAL`."""
    if type(item) is int and 0 <= item <= MAX_NATURAL:
        return item
    raise Malformed("not a natural number")


def name(item: Any) -> str:
    """Read a node's name: 1 to `MAX_NAME` characters."""
    if type(item) is str and 0 < len(item) <= MAX_NAME:
        return item
    raise Malformed("not a name")


def data(item: Any) -> bytes:
    """Read a command or an answer: at most `MAX_COMMAND_BYTES` bytes."""
    if type(item) is bytes and len(item) <= MAX_COMMAND_BYTES:
        return item
    raise Malformed("not bytes, or too many")


def real_ballot(item: Any) -> Ballot:
    """Read a ballot that some proposer began."""
    if type(item) is tuple and len(item) == 2:
        number, node = item
        # The two checks stand here in full because nearly every message has a ballot.
        if (
            type(number) is int
            and 0 <= number <= MAX_NATURAL
            and type(node) is str
            and 0 < len(node) <= MAX_NAME
        ):
            return tuple.__new__(Ballot, item)
    raise Malformed("not a ballot")


def any_ballot(item: Any) -> Ballot:
    """Read a ballot that may be `Ballot.ZERO`."""
    if type(item) is tuple and len(item) == 2 and item[1] == "" and natural(item[0]) == 0:
        return Ballot.ZERO
    return real_ballot(item)


def read_flag(item: Any) -> bool:
    """Read a truth value."""
    if type(item) is bool:
        return item
    raise Malformed("not a truth value")


def sized(kind: type[str] | type[bytes], least: int, most: int, what: str) -> Field:
    """Return a kind of field that is a text or bytes, and so long."""

    def read(item: Any) -> Any:
        if type(item) is kind and least <= len(item) <= most:
            return item
        raise Malformed(f"not {what}, or of a wrong length")

    return Field(read)


def _read_slot_or_none(item: Any) -> int:
    return -1 if type(item) is int and item == -1 else natural(item)


def _read_outcome(item: Any) -> Outcome:
    try:
        return Outcome(natural(item))
    except ValueError:
        raise Malformed("not an outcome") from None


def read_leadership(item: Any) -> Leadership:
    """Read ``[leader, epoch]``."""
    if type(item) is tuple and len(item) == 2:
        return Leadership(name(item[0]), natural(item[1]))
    raise Malformed("not a leadership")


def _read_optional_leadership(item: Any) -> Leadership | None:
    return None if item is None else read_leadership(item)


def _write_optional_leadership(leadership: Leadership | None) -> object:
    return None if leadership is None else (leadership.leader, leadership.epoch)


NATURAL: Final = Field(natural)
NAME: Final = Field(name)
DATA: Final = Field(data)
BALLOT: Final = Field(real_ballot)
ANY_BALLOT: Final = Field(any_ballot)
FLAG: Final = Field(read_flag)
TEXT: Final = sized(str, 0, MAX_TEXT, "a text")
SLOT_OR_NONE: Final = Field(_read_slot_or_none)
OUTCOME: Final = Field(_read_outcome)
OPTIONAL_LEADERSHIP: Final = Field(_read_optional_leadership, _write_optional_leadership)
