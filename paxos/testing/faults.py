"""How one link of a network treats datagrams: the network in memory and the relay of processes."""

from __future__ import annotations

from random import Random

from attrs import frozen


@frozen(kw_only=True)
class Faults:
    """How one link treats each datagram, independently of all others.

    Unequal delays are what reorders datagrams: with equal ``shortest`` and ``longest`` (seconds)
    they arrive in the order in which they were sent. ``loss``, ``duplication`` and ``corruption``
    (one bit of the datagram is flipped) are probabilities.
    """

    shortest: float = 0.001
    longest: float = 0.001
    loss: float = 0.0
    duplication: float = 0.0
    corruption: float = 0.0

    def copies(self, random: Random, datagram: bytes) -> list[tuple[float, bytes]]:
        """Return what arrives of a datagram, each copy with its delay; nothing when it is lost.

        The same is drawn for every datagram, so that what one suffers changes nothing for the
        next.
        """
        lost = random.random() < self.loss
        count = 2 if random.random() < self.duplication else 1
        delays = [random.uniform(self.shortest, self.longest) for _ in range(2)]
        corrupted, where = random.random() < self.corruption, random.random()
        if lost:
            return []
        if corrupted and datagram:
            datagram = _flip(datagram, int(where * 8 * len(datagram)))
        return [(delay, datagram) for delay in delays[:count]]


def _flip(datagram: bytes, bit: int) -> bytes:
    flipped = bytearray(datagram)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
