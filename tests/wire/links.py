"""Ends of links for tests, and what carries datagrams between them."""

from __future__ import annotations

from paxos.protocol.messages import Message
from paxos.wire import Wire
from paxos.wire.cbor import array

KEY = bytes(range(32))


def wire(name: str, max_datagram: int = 1_400) -> Wire:
    """Return an end for which no time passes, however busy the machine is."""
    return Wire("billing", KEY, name, max_datagram, lambda: 0.0)


def name_of(end: Wire) -> str:
    return end._sealer._name.decode()


def seal(source: Wire, target: Wire, frame: bytes) -> bytes:
    """Seal a frame of any bytes, as no honest source would."""
    return source._sealer.seal(name_of(target), frame)


def exchange(source: Wire, target: Wire, datagrams: list[bytes]) -> list[Message]:
    """Carry datagrams and their replies to and fro until all is quiet."""
    messages: list[Message] = []
    while datagrams:
        back: list[bytes] = []
        for datagram in datagrams:
            incoming = target.incoming(datagram)
            assert incoming is not None
            messages += incoming.messages
            back += incoming.replies
        source, target, datagrams = target, source, back
    return messages


def acquaint(one: Wire, other: Wire) -> None:
    """Let each find out that the other lives."""
    exchange(one, other, [seal(one, other, array([]))])


def acquainted(one: str, other: str, max_datagram: int = 1_400) -> tuple[Wire, Wire]:
    ends = wire(one, max_datagram), wire(other, max_datagram)
    acquaint(*ends)
    return ends
