from __future__ import annotations

import trio
from trio.testing import MockClock

from paxos.demo.cable import Cable
from paxos.testing import Network


async def test_a_pulled_cable_carries_nothing_either_way(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    network = Network(1)
    nursery.start_soon(network.deliver)
    cable, other = Cable(network.open(("a", 1))), network.open(("b", 1))
    got: list[bytes] = []

    async def listen() -> None:
        while True:
            got.extend(datagram for datagram, _ in await cable.receive())

    nursery.start_soon(listen)
    for pulled in (False, True, False):
        cable.pulled = pulled
        other.send(("a", 1), str(pulled).encode())
        await trio.sleep(1)
    assert got == [b"False", b"False"]

    cable.pulled = True
    cable.send(("b", 1), b"lost")
    cable.pulled = False
    cable.send(("b", 1), b"sent")
    assert [datagram for datagram, _ in await other.receive()] == [b"sent"]
