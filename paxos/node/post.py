"""Carries messages between roles and nodes: encoded once, packed, sealed for each target."""

from __future__ import annotations

from collections.abc import Callable

import trio

from paxos.errors import NameInUse
from paxos.node.alarms import CloneFound
from paxos.node.cluster import Cluster
from paxos.node.inbox import Inbox
from paxos.protocol.events import Event
from paxos.protocol.messages import Accept, Chosen, Message
from paxos.replicated.messages import Knock, Propose, Refused
from paxos.replicated.routing import ROUTES, Role
from paxos.transport import KNOCK, Address, UnreliableTransport
from paxos.wire import Wire, encode

PATIENT = frozenset((Chosen,))
"""The messages that nobody may be waiting for: they go along with the next one, or a little later.

A datagram costs more than anything else that a node does for a command, at both ends; and who
proposes one command after the other sends the next one at once.
"""

PATIENCE = 0.002
"""For so long they wait for company, in seconds."""

LONG_ACCEPT = 4096
"""A proposal of so many bytes goes at once: the others work on it while the next is made."""

MAX_CLIENTS = 4096
"""How many clients' addresses a node remembers; the one heard longest ago is forgotten."""


class Post:
    """One node's way to its own roles, to its peers and back to its clients."""

    def __init__(
        self, cluster: Cluster, name: str, transport: UnreliableTransport, wire: Wire
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._transport = transport
        self._wire = wire
        self._addresses: dict[str, Address] = {}
        self._clients: dict[str, Address] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self.inboxes: dict[Role, Inbox] = {
            "acceptor": Inbox(),
            "proposer": Inbox(),
            "learner": Inbox(),
        }
        self.unroutable = 0
        """How many messages were not sent, for nobody knows the target's address."""
        self.unfit = 0
        """How many messages were dropped since their senders may not send them."""
        self.alarms: list[Event] = []
        """What `receive` has found since somebody looked."""
        self._urgent = False
        """Whether something waits that is not patient."""
        self._held_since: float | None = None
        """Since when all that waits is patient."""
        self._armed = False
        self.alarm: Callable[[float, float], None] = lambda *_: None
        """Has `release` called in so many seconds, at the earliest and at the latest."""

    async def resolve(self) -> None:
        """Look the peers' addresses up; what has none yet is looked up again later."""
        for member in self._cluster.members:
            if member.name != self._name:
                try:
                    address = await self._transport.resolve(member.host, member.port)
                except OSError:
                    continue
                self._addresses[member.name] = address
        self._transport.favour(self._addresses.values())

    async def resolve_regularly(self, seconds: float = 5.0) -> None:
        """Look the names up again now and then, since machines move."""
        while True:
            await trio.sleep(seconds)
            await self.resolve()

    def deliver(self, source: str, message: Message, *, company: bool = False) -> None:
        """Hand a message to the roles of this node for which it is.

        ``company`` says that a proposal of the source has come along with it.
        """
        for role in ROUTES.get(type(message), ()):
            self.inboxes[role].put(source, message, company=company)

    def send(self, targets: tuple[str, ...], message: Message) -> None:
        """Send to each target: at once to this node's roles, at `flush` to others."""
        if type(message) is Knock:
            self._knock(targets)
            return
        encoded: bytes | None = None
        for target in targets:
            if target == self._name:
                self.deliver(self._name, message)
            else:
                if encoded is None:
                    encoded = encode(message)
                self._waiting.setdefault(target, []).append(encoded)
        if encoded is not None and type(message) not in PATIENT:
            self._urgent = True
            if len(encoded) >= LONG_ACCEPT and type(message) is Accept:
                self.flush()

    def _knock(self, targets: tuple[str, ...]) -> None:
        """Send what says nothing, at once: whether it is refused is all that matters."""
        for target in targets:
            if (address := self._addresses.get(target)) is not None:
                self._transport.send(address, KNOCK)
            else:
                self.unroutable += 1

    def flush(self) -> None:
        """Send what waits, in as few datagrams as hold it."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        self._urgent, self._held_since = False, None
        for target, encoded in waiting.items():
            address = self._addresses.get(target) or self._clients.get(target)
            if address is None:
                self.unroutable += len(encoded)
                continue
            for datagram in self._wire.outgoing(target, encoded):
                self._transport.send(address, datagram)

    def dispatch(self, *, urgent: bool = False) -> None:
        """Send what waits if any of it is urgent; what is patient waits for something that is."""
        if urgent or self._urgent:
            self.flush()
        elif self._waiting and self._held_since is None:
            self._held_since = trio.current_time()
            if not self._armed:
                self._armed = True
                self.alarm(PATIENCE, PATIENCE)

    def release(self) -> None:
        """Send what has waited for long enough."""
        self._armed = False
        if self._held_since is not None:
            left = self._held_since + PATIENCE - trio.current_time()
            if left <= 0:
                self.flush()
            else:
                self._armed = True
                self.alarm(left, left)

    def statistics(self) -> dict[str, int]:
        """Return the counters of inboxes, wire and transport."""
        inboxes = {f"{role}_inbox_dropped": box.dropped for role, box in self.inboxes.items()}
        own = {"unroutable": self.unroutable, "unfit": self.unfit}
        transport = {f"udp_{key}": count for key, count in self._transport.statistics().items()}
        return inboxes | own | self._wire.statistics() | transport

    async def receive(self) -> list[tuple[str, Message]]:
        """Deliver what peers sent, drained at once; return what clients asked.

        Raises:
            NameInUse: A peer hears another process under this node's name.

        """
        asked: list[tuple[str, Message]] = []
        datagrams = await self._transport.receive()
        self._hear_refusals()
        for datagram, address in datagrams:
            incoming = self._wire.incoming(datagram)
            if incoming is None:
                continue
            for reply in incoming.replies:
                self._transport.send(address, reply)
            source = incoming.source
            if incoming.cloned:
                self.alarms.append(CloneFound(source))
            if source in self._addresses or source in self._cluster.names:
                self._from_peer(source, incoming.messages)
            elif incoming.messages:
                self._clients.pop(source, None)
                self._clients[source] = address
                if len(self._clients) > MAX_CLIENTS:
                    del self._clients[next(iter(self._clients))]
                asked += ((source, message) for message in incoming.messages)
        if self._wire.displaced:
            raise NameInUse(
                f"another live process is {self._name} of {self._cluster.name}, and it started "
                "earlier: this one stops. If it should be the other way round, stop the other one "
                "first; never run two from copies of one member's files"
            )
        return asked

    def _hear_refusals(self) -> None:
        """Tell this node's roles which peers' machines say that nobody listens there."""
        for refusing in self._transport.refusals():
            for name, address in self._addresses.items():
                if address == refusing:
                    self.deliver(name, Refused())

    def _from_peer(self, source: str, messages: list[Message]) -> None:
        # What follows a proposal was said since, and perhaps because somebody waits for it.
        company = bool(messages) and type(messages[-1]) is Accept
        for message in messages:
            passed_on = isinstance(message, Propose) and message.hops > 1
            if passed_on or source == self._name or type(message) not in ROUTES:
                self.unfit += 1
            else:
                self.deliver(source, message, company=company)
