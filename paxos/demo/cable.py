"""A network cable that the story can pull: nothing goes out any more, and nothing comes in."""

from __future__ import annotations

from paxos.transport import Address, UnreliableTransport


class Cable:
    """A transport that loses everything while it is pulled, which may be done in any thread."""

    def __init__(self, transport: UnreliableTransport) -> None:
        self._transport = transport
        self.pulled = False
        self.resolve = transport.resolve
        self.close = transport.close
        self.favour = transport.favour
        self.refusals = transport.refusals
        self.statistics = transport.statistics

    @property
    def address(self) -> Address:
        """Where others reach this transport, if they do."""
        return self._transport.address

    def send(self, address: Address, datagram: bytes) -> None:
        """Send, or lose."""
        if not self.pulled:
            self._transport.send(address, datagram)

    async def receive(self) -> list[tuple[bytes, Address]]:
        """Wait for what comes in."""
        while True:
            arrived = await self._transport.receive()
            if not self.pulled:
                return arrived
