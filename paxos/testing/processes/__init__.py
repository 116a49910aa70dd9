"""Real processes on loopback, and every way to harm them; see `LocalCluster`."""

from paxos.testing.processes.disk import CannotFailSyncs, syncs_can_fail
from paxos.testing.processes.local_cluster import STORE, LocalCluster, MemberEnded
from paxos.testing.processes.logs import Log, LogsDiffer, compare_logs, read_log
from paxos.testing.processes.relay import NO_FAULTS, Link

__all__ = [
    "NO_FAULTS",
    "STORE",
    "CannotFailSyncs",
    "Link",
    "LocalCluster",
    "Log",
    "LogsDiffer",
    "MemberEnded",
    "compare_logs",
    "read_log",
    "syncs_can_fail",
]
