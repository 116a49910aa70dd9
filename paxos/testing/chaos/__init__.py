"""Clients against a cluster of real processes that is harmed all the time; then the proof.

    report = await run_chaos(Plan(nodes=5, seconds=60, seed=1), folder, audience)
    assert report.ok, report.violations

The seed draws which harm is done in which order; when exactly things happen is up to the machine.
"""

from paxos.testing.chaos.campaign import Audience, Plan, run_chaos
from paxos.testing.chaos.report import Report

__all__ = ["Audience", "Plan", "Report", "run_chaos"]
