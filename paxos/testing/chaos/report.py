"""What came out of a run."""

from __future__ import annotations

from attrs import frozen


@frozen
class Report:
    """What was done to a cluster, what its clients saw, and whether every promise was kept."""

    seed: int
    nodes: int
    seconds: float
    """How long the cluster was harmed."""
    faults: dict[str, int]
    """How often each kind of harm was done."""
    datagrams: dict[str, int]
    """What became of the datagrams between members."""
    operations: dict[str, int]
    """How many operations of clients succeeded, failed, and have an unknown outcome."""
    longest_silence: float
    """The longest time, in seconds, in which no client got an answer."""
    recovered_after: float | None
    """Seconds from the end of all harm until every client was answered; None if that never was."""
    slots: int
    """How long the log is."""
    leaderships: int
    """How many of them the log has."""
    linearizable: bool | None
    """None where that could not be found out."""
    violations: tuple[str, ...]
    """Each promise that was not kept."""

    @property
    def ok(self) -> bool:
        """Whether all holds."""
        return not self.violations and bool(self.linearizable)

    def to_json(self) -> dict[str, object]:
        """Return what programs read."""
        return {
            "seed": self.seed,
            "nodes": self.nodes,
            "seconds": round(self.seconds, 3),
            "faults": self.faults,
            "datagrams": self.datagrams,
            "operations": self.operations,
            "longest_silence_ms": round(self.longest_silence * 1000),
            "recovered_after_ms": None
            if self.recovered_after is None
            else round(self.recovered_after * 1000),
            "slots": self.slots,
            "leaderships": self.leaderships,
            "linearizable": self.linearizable,
            "violations": list(self.violations),
            "ok": self.ok,
        }
