"""What a client has done, and what it costs."""

from __future__ import annotations

from typing import Final

from attrs import frozen

VALUE: Final = b"x" * 100


class PeerFailed(Exception):  # noqa: N818 - it says what happened
    """A peer did not do what it was asked; the text says what."""


@frozen
class Work:
    """What a drive came to; times in seconds."""

    commands: int
    elapsed: float
    p50: float
    p99: float
    client: float
    """The share of one processor that the client took; 0 where it is part of the node."""


def sum_up(latencies: list[float], elapsed: float, cpu: float) -> Work:
    """Return the work of a client from its latencies and its processor time."""
    if not latencies:
        raise PeerFailed("no command was answered")
    ordered, count = sorted(latencies), len(latencies)
    return Work(count, elapsed, ordered[count // 2], ordered[count * 99 // 100], cpu / elapsed)
