"""All benchmarks by name."""

from __future__ import annotations

from typing import Final

from benchmarks import load
from benchmarks.contention import sweep as contention
from benchmarks.contention import udp as contention_udp
from benchmarks.failover import losses as failover
from benchmarks.failover import quiet as suspicion
from benchmarks.peers import compare as peers
from benchmarks.suite import Benchmark

CATALOGUE: Final[dict[str, Benchmark]] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "contention",
            "rounds-to-decision when many propose at once, simulated",
            contention.usual,
            contention.run,
        ),
        Benchmark(
            "contention-udp",
            "the same on real processes over UDP, beside the simulated figures",
            contention_udp.usual,
            contention_udp.run,
        ),
        Benchmark(
            "failover",
            "a leader killed, paused, cut off or stopped: real processes",
            failover.usual,
            failover.run,
        ),
        Benchmark(
            "suspicion",
            "nobody harmed, idle and under load: does the leader change by itself?",
            suspicion.usual,
            suspicion.run,
        ),
        Benchmark(
            "load",
            "commands per second, latency, cost, memory and disk: real processes",
            load.usual,
            load.run,
        ),
        Benchmark(
            "peers",
            "the same puts, lost leaders and holders on etcd, ZooKeeper and PySyncObj, where found",
            peers.usual,
            peers.run,
        ),
    )
}
