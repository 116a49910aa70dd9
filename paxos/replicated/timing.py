"""How patient the nodes are. None of it matters to agreement."""

from __future__ import annotations

from attrs import define, field, frozen


@frozen
class Timing:
    """All in seconds."""

    heartbeat: float = 0.025
    """How often the leader says that it lives."""
    suspicion: float = 0.15
    """The least silence after which a leader is suspected; measured arrivals can lengthen it."""

    def __attrs_post_init__(self) -> None:
        """Check the figures against each other; raises `ValueError` in words for people."""
        if not 0.001 <= self.heartbeat <= 10:
            raise ValueError(f"heartbeat = {self.heartbeat}: choose 0.001 to 10 seconds")
        if not 4 * self.heartbeat <= self.suspicion <= 60:
            raise ValueError(
                f"suspicion = {self.suspicion}: choose at least 4 heartbeats "
                f"({4 * self.heartbeat:g} seconds here), so that one lost heartbeat is no "
                "alarm, and at most 60 seconds"
            )


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
class FailureDetector:
    """Suspects a leader by the times at which its heartbeats arrived.

    The threshold is the configured floor, or longer where arrivals were irregular: a busy machine
    makes its neighbours patient, up to four times the floor.
    """

    timing: Timing
    last: float
    """When the leader was last heard."""
    intervals: Estimate = field(factory=Estimate)

    def arrive(self, now: float) -> None:
        """Note a sign of life at ``now``."""
        self.intervals.add(now - self.last)
        self.last = now

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
