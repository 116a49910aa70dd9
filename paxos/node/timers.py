"""The alarms of a node's roles: one task for all."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import trio


class Timers:
    """Calls each role's alarm at a random moment of the range for which it was set."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._ring: dict[str, Callable[[], None]] = {}
        self._sleep = trio.CancelScope()

    def register(self, role: str, ring: Callable[[], None]) -> None:
        """Name what to call when the role's alarm is due."""
        self._ring[role] = ring

    def set(self, role: str, earliest: float, latest: float) -> None:
        """Set the role's alarm, in seconds from now, in place of its earlier one."""
        delay = earliest if latest <= earliest else random.uniform(earliest, latest)  # noqa: S311 - a pause, no secret
        self._due[role] = trio.current_time() + delay
        if self._due[role] < self._sleep.deadline:
            self._sleep.deadline = self._due[role]

    async def run(self) -> None:
        """Ring what is due, for ever."""
        while True:
            with trio.CancelScope(deadline=min(self._due.values(), default=math.inf)) as sleep:
                self._sleep = sleep
                await trio.sleep_forever()
            now = trio.current_time()
            for role in [role for role, due in self._due.items() if due <= now]:
                del self._due[role]
                self._ring[role]()
