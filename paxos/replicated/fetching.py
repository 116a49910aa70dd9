"""How a laggard gets a snapshot: in pieces that it asks for, with a window that fits the link.

The receiver drives. It has so many requests open at once, learns from the answers how long a piece
takes, asks again for what is overdue, and halves its window when something was lost, as TCP does.
The sender keeps no state at all, and so any node that has the same snapshot can go on.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field

from paxos.protocol.effects import Effects, PersistLater, Send, Wake
from paxos.protocol.records import Piece, Snapshotted
from paxos.replicated.snapshot import PIECE_BYTES
from paxos.replicated.snapshot_messages import FetchPieces, SnapshotPiece
from paxos.replicated.timing import Estimate

MAX_WINDOW = 64
"""The most pieces on their way at once: 3 MiB, which is what may wait here in memory."""

FIRST_WINDOW = 8

MAX_REQUESTED = 32
"""The most pieces that one message asks for."""

SHORTEST_PATIENCE = 0.02
"""A piece is not overdue before, in seconds."""

LONGEST_PATIENCE = 1.0

STALLED = 1.0
"""Seconds without a piece, and at least twice the patience, until another node is asked."""


@define
class Fetching:
    """A snapshot that is on its way to this node."""

    snapshot: Snapshotted
    source: str
    """Who sends it."""
    heard: float
    """When a piece last arrived, or it all began."""
    window: float = FIRST_WINDOW
    threshold: float = MAX_WINDOW
    """Below, the window grows by one for each piece, above, by one for each window."""
    next_index: int = 0
    """The first piece that was never asked for."""
    again: deque[int] = field(factory=deque)
    """What is to be asked for again."""
    in_flight: dict[int, float] = field(factory=dict)
    """When each piece was asked for that has not come."""
    arrived: set[int] = field(factory=set)
    repeated: set[int] = field(factory=set)
    """Pieces that were asked for more than once: how long they took is not known."""
    round_trip: Estimate = field(factory=Estimate)
    halved: float = float("-inf")
    """When the window was last halved."""

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return -(-self.snapshot.length // PIECE_BYTES)

    @property
    def arrived_bytes(self) -> int:
        """About how much has arrived."""
        return min(len(self.arrived) * PIECE_BYTES, self.snapshot.length)

    @property
    def complete(self) -> bool:
        """Whether all have arrived."""
        return len(self.arrived) == self.count

    @property
    def patience(self) -> float:
        """After how many seconds a piece is overdue."""
        if not self.round_trip.samples:
            return 4 * SHORTEST_PATIENCE
        usual = self.round_trip.mean + 4 * self.round_trip.deviation
        return min(max(usual, SHORTEST_PATIENCE), LONGEST_PATIENCE)

    def stalled(self, now: float) -> bool:
        """Tell whether the source seems to be gone."""
        return now - self.heard > max(STALLED, 2 * self.patience)

    def change_source(self, source: str, now: float) -> Effects:
        """Go on with another node that has the same snapshot."""
        self.source, self.heard = source, now
        self._give_up(list(self.in_flight))
        return self.ask(now)

    def on_piece(self, piece: SnapshotPiece, now: float) -> Effects:
        """Take a piece; it goes to the disk, and more are asked for."""
        index = piece.index
        if index >= self.count or index in self.arrived:
            return ()
        if len(piece.data) != min(PIECE_BYTES, self.snapshot.length - index * PIECE_BYTES):
            return ()
        self.arrived.add(index)
        self.heard = now
        sent = self.in_flight.pop(index, None)
        if sent is not None and index not in self.repeated:
            self.round_trip.add(max(0.0, now - sent))
        self.window += 1 if self.window < self.threshold else 1 / self.window
        self.window = min(self.window, MAX_WINDOW)
        keep = PersistLater(Piece(self.snapshot.position, index, piece.data))
        return (keep, *self.ask(now))

    def wake(self, now: float) -> Effects:
        """Ask again for what is overdue."""
        patience = self.patience
        overdue = [index for index, sent in self.in_flight.items() if now - sent > patience]
        if overdue:
            if now - self.halved > patience:  # one loss, however many pieces it took
                self.threshold = self.window = max(2.0, self.window / 2)
                self.halved = now
            self._give_up(overdue)
        return (*self.ask(now), Wake(patience / 2, patience / 2))

    def ask(self, now: float) -> Effects:
        """Ask for as many pieces as the window has room for; not for few while others come."""
        room = int(self.window) - len(self.in_flight)
        if self.in_flight and room < min(self.window / 4, MAX_REQUESTED):
            return ()
        indices: list[int] = []
        while len(indices) < min(room, MAX_REQUESTED):
            if self.again:
                index = self.again.popleft()
                if index in self.arrived:
                    continue
            elif self.next_index < self.count:
                index, self.next_index = self.next_index, self.next_index + 1
            else:
                break
            self.in_flight[index] = now
            indices.append(index)
        if not indices:
            return ()
        request = FetchPieces(self.snapshot.position, self.snapshot.digest, tuple(indices))
        return (Send((self.source,), request),)

    def _give_up(self, indices: list[int]) -> None:
        for index in indices:
            del self.in_flight[index]
            self.again.append(index)
            self.repeated.add(index)
