from __future__ import annotations

import pytest

from paxos.node.cluster import Timing
from paxos.replicated.timing import Estimate, FailureDetector

TIMING = Timing(heartbeat=0.025, suspicion=0.15)


def beaten(intervals: list[float]) -> FailureDetector:
    """A detector that heard a leader at these intervals, from time 0 on."""
    detector, now = FailureDetector(TIMING, 0.0), 0.0
    for interval in intervals:
        now += interval
        detector.arrive(now)
    return detector


def test_first_measurement_sets_the_mean() -> None:
    estimate = Estimate()
    estimate.add(0.2)
    assert (estimate.mean, estimate.deviation) == (0.2, 0.1)


def test_estimate_follows_what_is_measured() -> None:
    estimate = Estimate()
    for _ in range(200):
        estimate.add(0.1)
    assert estimate.mean == pytest.approx(0.1)
    assert estimate.deviation == pytest.approx(0, abs=1e-6)


def test_regular_leader_is_suspected_after_the_floor() -> None:
    detector = beaten([0.025] * 100)
    assert detector.threshold == TIMING.suspicion
    assert not detector.suspects(detector.last + 0.149)
    assert detector.suspects(detector.last + 0.1501)


def test_leader_that_was_just_met_is_given_the_floor() -> None:
    detector = FailureDetector(TIMING, 5.0)
    assert not detector.suspects(5.149)
    assert detector.suspects(5.1501)


def test_irregular_arrivals_make_patient() -> None:
    assert 0.15 < beaten([0.005, 0.1] * 50).threshold < 0.6


def test_patience_has_a_limit() -> None:
    assert beaten([0.001, 30.0] * 50).threshold == 4 * TIMING.suspicion


def test_patience_passes_when_arrivals_are_regular_again() -> None:
    assert beaten([0.005, 0.1] * 50 + [0.025] * 100).threshold == TIMING.suspicion
