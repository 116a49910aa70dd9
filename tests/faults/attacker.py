"""Somebody on the network path: records what passes, and sends whatever can be made of it.

He has no key. He knows the format, every address, and all that was ever sent.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import trio
from attrs import define, field

from paxos.node.cluster import Cluster
from paxos.testing.processes.relay import Link
from paxos.transport import Address, UdpTransport

MOST = 65_507
PERIOD = 0.002
"""Seconds between two bursts."""

KEPT = 20_000
"""How many recorded datagrams are kept; later ones replace earlier ones at random."""


@define(frozen=True)
class Recorded:
    target: str
    datagram: bytes


@define
class Attacker:
    cluster: Cluster
    rng: random.Random
    recorded: list[Recorded] = field(factory=list)
    sent: dict[str, int] = field(factory=dict)

    def record(self, target: str, datagram: bytes) -> None:
        if len(self.recorded) < KEPT:
            self.recorded.append(Recorded(target, datagram))
        else:
            self.recorded[self.rng.randrange(KEPT)] = Recorded(target, datagram)

    async def attack(self, seconds: float, rate: int) -> None:
        """Send forgeries of every kind to every member."""
        kinds = list(FORGERIES)
        with socket.socket(type=socket.SOCK_DGRAM) as udp, trio.move_on_after(seconds):
            udp.setblocking(False)
            while True:
                for _ in range(int(rate * PERIOD)):
                    kind = self.rng.choice(kinds)
                    target, datagram = FORGERIES[kind](self)
                    with suppress(OSError):
                        udp.sendto(datagram[:MOST], self._address(target))
                        self.sent[kind] = self.sent.get(kind, 0) + 1
                    with suppress(OSError):
                        while True:
                            # Nobody answers; at most a question comes, which he cannot answer.
                            self.record(target, udp.recv(MOST))
                await trio.sleep(PERIOD)

    def any(self) -> Recorded:
        return self.rng.choice(self.recorded)

    def _address(self, target: str) -> tuple[str, int]:
        member = self.cluster.member(target)
        return (member.host, member.port)


Forgery = tuple[str, bytes]


def replayed(attacker: Attacker) -> Forgery:
    one = attacker.any()
    return one.target, one.datagram


def redirected(attacker: Attacker) -> Forgery:
    return attacker.rng.choice(attacker.cluster.names), attacker.any().datagram


def reflected(attacker: Attacker) -> Forgery:
    """Send it back to whom it names as its source, with the names exchanged or not."""
    one = attacker.any()
    length = len(one.target)
    head, source, target, rest = (
        one.datagram[:8],
        one.datagram[8 : 8 + length],
        one.datagram[8 + length : 8 + 2 * length],
        one.datagram[8 + 2 * length :],
    )
    back = source.decode(errors="replace")
    if back not in attacker.cluster.names:
        return replayed(attacker)
    return back, one.datagram if attacker.rng.random() < 0.5 else head + target + source + rest


def truncated(attacker: Attacker) -> Forgery:
    one = attacker.any()
    return one.target, one.datagram[: attacker.rng.randrange(len(one.datagram))]


def extended(attacker: Attacker) -> Forgery:
    one = attacker.any()
    more = attacker.rng.choice((1, 16, 1_000, MOST))
    return one.target, one.datagram + attacker.rng.randbytes(more)


def mutated(attacker: Attacker) -> Forgery:
    one = attacker.any()
    changed = bytearray(one.datagram)
    for _ in range(attacker.rng.choice((1, 1, 1, 2, 8))):
        # Rather in the header, where a change decides what is looked up and derived.
        most = min(64, len(changed)) if attacker.rng.random() < 0.7 else len(changed)
        changed[attacker.rng.randrange(most)] ^= 1 << attacker.rng.randrange(8)
    return one.target, bytes(changed)


def spliced(attacker: Attacker) -> Forgery:
    """Put the header of one on the body of another, at or near where they meet."""
    one, other = attacker.any(), attacker.any()
    at = 40 + 2 * len(one.target) + attacker.rng.choice((0, 0, 0, -8, -16, 1))
    return one.target, one.datagram[:at] + other.datagram[at:]


def noise(attacker: Attacker) -> Forgery:
    length = attacker.rng.choice((0, 1, 2, 7, 8, 60, 1_400, 60_000))
    return attacker.any().target, attacker.rng.randbytes(length)


FORGERIES: dict[str, Callable[[Attacker], Forgery]] = {
    forgery.__name__: forgery
    for forgery in (
        replayed,
        redirected,
        reflected,
        truncated,
        extended,
        mutated,
        spliced,
        noise,
    )
}


@contextmanager
def listening(attacker: Attacker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Record what members say to one another, and what clients in this process say to them."""
    carry, send = Link.carry, UdpTransport.send
    names = {attacker._address(name): name for name in attacker.cluster.names}

    def tap_link(self: Link, datagram: bytes) -> list[tuple[float, bytes]]:
        attacker.record(self.target, datagram)
        return carry(self, datagram)

    def tap_client(self: UdpTransport, address: Address, datagram: bytes) -> None:
        target = names.get((str(address[0]), address[1]))
        if target is not None:
            attacker.record(target, datagram)
        send(self, address, datagram)

    with monkeypatch.context() as patch:
        patch.setattr(Link, "carry", tap_link)
        patch.setattr(UdpTransport, "send", tap_client)
        yield
