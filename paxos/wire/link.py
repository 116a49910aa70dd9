"""From messages to datagrams and back: packing, parts, sealing. Pure: it owns no socket.

The plaintext of a datagram is a frame: a CBOR array whose elements are messages and the items of
`paxos.wire.parts`. A message is encoded once for all targets, and a frame is merely put together.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import frozen

from paxos.protocol.messages import Message
from paxos.replicated.values import CLIENT_PREFIX
from paxos.wire.boots import Boot
from paxos.wire.cbor import Malformed, array, kind_of, parse
from paxos.wire.challenges import PROOF_KINDS, read_proof
from paxos.wire.codec import decode, read_message
from paxos.wire.fragments import Inbox, Outbox
from paxos.wire.introductions import Introductions
from paxos.wire.keys import KeyRing
from paxos.wire.parts import (
    DIGEST_BYTES,
    ITEM_KINDS,
    Item,
    Missing,
    Offer,
    Part,
    encode_item,
    read_item,
)
from paxos.wire.recent import Recent
from paxos.wire.sealing import Reason, Rejection, Sealer

MIN_DATAGRAM: Final = 1_024
MAX_DATAGRAM: Final = 65_507
"""The bounds of a datagram, in bytes: a full list of missing parts fits; UDP carries no more."""

MAX_PEERS: Final = 64
"""For how many members long messages are remembered, and for how many clients."""

MAX_MALFORMED: Final = 16
"""After so many malformed items the rest of a frame is not looked at."""

_FRAME_HEADER: Final = 3
_PART_HEADER: Final = 32 + DIGEST_BYTES
"""More than a part has beside its data: seven CBOR headers of up to five bytes, and the digest."""

_COUNTERS: Final = (
    *("datagrams_out", "datagrams_in", "messages_out", "messages_in"),
    *("malformed_frame", "malformed_item", "malformed_message"),
    *("too_long", "offered", "assembled", "parts_again", "missing_unknown"),
    *("digest_wrong", "transfers_dropped"),
    *("unconfirmed", "challenged", "confirmed", "clones"),
    *(reason.value for reason in Reason),
)


@frozen
class Incoming:
    """What one authentic datagram brought."""

    source: str
    messages: list[Message]
    replies: list[bytes]
    """Datagrams to send back to the source at once."""
    cloned: bool = False
    """Whether it proves that two live processes have the source's name."""


class Wire:
    """One node's, or client's, end of all its links.

    ``cluster``, ``keys`` and ``name`` are as for `Sealer`. Datagrams are not longer than
    ``max_datagram`` bytes. ``clock`` shows seconds, and sets the pace of questions alone. Raises
    ValueError where one of them is out of bounds.
    """

    def __init__(
        self,
        cluster: str,
        keys: KeyRing | bytes,
        name: str,
        max_datagram: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not MIN_DATAGRAM <= max_datagram <= MAX_DATAGRAM:
            raise ValueError(
                f"datagrams have {MIN_DATAGRAM} to {MAX_DATAGRAM} bytes, not {max_datagram}"
            )
        self._sealer = Sealer(cluster, keys, name)
        self._max_datagram = max_datagram
        self._counts = Counter(dict.fromkeys(_COUNTERS, 0))
        self._outboxes: Recent[str, Outbox] = Recent(MAX_PEERS)
        self._inboxes: Recent[str, Inbox] = Recent(MAX_PEERS)
        self._client_outboxes: Recent[str, Outbox] = Recent(MAX_PEERS)
        self._client_inboxes: Recent[str, Inbox] = Recent(MAX_PEERS)
        self._introductions = Introductions(
            self._sealer.boot, self._sealer.boots, clock, self._counts
        )

    @property
    def displaced(self) -> bool:
        """Whether a peer has said that another process has this name, and started earlier."""
        return self._introductions.displaced

    @property
    def keys(self) -> KeyRing:
        """The ring that is in use."""
        return self._sealer.ring

    def rekey(self, ring: KeyRing) -> None:
        """Use another key ring from now on; nothing that is under way is lost."""
        self._sealer.rekey(ring)

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
        self._introductions.note(target, items)
        return self._frames(target, items, room)

    def incoming(self, datagram: bytes) -> Incoming | None:
        """Return what a datagram brought, or None where nothing in it can be trusted.

        Never raises, whatever the bytes; each drop is counted by its reason.
        """
        try:
            boot, number, frame = self._sealer.open(datagram)
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
        if boot.confirmed:
            return self._read(boot, items)
        return self._hear_out(boot, number, items)

    def _read(self, boot: Boot, items: tuple[Any, ...]) -> Incoming:
        """Take all that is in the frame of a peer that is believed."""
        messages: list[Message] = []
        answers: list[bytes] = []
        malformed = 0
        for item in items:
            kind = kind_of(item)
            try:
                if kind in ITEM_KINDS:
                    self._on_item(boot.source, read_item(item), messages, answers)
                elif kind in PROOF_KINDS:
                    answers += self._introductions.answer(boot.source, read_proof(item))
                else:
                    messages.append(read_message(item))
            except Malformed:
                self._counts["malformed_item"] += 1
                malformed += 1
                if malformed == MAX_MALFORMED:
                    break
        self._counts["messages_in"] += len(messages)
        return Incoming(boot.source, messages, self._replies(boot.source, answers))

    def _hear_out(self, boot: Boot, number: int, items: tuple[Any, ...]) -> Incoming:
        """Take what an unseen boot says, of which only proofs count until it is believed."""
        answers, cloned = self._introductions.hear_out(boot, number, items)
        replies = self._replies(boot.source, answers)
        if not boot.confirmed:
            return Incoming(boot.source, [], replies, cloned)
        read = self._read(boot, tuple(i for i in items if kind_of(i) not in PROOF_KINDS))
        return Incoming(boot.source, read.messages, replies + read.replies, cloned)

    def _on_item(
        self, source: str, item: Item, messages: list[Message], answers: list[bytes]
    ) -> None:
        if type(item) is Missing:
            answers.extend(map(encode_item, self._outbox(source).on_missing(item)))
            return
        inbox = self._inbox(source)
        if type(item) is Part:
            message, missing = inbox.on_part(item)
        else:
            assert type(item) is Offer
            message, missing = inbox.on_offer(item)
        if missing is not None:
            answers.append(encode_item(missing))
        if message is not None:
            try:
                messages.append(decode(message))
            except Malformed:
                self._counts["malformed_message"] += 1

    def _replies(self, source: str, answers: list[bytes]) -> list[bytes]:
        return self._frames(source, answers, self._room(source)) if answers else []

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
        outboxes = self._client_outboxes if target.startswith(CLIENT_PREFIX) else self._outboxes
        outbox = outboxes.get(target)
        if outbox is None:
            outbox = Outbox(self._counts)
            outboxes.put(target, outbox)
        return outbox

    def _inbox(self, source: str) -> Inbox:
        inboxes = self._client_inboxes if source.startswith(CLIENT_PREFIX) else self._inboxes
        inbox = inboxes.get(source)
        if inbox is None:
            inbox = Inbox(self._counts)
            inboxes.put(source, inbox)
        return inbox
