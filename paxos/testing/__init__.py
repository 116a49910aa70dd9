"""What a test of a replicated service needs, ours or yours: so far a `Network` in memory."""

from paxos.testing.network import Faults, MemoryTransport, Network

__all__ = ["Faults", "MemoryTransport", "Network"]
