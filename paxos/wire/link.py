"""From messages to datagrams and back: packing, parts, sealing. Pure: it owns no socket.

The plaintext of a datagram is a frame: a CBOR array whose elements are messages and the items of
`paxos.wire.parts`. A message is encoded once for all targets, and a frame is merely put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from paxos.protocol.messages import Message
from paxos.wire.cbor import Malformed, array, parse
from paxos.wire.codec import decode, read_message
from paxos.wire.fragments import Inbox, Outbox
from paxos.wire.parts import (
    DIGEST_BYTES,
    Item,
    Missing,
    Offer,
    Part,
    encode_item,
    is_item,
    read_item,
)
from paxos.wire.recent import Recent
from paxos.wire.sealing import Reason, Rejection, Sealer

MIN_DATAGRAM: Final = 1_024
MAX_DATAGRAM: Final = 65_507
"""The bounds of a datagram, in bytes: a full list of missing parts fits; UDP carries no more."""

MAX_PEERS: Final = 64
"""For how many peers long messages are remembered."""

_FRAME_HEADER: Final = 3
_PART_HEADER: Final = 32 + DIGEST_BYTES
"""More than a part has beside its data: seven CBOR headers of up to five bytes, and the digest."""

_COUNTERS: Final = (
    *("datagrams_out", "datagrams_in", "messages_out", "messages_in"),
    *("malformed_frame", "malformed_item", "malformed_message"),
    *("too_long", "offered", "assembled", "parts_again", "missing_unknown"),
    *("digest_wrong", "transfers_dropped"),
    *(reason.value for reason in Reason),
)


@frozen
class Incoming:
    """What one authentic datagram brought."""

    source: str
    messages: list[Message]
    replies: list[bytes]
    """Datagrams to send back to the source at once."""


class Wire:
    """One node's, or client's, end of all its links.

    ``cluster``, ``key`` and ``name`` are as for `Sealer`. Datagrams are not longer than
    ``max_datagram`` bytes. Raises ValueError where one of them is out of bounds.
    """

    def __init__(self, cluster: str, key: bytes, name: str, max_datagram: int) -> None:
        if not MIN_DATAGRAM <= max_datagram <= MAX_DATAGRAM:
            raise ValueError(
                f"datagrams have {MIN_DATAGRAM} to {MAX_DATAGRAM} bytes, not {max_datagram}"
            )
        self._sealer = Sealer(cluster, key, name)
        self._max_datagram = max_datagram
        self._counts = Counter(dict.fromkeys(_COUNTERS, 0))
        self._outboxes: Recent[str, Outbox] = Recent(MAX_PEERS)
        self._inboxes: Recent[str, Inbox] = Recent(MAX_PEERS)

    def statistics(self) -> dict[str, int]:
        """Return how often each thing happened so far, every cause of loss among them."""
        return dict(self._counts)

    def outgoing(self, target: str, encoded: Iterable[bytes]) -> list[bytes]:
        """Return the datagrams that carry these encoded messages, in order, to ``target``.

        A message beyond `MAX_MESSAGE_BYTES` is dropped and counted as ``too_long``.
        """
        room = self._room(target)
        items: list[bytes] = []
        for message in encoded:
            self._counts["messages_out"] += 1
            if len(message) <= room:
                items.append(message)
            else:
                parts = self._outbox(target).send(message, room - _PART_HEADER)
                items.extend(map(encode_item, parts))
        return self._frames(target, items, room)

    def incoming(self, datagram: bytes) -> Incoming | None:
        """Return what a datagram brought, or None where nothing in it can be trusted.

        Never raises, whatever the bytes; each drop is counted by its reason.
        """
        try:
            source, frame = self._sealer.open(datagram)
        except Rejection as rejection:
            self._counts[rejection.reason.value] += 1
            return None
        self._counts["datagrams_in"] += 1
        try:
            items = parse(frame)
        except Malformed:
            items = None
        if type(items) is not tuple:
            self._counts["malformed_frame"] += 1
            return None
        messages: list[Message] = []
        answers: list[Item] = []
        for item in items:
            try:
                if is_item(item):
                    self._on_item(source, read_item(item), messages, answers)
                else:
                    messages.append(read_message(item))
            except Malformed:
                self._counts["malformed_item"] += 1
        self._counts["messages_in"] += len(messages)
        return Incoming(source, messages, self._replies(source, answers) if answers else [])

    def _on_item(
        self, source: str, item: Item, messages: list[Message], answers: list[Item]
    ) -> None:
        if type(item) is Missing:
            answers.extend(self._outbox(source).on_missing(item))
            return
        inbox = self._inbox(source)
        if type(item) is Part:
            message, missing = inbox.on_part(item)
        else:
            assert type(item) is Offer
            message, missing = inbox.on_offer(item)
        if missing is not None:
            answers.append(missing)
        if message is not None:
            try:
                messages.append(decode(message))
            except Malformed:
                self._counts["malformed_message"] += 1

    def _replies(self, source: str, answers: Iterable[Item]) -> list[bytes]:
        return self._frames(source, map(encode_item, answers), self._room(source))

    def _room(self, target: str) -> int:
        """Return how many bytes of items fit a datagram."""
        return self._max_datagram - self._sealer.overhead(target) - _FRAME_HEADER

    def _frames(self, target: str, items: Iterable[bytes], room: int) -> list[bytes]:
        """Seal the items in as few datagrams as their order allows."""
        datagrams: list[bytes] = []
        frame: list[bytes] = []
        length = 0
        for item in items:
            length += len(item)
            if length > room:
                datagrams.append(self._sealer.seal(target, array(frame)))
                frame, length = [], len(item)
            frame.append(item)
        if frame:
            datagrams.append(self._sealer.seal(target, array(frame)))
        self._counts["datagrams_out"] += len(datagrams)
        return datagrams

    def _outbox(self, target: str) -> Outbox:
        outbox = self._outboxes.get(target)
        if outbox is None:
            outbox = Outbox(self._counts)
            self._outboxes.put(target, outbox)
        return outbox

    def _inbox(self, source: str) -> Inbox:
        inbox = self._inboxes.get(source)
        if inbox is None:
            inbox = Inbox(self._counts)
            self._inboxes.put(source, inbox)
        return inbox
