"""When a node takes a snapshot of its state, so that the log before it may be let go."""

from __future__ import annotations

from attrs import define, frozen

SLOT_BYTES = 100
"""About what a slot costs on disk beside its commands."""


@frozen
class Compaction:
    """After how much of the log a snapshot is taken; whichever comes first.

    The log is kept from the snapshot before the newest on, so a node that was away for no more
    than that catches up from the log. On disk there are at most two snapshots, and the log of
    about two such intervals.
    """

    slots: int = 50_000
    """So many slots."""
    log_bytes: int = 32 << 20
    """So many bytes of commands; more where the last snapshot was larger, so that snapshots never
    take more of the disk's time than the log does."""

    def __attrs_post_init__(self) -> None:
        if self.slots < 1 or self.log_bytes < 1:
            raise ValueError(f"a snapshot is taken after at least one slot and one byte: {self}")


@define
class Growth:
    """How much the log has grown since the last snapshot was taken."""

    slots: int = 0
    log_bytes: int = 0
    snapshot_bytes: int = 0
    """The length of the last snapshot."""

    def add(self, slots: int, log_bytes: int) -> None:
        """Count what took effect."""
        self.slots += slots
        self.log_bytes += log_bytes + slots * SLOT_BYTES

    def reaches(self, compaction: Compaction) -> bool:
        """Tell whether it is time for a snapshot."""
        if self.slots >= compaction.slots:
            return True
        return self.log_bytes >= max(compaction.log_bytes, self.snapshot_bytes)

    def restart(self) -> None:
        """Begin again at a snapshot."""
        self.slots = self.log_bytes = 0
