"""What a proposer does when a rival gets in its way; each policy is a small class.

``ranked`` is not here: that is `paxos.replicated.candidacy`, as the product has it. The others are
the product's rivals, on the same proposer, acceptor and learner.
"""

from __future__ import annotations

from typing import ClassVar, Final

from attrs import define, field

from benchmarks.contention.links import UNIT
from paxos.replicated.timing import Estimate

RETRY: Final = (10 * UNIT, 12 * UNIT)
"""Seconds after which what was not answered is sent again, at the same ballot."""

Range = tuple[float, float]
"""Shortest and longest, in seconds; what lies between is up to chance."""


@define
class Policy:
    """Base: what it does not say is as in ``none``."""

    name: ClassVar[str]
    meaning: ClassVar[str]
    round_trip: Estimate = field(factory=Estimate)
    """From a prepare to its promises, as measured."""

    def pause(self, losses: int) -> Range:
        """Return how long to wait for the next ballot, after so many were lost in a row."""
        return 0.0, 0.0

    def deference(self) -> Range | None:
        """Return how long to keep quiet when a rival's higher ballot is heard of; None: not."""
        return None

    def retry(self) -> Range:
        """Return after what time to send again."""
        return RETRY


class Immediately(Policy):
    """Try again at once with a higher ballot: the duel of section 2.4."""

    name = "none"
    meaning = "the next ballot at once"


class FixedRandom(Policy):
    """Pause for a random time of a fixed range."""

    name = "fixed"
    meaning = "random pause of 0 to 20 units"

    def pause(self, losses: int) -> Range:
        """Return the fixed range."""
        return 0.0, 20 * UNIT


class ExponentialRandom(Policy):
    """Pause for a random time whose range doubles with each loss."""

    name = "exponential"
    meaning = "random pause of 0 to 4 units, doubled with each loss up to 256"

    def pause(self, losses: int) -> Range:
        """Double the range."""
        return 0.0, 4 * UNIT * 2 ** min(losses - 1, 6)


class Deferring(Policy):
    """Whoever hears of a rival's higher ballot leaves it the time that a decision takes."""

    name = "deferring"
    meaning = "quiet for 8 to 16 units after a rival's prepare"

    def pause(self, losses: int) -> Range:
        """Leave the winner as much time."""
        return 8 * UNIT, 16 * UNIT

    def deference(self) -> Range | None:
        """Leave it the time of a decision, and some."""
        return 8 * UNIT, 16 * UNIT


class RoundTripScaled(Policy):
    """As ``exponential``, in units of the measured round trip."""

    name = "round-trip"
    meaning = "random pause of 0 to 2 measured round trips, doubled with each loss"

    def pause(self, losses: int) -> Range:
        """Double the range."""
        return 0.0, 2 * self._unit() * 2 ** min(losses - 1, 6)

    def retry(self) -> Range:
        """Wait a few round trips."""
        return 4 * self._unit(), 5 * self._unit()

    def _unit(self) -> float:
        return max(self.round_trip.mean, UNIT)


RANKED: Final = "ranked"
"""The product's own: ranked and staggered candidacies that ask before they begin a ballot."""

POLICIES: Final[dict[str, type[Policy]]] = {
    policy.name: policy
    for policy in (Immediately, FixedRandom, ExponentialRandom, Deferring, RoundTripScaled)
}

NAMES: Final = (*POLICIES, RANKED)
