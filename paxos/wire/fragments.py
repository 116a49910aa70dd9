"""Long messages in parts: pulled by the receiver, named by their content, without a timer.

The sender sends the first burst of parts. Each burst's last part makes the receiver say what is
missing, at most one burst of it, and the sender sends that. Where a last part or an answer is
lost, the transfer rests until the protocol sends the message again: its content has the same
digest, so a mere `Offer` goes out, and the receiver again says what is missing.

Both sides remember a bounded number of bytes for each peer and forget what rested longest. That
costs time, never truth: a message is handed on when its digest is right, and not before.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

from attrs import define, frozen

from paxos.wire.parts import (
    DIGEST_BYTES,
    MAX_MESSAGE_BYTES,
    Item,
    Missing,
    Offer,
    Part,
    Shape,
)

MAX_BYTES_PER_PEER: Final = 16 << 20
"""How many bytes of long messages one side remembers of, or for, one peer."""

MAX_MESSAGES_PER_PEER: Final = 256
"""How many long messages."""


def digest_of(message: bytes) -> bytes:
    """Return the name of a message."""
    return blake2b(message, digest_size=DIGEST_BYTES).digest()


@frozen
class _Sent:
    shape: Shape
    message: bytes

    def burst(self, indices: Sequence[int]) -> Iterator[Part]:
        """Cut out the parts; the last asks for an answer."""
        size = self.shape.size
        for index in indices:
            data = self.message[index * size : (index + 1) * size]
            yield Part(self.shape, index, index == indices[-1], data)


class Outbox:
    """The long messages that were lately sent to one target."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._sent: OrderedDict[bytes, _Sent] = OrderedDict()
        self._bytes = 0

    def send(self, message: bytes, size: int) -> Iterator[Item]:
        """Return what sends a message in parts of ``size`` bytes; nothing if it is too long."""
        if len(message) > MAX_MESSAGE_BYTES:
            self._counts["too_long"] += 1
            return iter(())
        digest = digest_of(message)
        sent = self._sent.get(digest)
        if sent is not None:
            self._sent.move_to_end(digest)
            self._counts["offered"] += 1
            return iter((Offer(sent.shape),))
        sent = self._sent[digest] = _Sent(Shape(digest, len(message), size), message)
        self._bytes += len(message)
        while self._bytes > MAX_BYTES_PER_PEER or len(self._sent) > MAX_MESSAGES_PER_PEER:
            self._bytes -= len(self._sent.popitem(last=False)[1].message)
        return sent.burst(range(min(sent.shape.window, sent.shape.count)))

    def on_missing(self, missing: Missing) -> Iterator[Item]:
        """Return the parts that the target lacks, if the message is still remembered."""
        sent = self._sent.get(missing.digest)
        if sent is None or max(missing.indices) >= sent.shape.count:
            self._counts["missing_unknown"] += 1
            return iter(())
        self._sent.move_to_end(missing.digest)
        # A number that is repeated must not become a part that is repeated.
        return sent.burst(sorted(set(missing.indices)))


@define
class _Arriving:
    """A message of which parts have arrived; ``message`` once all have."""

    shape: Shape
    buffer: bytearray
    absent: set[int]
    message: bytes | None = None

    def next_missing(self) -> Missing:
        """Return the first absent parts, as many as one burst has."""
        lowest = sorted(self.absent)[: self.shape.window]
        return Missing(self.shape.digest, tuple(lowest))


class Inbox:
    """The long messages that are arriving from one source, and those that lately did."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._arriving: OrderedDict[Shape, _Arriving] = OrderedDict()
        self._bytes = 0

    def on_part(self, part: Part) -> tuple[bytes | None, Missing | None]:
        """Take a part; return the message that it completes, or what to ask for."""
        arriving = self._find(part.shape)
        if part.index in arriving.absent:
            start = part.index * part.shape.size
            arriving.buffer[start : start + len(part.data)] = part.data
            arriving.absent.discard(part.index)
            if not arriving.absent:
                return self._complete(arriving), None
        else:
            self._counts["parts_again"] += 1
        return self._answer(arriving) if part.last else (None, None)

    def on_offer(self, offer: Offer) -> tuple[bytes | None, Missing | None]:
        """Take an offer: the sender sends a message again, and so it is handed on again."""
        return self._answer(self._find(offer.shape))

    def _answer(self, arriving: _Arriving) -> tuple[bytes | None, Missing | None]:
        if arriving.message is None:
            return None, arriving.next_missing()
        return arriving.message, None

    def _find(self, shape: Shape) -> _Arriving:
        arriving = self._arriving.get(shape)
        if arriving is not None:
            self._arriving.move_to_end(shape)
            return arriving
        arriving = _Arriving(shape, bytearray(shape.length), set(range(shape.count)))
        self._arriving[shape] = arriving
        self._bytes += shape.length
        while self._bytes > MAX_BYTES_PER_PEER or len(self._arriving) > MAX_MESSAGES_PER_PEER:
            dropped = self._least_useful()
            self._forget(dropped)
            if dropped.message is None:
                self._counts["transfers_dropped"] += 1
        return arriving

    def _least_useful(self) -> _Arriving:
        """Return a message that was handed on already, or else the one that rested longest."""
        by_rest = self._arriving.values()
        return next((one for one in by_rest if one.message is not None), next(iter(by_rest)))

    def _forget(self, arriving: _Arriving) -> None:
        del self._arriving[arriving.shape]
        self._bytes -= arriving.shape.length

    def _complete(self, arriving: _Arriving) -> bytes | None:
        message = bytes(arriving.buffer)
        if digest_of(message) != arriving.shape.digest:
            self._forget(arriving)
            self._counts["digest_wrong"] += 1
            return None
        arriving.message = message
        # It is kept: should the sender send it again, it need not travel again.
        arriving.buffer = bytearray()
        self._counts["assembled"] += 1
        return message
