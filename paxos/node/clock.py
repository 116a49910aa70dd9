"""The clock by which a node counts its leases."""

from __future__ import annotations

import time

import trio


def asleep() -> float:
    """Return for how many seconds this machine has been suspended since it was started.

    The monotonic clock, by which Trio goes, stands still meanwhile. Where the system does not tell
    the two apart, it is always 0.
    """
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    if boot_time is None:
        return 0.0
    monotonic = time.clock_gettime(time.CLOCK_MONOTONIC)  # first: a pause here ends leases early
    return time.clock_gettime(boot_time) - monotonic


class Clock:
    """Trio's clock, but for one thing: it goes on while the machine is suspended.

    It can be read in any thread.
    """

    def __init__(self) -> None:
        self._clock = trio.lowlevel.current_clock()

    def now(self) -> float:
        """Return the time in seconds."""
        slept = asleep()
        return self._clock.current_time() + slept
