"""How much of a teacher one laggard gets: a member gone wild must not take the leader's time.

What a laggard asks next depends on what has arrived, so an honest one repeats a request only where
the answer was lost, and waits before it does. The same request is therefore served after pauses
that double. And nobody has more than a share of the requests that wait.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final

from paxos.protocol.effects import Supply
from paxos.replicated.snapshot_messages import SupplyPieces

SHARE: Final = 16
"""How many requests of one laggard wait at once."""

PAUSE: Final = 0.005
"""Seconds before the same request is served a second time; an honest laggard waits for longer."""

MAX_DOUBLINGS: Final = 7
"""How often the pause doubles."""

FORGOTTEN: Final = 2.0
"""Seconds after which a request counts as new."""

REMEMBERED: Final = 1024
"""How many requests are remembered, of all laggards together."""

Request = Supply | SupplyPieces


class Rations:
    """Decides which requests are served."""

    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()
        self._granted: OrderedDict[Request, tuple[int, float]] = OrderedDict()
        """How often each was granted, and when last."""

    def grant(self, request: Request, now: float) -> bool:
        """Tell whether a request may wait for its turn; if so, count it."""
        if self._waiting[request.target] >= SHARE:
            return False
        times, last = self._granted.get(request, (0, 0.0))
        if times and now - last >= FORGOTTEN:
            times = 0
        if times and now - last < PAUSE * 2 ** min(times - 1, MAX_DOUBLINGS):
            return False
        self._granted[request] = times + 1, now
        self._granted.move_to_end(request)
        if len(self._granted) > REMEMBERED:
            self._granted.popitem(last=False)
        self._waiting[request.target] += 1
        return True

    def begin(self, request: Request) -> None:
        """Note that a request waits no longer."""
        self._waiting[request.target] -= 1
        if not self._waiting[request.target]:
            del self._waiting[request.target]
