"""Unreliable datagram transports: bytes and addresses, no names, no keys, no promises.

A datagram on the wire is what `paxos.wire.Wire` made of it, one UDP payload each; nothing is added.
`UnreliableTransport` is what a node asks for; `open_udp` gives the real one, and
`paxos.testing.Network` those for tests.
"""

from paxos.transport.base import KNOCK, MAX_DATAGRAM, Address, UnreliableTransport
from paxos.transport.udp import UdpTransport, open_udp, resolve

__all__ = [
    "KNOCK",
    "MAX_DATAGRAM",
    "Address",
    "UdpTransport",
    "UnreliableTransport",
    "open_udp",
    "resolve",
]
