"""The clock by which a node counts its leases."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import trio

PRECISION: Final = 0.0001
"""How far `Clock.now` may be off, in seconds: a twentieth of what the default drift leaves between
a holder's shortest lease and the others' count of it."""


class Clock:
    """Trio's clock, but for one thing: it goes on while the machine is suspended.

    It can be read in any thread, which may be stopped at any point meanwhile. What is returned was
    the time at some moment of the call: never later, for a lease counts from before its renewal is
    sent; and never earlier, for it ends by this clock, too.

    Args:
        awake: A clock that stands still while the machine is suspended; Trio's if not given.
        gettime: Reads a clock of the system, as `time.clock_gettime` does.

    """

    def __init__(
        self,
        awake: Callable[[], float] | None = None,
        gettime: Callable[[int], float] = time.clock_gettime,
    ) -> None:
        self._awake = awake or trio.lowlevel.current_clock().current_time
        self._gettime = gettime
        self._boot_time: int | None = getattr(time, "CLOCK_BOOTTIME", None)

    def now(self) -> float:
        """Return the time in seconds."""
        slept = self.asleep()
        return self._awake() + slept

    def asleep(self) -> float:
        """Return for how many seconds this machine has been suspended since it was started.

        Where the system does not tell, it is always 0.
        """
        if self._boot_time is None:
            return 0.0
        while True:
            before = self._gettime(time.CLOCK_MONOTONIC)
            boot_time = self._gettime(self._boot_time)
            after = self._gettime(time.CLOCK_MONOTONIC)
            if after - before <= PRECISION:  # else this thread was stopped between the two clocks
                return boot_time - after
