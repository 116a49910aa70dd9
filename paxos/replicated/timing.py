"""How patient the nodes are. None of it matters to agreement."""

from __future__ import annotations

import math
from typing import Protocol

from attrs import define, field


class Timing(Protocol):
    """How patient a node is, in seconds; the cluster's configuration has the figures."""

    @property
    def heartbeat(self) -> float:
        """How often the leader says that it lives."""
        ...

    @property
    def suspicion(self) -> float:
        """The least silence after which a leader is suspected."""
        ...

    @property
    def lease(self) -> float:
        """How long a node holds its elections after it sent a renewal that is decided."""
        ...

    @property
    def drift(self) -> float:
        """By what share, at most, the rate of a member's clock differs from true time."""
        ...

    @property
    def lease_reads(self) -> bool:
        """Whether followers grant their leader leases for reads; see `read_leases`."""
        ...


@define
class Estimate:
    """A smoothed mean and its mean deviation, in seconds, as TCP keeps them (RFC 6298)."""

    mean: float = 0.0
    deviation: float = 0.0
    samples: int = 0

    def add(self, sample: float) -> None:
        """Take one measurement; the first sets the mean."""
        if self.samples == 0:
            self.mean, self.deviation = sample, sample / 2
        else:
            self.deviation += (abs(sample - self.mean) - self.deviation) / 4
            self.mean += (sample - self.mean) / 8
        self.samples += 1


@define
class Wakefulness:
    """Notices that this node itself stood still: its process, or all of its machine.

    Whoever slept has heard nothing meanwhile, and that says nothing about the others. A virtual
    machine that is paused would else lose its leader each time, even if all members are on it.
    """

    timing: Timing
    looked: float = math.inf
    """When it was last awake."""

    def look(self, now: float) -> float:
        """Return for how many seconds this node slept; 0 when it looks about in time.

        A leader looks at every heartbeat, and a follower more often.
        """
        since, self.looked = now - self.looked, now
        return since if since >= 2 * self.timing.heartbeat else 0.0


@define
class FailureDetector:
    """Suspects a leader by the times at which its heartbeats arrived.

    The threshold is the configured floor, or longer where arrivals were irregular: a busy machine
    makes its neighbours patient, up to four times the floor.
    """

    timing: Timing
    last: float
    """When the leader was last heard."""
    intervals: Estimate = field(factory=Estimate)
    excused: bool = False
    """Whether silence was excused since then."""

    def arrive(self, now: float) -> None:
        """Note a sign of life at ``now``."""
        self.intervals.add(now - self.last)
        self.last, self.excused = now, False

    def excuse(self, slept: float) -> None:
        """Do not count the time in which this node itself slept; only once in one silence.

        Else a node that is late all the time would never suspect anybody.
        """
        if not self.excused:
            self.last, self.excused = self.last + slept, True

    @property
    def threshold(self) -> float:
        """The silence that is suspicious, in seconds."""
        usual = self.intervals.mean + 8 * self.intervals.deviation
        return min(max(self.timing.suspicion, usual), 4 * self.timing.suspicion)

    def silence(self, now: float) -> float:
        """How long nothing was heard, in seconds."""
        return now - self.last

    def suspects(self, now: float) -> bool:
        """Tell whether the silence is suspicious by now."""
        return self.silence(now) >= self.threshold
