"""How long a candidacy waits for what: by the measured round trip, within bounds.

None of it matters to agreement. Everything is in seconds.
"""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.effects import Wake
from paxos.replicated.timing import Estimate, Timing


@define
class Pace:
    """Turns the cluster's timing and the measured round trip into pauses."""

    timing: Timing
    round_trip: Estimate = field(factory=Estimate)

    def measure(self, sent: int, now: float) -> None:
        """Take the answer to what was sent at ``sent``, in microseconds of this node's clock."""
        self.round_trip.add(max(0.0, now - sent / 1e6))

    @property
    def scale(self) -> float:
        """The measured round trip, as far as pauses are scaled by it.

        A pause of a machine looks like a very long round trip; it must not slow the next
        elections down.
        """
        return min(self.round_trip.mean, self.timing.suspicion / 4)

    @property
    def knocking(self) -> float:
        """Between two knocks at the leader's: 10 ms, with the usual heartbeat."""
        return 0.4 * self.timing.heartbeat

    @property
    def grace(self) -> float:
        """Within this a live leader answers, mostly."""
        return min(max(4 * self.scale, 0.1 * self.timing.heartbeat), 0.2 * self.timing.heartbeat)

    @property
    def stagger(self) -> float:
        """Between one rank's candidacy and the next: enough to hear of the first."""
        return self.timing.heartbeat / 2 + 2 * self.scale

    @property
    def standstill(self) -> float:
        """How long the log stands still before unanswered proposals are sent again."""
        return max(self.timing.heartbeat, 4 * self.scale)

    def retry(self, attempts: int) -> Wake:
        """Return when to ask again, after so many attempts without an answer."""
        pause = max(4 * self.scale, self.timing.heartbeat / 2) * attempts
        return Wake(pause, 1.5 * pause)

    def rest(self, failures: int) -> float:
        """Return the longest pause after so many failed candidacies: it doubles with each."""
        doublings = min(failures, 8)
        pause = max(4 * self.scale, self.timing.heartbeat) * (1 << doublings)
        return min(pause, 2 * self.timing.suspicion)
