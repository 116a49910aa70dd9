"""What a node has seen of one election, for all who observe it here."""

from __future__ import annotations

from collections import deque

import trio

from paxos.replicated.election_decrees import ElectionView

MAX_VIEWS = 1024
"""How many changes an observer may be behind; then it misses the oldest, never the last."""


class Board:
    """The last views of an election, in order."""

    def __init__(self, view: ElectionView) -> None:
        self.views = deque([view], maxlen=MAX_VIEWS)
        self.count = 1
        """How many there ever were."""
        self.changed = trio.Event()

    def add(self, view: ElectionView) -> None:
        """Show another view, unless it is the last one."""
        if view != self.views[-1]:
            self.views.append(view)
            self.count += 1
            self.changed.set()
            self.changed = trio.Event()


class Observation:
    """Yields the view that a node has of an election, and then every change of it; never ends."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._next = board.count - 1
        self.missed = 0
        """Changes that were not yielded, because too many came before they were asked for."""

    def __aiter__(self) -> Observation:
        """Return itself."""
        return self

    async def __anext__(self) -> ElectionView:
        """Wait for the next change; the first view comes at once."""
        await trio.lowlevel.checkpoint()
        board = self._board
        while self._next == board.count:
            await board.changed.wait()
        oldest = board.count - len(board.views)
        if self._next < oldest:
            self.missed += oldest - self._next
            self._next = oldest
        self._next += 1
        return board.views[self._next - 1 - oldest]
