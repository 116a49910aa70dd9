"""The three items in which a long message travels, beside whole messages in the same frames.

========= ================================================== ===================================
item      written as                                         meaning
========= ================================================== ===================================
`Part`    ``[32, digest, length, size, index, last, data]``  a piece; after the last of a burst,
                                                             say what is missing
`Offer`   ``[33, digest, length, size]``                     this message is sent to you again;
                                                             say what is missing
`Missing` ``[34, digest, [index, ...]]``                     send me these pieces
========= ================================================== ===================================

``digest`` is the 16-byte BLAKE2b of the whole message, ``length`` its bytes, ``size`` the bytes
of every piece but the last, which has what remains.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import cbor2
from attrs import frozen

from paxos.wire.cbor import Malformed
from paxos.wire.fields import read_flag

DIGEST_BYTES: Final = 16

MAX_MESSAGE_BYTES: Final = 2 << 20
"""The longest message that travels, in bytes: a batch with a command of full size, with slack."""

MIN_PART_BYTES: Final = 256
"""Pieces are not smaller, so a message has a bounded number of them."""

WINDOW_BYTES: Final = 128 << 10
"""About how much a receiver asks for at once; what socket buffers hold without loss."""

MAX_WINDOW: Final = 128
"""The most pieces in one burst: their numbers fit a datagram."""

ITEM_KINDS: Final = range(32, 35)
_PART, _OFFER, _MISSING = ITEM_KINDS


@frozen
class Shape:
    """How one long message is cut up; two cuts of a message are two transfers."""

    digest: bytes
    length: int
    size: int

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return -(-self.length // self.size)

    @property
    def window(self) -> int:
        """How many pieces travel in one burst."""
        return max(1, min(MAX_WINDOW, WINDOW_BYTES // self.size))

    def length_of(self, index: int) -> int:
        """Return how many bytes a piece has."""
        return min(self.size, self.length - index * self.size)


@frozen
class Part:
    """One piece."""

    shape: Shape
    index: int
    last: bool
    data: bytes


@frozen
class Offer:
    """Instead of the pieces, when a message is sent again: most of it has usually arrived."""

    shape: Shape


@frozen
class Missing:
    """What the receiver lacks, as far as one burst goes."""

    digest: bytes
    indices: tuple[int, ...]


Item: TypeAlias = Part | Offer | Missing


def encode_item(item: Item) -> bytes:
    """Return the bytes of an item."""
    if type(item) is Part:
        s = item.shape
        return cbor2.dumps([_PART, s.digest, s.length, s.size, item.index, item.last, item.data])
    if type(item) is Offer:
        return cbor2.dumps([_OFFER, item.shape.digest, item.shape.length, item.shape.size])
    assert type(item) is Missing
    return cbor2.dumps([_MISSING, item.digest, item.indices])


def read_item(parsed: Any) -> Item:
    """Check what begins with one of `ITEM_KINDS` against the table above; raise `Malformed`."""
    match parsed:
        case (32, digest, length, size, index, last, data):
            shape = _read_shape(digest, length, size)
            at = _read_index(index, shape.count)
            if type(data) is not bytes or len(data) != shape.length_of(at):
                raise Malformed("a part of the wrong length")
            return Part(shape, at, read_flag(last), data)
        case (33, digest, length, size):
            return Offer(_read_shape(digest, length, size))
        case (34, digest, indices) if type(indices) is tuple and 0 < len(indices) <= MAX_WINDOW:
            count = MAX_MESSAGE_BYTES // MIN_PART_BYTES
            return Missing(_read_digest(digest), tuple(_read_index(one, count) for one in indices))
    raise Malformed("not a part, an offer or a list of missing parts")


def _read_shape(digest: Any, length: Any, size: Any) -> Shape:
    if (
        type(length) is int
        and type(size) is int
        and MIN_PART_BYTES <= size < length <= MAX_MESSAGE_BYTES
    ):
        return Shape(_read_digest(digest), length, size)
    raise Malformed("not the shape of a long message")


def _read_digest(item: Any) -> bytes:
    if type(item) is bytes and len(item) == DIGEST_BYTES:
        return item
    raise Malformed("not a digest")


def _read_index(item: Any, count: int) -> int:
    if type(item) is int and 0 <= item < count:
        return item
    raise Malformed("no index of a part")
