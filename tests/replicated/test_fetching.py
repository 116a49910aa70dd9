from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from paxos.protocol.effects import Effects, PersistLater, Send, Wake
from paxos.protocol.records import Piece, Snapshotted
from paxos.replicated.fetching import (
    FIRST_WINDOW,
    LONGEST_PATIENCE,
    MAX_REQUESTED,
    MAX_WINDOW,
    STALLED,
    Fetching,
)
from paxos.replicated.snapshot import PIECE_BYTES
from paxos.replicated.snapshot_messages import FetchPieces, SnapshotPiece

DIGEST = bytes(16)
MIB = 1 << 20


def fetching(length: int) -> Fetching:
    return Fetching(Snapshotted(100, length, DIGEST), "node1", heard=0.0)


def piece(length: int, index: int) -> SnapshotPiece:
    return SnapshotPiece(DIGEST, index, bytes(min(PIECE_BYTES, length - index * PIECE_BYTES)))


def requests(effects: Effects) -> Iterator[int]:
    for effect in effects:
        if isinstance(effect, Send):
            assert isinstance(effect.message, FetchPieces)
            assert len(effect.message.indices) <= MAX_REQUESTED
            yield from effect.message.indices


class Link:
    """Carries pieces one after another, each in ``seconds``, after half a round trip each way."""

    def __init__(self, length: int, seconds: float, loss: float, seed: int = 0) -> None:
        self.fetching = fetching(length)
        self.length, self.seconds, self.loss = length, seconds, loss
        self.random = random.Random(seed)
        self.now = self.free = 0.0
        self.alarm = 0.0
        self.arriving: list[tuple[float, int]] = []
        self.sent = self.most = 0

    def run(self, until: float) -> float:
        """Fetch; return the time at which all was there."""
        self.take(self.fetching.wake(0.0))
        while not self.fetching.complete:
            assert self.now < until, f"{len(self.fetching.arrived)} pieces in {until} s"
            if self.arriving and self.arriving[0][0] <= self.alarm:
                self.now, index = self.arriving.pop(0)
                self.take(self.fetching.on_piece(piece(self.length, index), self.now))
            else:
                self.now = self.alarm
                self.take(self.fetching.wake(self.now))
            self.most = max(self.most, len(self.fetching.in_flight))
        return self.now

    def take(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Wake):
                self.alarm = self.now + effect.latest
        for index in requests(effects):
            self.sent += 1
            self.free = max(self.free, self.now + 0.0005) + self.seconds
            if self.random.random() >= self.loss:
                self.arriving.append((self.free + 0.0005, index))


def test_every_piece_is_asked_for_once_where_nothing_is_lost() -> None:
    link = Link(100 * MIB, 0.0005, loss=0.0)
    assert link.run(until=5) < 1.1 * link.fetching.count * link.seconds + 0.2
    assert link.sent == link.fetching.count
    assert FIRST_WINDOW < link.most <= MAX_WINDOW


@pytest.mark.parametrize("loss", [0.01, 0.05])
def test_100_mib_arrive_in_bounded_memory_over_a_link_that_loses(loss: float) -> None:
    link = Link(100 * MIB, 0.0005, loss)
    ideal = link.fetching.count * link.seconds
    assert link.run(until=30) < 2 * ideal + 1
    assert link.sent < link.fetching.count * (1 + 2 * loss) + 10
    assert link.most <= MAX_WINDOW


def test_slow_link_is_not_asked_for_the_same_again_and_again() -> None:
    link = Link(10 * MIB, 0.02, loss=0.0)
    link.run(until=30)
    assert link.sent < 1.3 * link.fetching.count


def test_window_halves_once_for_many_losses_at_a_time() -> None:
    wanted = fetching(100 * MIB)
    wanted.window = wanted.threshold = 32.0
    assert len(list(requests(wanted.ask(0.0)))) == 32
    again = list(requests(wanted.wake(1.0)))
    assert wanted.window == 16
    assert again == list(range(16))


def test_piece_is_kept_once_and_only_if_it_is_whole() -> None:
    wanted = fetching(PIECE_BYTES + 5)
    wanted.wake(0.0)
    assert wanted.on_piece(SnapshotPiece(DIGEST, 0, b"short"), 0.1) == ()
    assert wanted.on_piece(SnapshotPiece(DIGEST, 2, b"beyond"), 0.1) == ()
    assert wanted.on_piece(SnapshotPiece(DIGEST, 1, bytes(6)), 0.1) == ()
    kept = wanted.on_piece(SnapshotPiece(DIGEST, 1, b"tail!"), 0.1)
    assert kept == (PersistLater(Piece(100, 1, b"tail!")),)
    assert wanted.on_piece(SnapshotPiece(DIGEST, 1, b"tail!"), 0.1) == ()
    assert not wanted.complete
    wanted.on_piece(piece(PIECE_BYTES + 5, 0), 0.2)
    assert wanted.complete
    assert wanted.arrived_bytes == PIECE_BYTES + 5


def test_source_that_is_gone_is_left_soon_though_its_pieces_took_long() -> None:
    """Pieces that lay about while this node was paused make it patient, but not for ever."""
    wanted = fetching(20 * PIECE_BYTES)
    wanted.wake(0.0)
    for index in range(4):
        wanted.on_piece(piece(20 * PIECE_BYTES, index), 0.001 if index % 2 else 3.0)
    assert wanted.patience == LONGEST_PATIENCE
    assert not wanted.stalled(wanted.heard + STALLED)
    assert wanted.stalled(wanted.heard + 2.01)


def test_another_source_is_asked_for_what_is_missing_and_for_nothing_else() -> None:
    length = 20 * PIECE_BYTES
    wanted = fetching(length)
    wanted.wake(0.0)
    for index in range(5):
        wanted.on_piece(piece(length, index), 0.01)
    assert not wanted.stalled(0.5)
    assert wanted.stalled(STALLED + 0.1)
    effects = wanted.change_source("node2", STALLED + 0.1)
    assert all(effect.targets == ("node2",) for effect in effects if isinstance(effect, Send))
    asked = set(requests(effects))
    now = STALLED + 0.2
    while not wanted.complete:
        index = min(asked - wanted.arrived)
        asked |= set(requests(wanted.on_piece(piece(length, index), now)))
    assert asked == set(range(5, 20))
