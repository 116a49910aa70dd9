"""A client of a running cluster: not a member, but it holds the cluster's key."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

import trio

from paxos.errors import CommandFailed, CommandTooLarge, ConfigError, NoAnswer, OutcomeUnknown
from paxos.node.cluster import Cluster
from paxos.node.key_file import LOOK_AGAIN, KeyWatch
from paxos.protocol.messages import Message
from paxos.replicated.messages import Answer, AskStatus, Outcome, Query, Readmit, Status, Submit
from paxos.replicated.values import CLIENT_PREFIX, MAX_COMMAND_BYTES
from paxos.transport import Address, UnreliableTransport, open_udp
from paxos.wire import Wire, encode

REPEAT = 0.1
"""Seconds before an unanswered question is sent again; each repetition waits longer."""

MAX_REPEAT = 1.0
"""The longest such pause, in seconds."""


class Client:
    """Asks members. Comes from `open_client`; for one task at a time."""

    def __init__(self, cluster: Cluster, transport: UnreliableTransport) -> None:
        name = CLIENT_PREFIX + secrets.token_hex(8)
        self._cluster = cluster
        self._transport = transport
        limit = cluster.datagram_limit
        self._wire = Wire(cluster.name, cluster.keys, name, limit, trio.current_time)
        self._keys = None if cluster.key_file is None else KeyWatch(cluster.key_file)
        self._looked = trio.current_time()
        self._number = 0
        self._submitted = False
        self._resolved = False
        self._last: str | None = None
        """The member that answered last; to ask it first spares asking who is there."""
        self._addresses: dict[str, Address] = {}

    async def status(self, timeout: float = 1.0) -> dict[str, Status | None]:
        """Ask every member how it is, for at most ``timeout`` seconds; None where none answers."""
        await self._resolve()
        number = self._next()
        statuses: dict[str, Status | None] = dict.fromkeys(self._cluster.names)
        asking = self._ask(self._cluster.names, AskStatus(number))
        with trio.move_on_after(timeout):
            async with aclosing(asking) as heard:
                async for source, message in heard:
                    if isinstance(message, Status) and message.number == number:
                        statuses[source] = message
                    if None not in statuses.values():
                        break
        return statuses

    async def readmit(self, name: str, without: Sequence[str], timeout: float = 5.0) -> Status:
        """Tell a member that has forgotten something to do without the help of some others.

        See `Node.readmit` for what the caller vouches for. Raises `NoAnswer`.
        """
        await self._resolve()
        number = self._next()
        with trio.move_on_after(timeout):
            async with aclosing(self._ask((name,), Readmit(number, tuple(without)))) as heard:
                async for _, message in heard:
                    if isinstance(message, Status) and message.number == number:
                        return message
        raise NoAnswer(f"{name} does not answer: does it run, with this cluster file and key?")

    async def propose(self, command: bytes, timeout: float = 10.0) -> tuple[int, bytes]:
        """Have a command applied through any member, once; return the slot and the answer.

        Raises:
            CommandTooLarge: It was not proposed.
            CommandFailed: The state machine raised an error for it.
            NoAnswer: No member answered at all; it was not proposed.
            OutcomeUnknown: It was handed in, and no answer came in ``timeout`` seconds.

        """
        refuse_too_large(command)
        await self._resolve()
        submit = Submit(self._next(), command)
        answer = await self._answer(submit, timeout)
        if answer is not None:
            return self._read(answer)
        if not self._submitted:
            raise NoAnswer(
                f"no member of {self._cluster.name} answered in {timeout:g} seconds: nothing was "
                "proposed. Are the nodes running, with this cluster file and key?"
            )
        raise OutcomeUnknown(
            f"no answer came in {timeout:g} seconds: the command may be applied, now or later. "
            "`paxos status` tells whether there is a leader"
        )

    async def query(self, question: bytes, timeout: float = 10.0) -> bytes:
        """Have a member's state machine answer a question from an up-to-date state.

        Raises:
            CommandTooLarge: The question was not asked.
            CommandFailed: The state machine raised an error for it, or answers no questions.
            NoAnswer: No member answered in ``timeout`` seconds.

        """
        refuse_too_large(question)
        await self._resolve()
        answer = await self._answer(Query(self._next(), question), timeout)
        if answer is not None:
            return self._read(answer)[1]
        raise NoAnswer(
            f"no member of {self._cluster.name} answered in {timeout:g} seconds. `paxos status` "
            "tells which members can be reached, and whether there is a leader"
        )

    async def _answer(self, asked: Submit | Query, timeout: float) -> Answer | None:
        """Ask one member after another, beginning with the one that answered last."""
        with trio.move_on_after(timeout):
            members = await self._members_that_answer()
            async with aclosing(self._ask(members, asked, one_by_one=True)) as heard:
                async for source, message in heard:
                    if isinstance(message, Answer) and message.number == asked.number:
                        self._last = source
                        return message
        self._last = None
        return None

    def _read(self, answer: Answer) -> tuple[int, bytes]:
        if answer.outcome is Outcome.APPLIED:
            return answer.slot, answer.data
        text = answer.data.decode(errors="replace")
        if answer.outcome is Outcome.FAILED:
            raise CommandFailed(text)
        if answer.outcome is Outcome.REFUSED:
            raise CommandTooLarge(text)
        raise OutcomeUnknown(text)

    async def _members_that_answer(self) -> tuple[str, ...]:
        """Return all members, beginning with the one that answered last.

        Without one, they begin with the first that answers now and knows a leader, or any.
        """
        names = self._cluster.names
        if self._last is not None:
            start = names.index(self._last)
            return names[start:] + names[:start]
        self._submitted = False
        question = AskStatus(self._next())
        answered: set[str] = set()
        async with aclosing(self._ask(names, question)) as heard:
            async for source, message in heard:
                if isinstance(message, Status):
                    answered.add(source)
                    if message.leadership is not None or len(answered) == len(names):
                        break
        self._submitted = True
        start = names.index(source)
        return names[start:] + names[:start]

    async def _ask(
        self, targets: tuple[str, ...], question: Message, *, one_by_one: bool = False
    ) -> AsyncGenerator[tuple[str, Message], None]:
        """Send again and again, to all or to one after another, and yield whatever arrives.

        The caller's timeout ends it.
        """
        encoded, pause, turn = encode(question), REPEAT, 0
        while True:
            await self._follow_keys()
            for target in (targets[turn % len(targets)],) if one_by_one else targets:
                if target in self._addresses:
                    for datagram in self._wire.outgoing(target, [encoded]):
                        self._transport.send(self._addresses[target], datagram)
            turn += 1
            self._resolved = self._resolved and turn == 1
            until = trio.current_time() + pause
            pause = min(2 * pause, MAX_REPEAT)
            while True:
                arrived: list[tuple[str, Message]] = []
                with trio.move_on_at(until) as waiting:
                    arrived = await self._receive()
                if waiting.cancelled_caught:
                    break
                for source, message in arrived:
                    yield source, message

    async def _receive(self) -> list[tuple[str, Message]]:
        arrived: list[tuple[str, Message]] = []
        for datagram, address in await self._transport.receive():
            incoming = self._wire.incoming(datagram)
            if incoming is None or incoming.source not in self._addresses:
                continue
            for reply in incoming.replies:
                self._transport.send(address, reply)
            arrived += ((incoming.source, message) for message in incoming.messages)
        return arrived

    async def _resolve(self) -> None:
        """Look the members up, the first time, and again after somebody did not answer."""
        if self._resolved:
            return
        self._resolved = True
        for member in self._cluster.members:
            try:
                address = await self._transport.resolve(member.host, member.port)
            except OSError:
                self._resolved = False
                continue
            self._addresses[member.name] = address

    async def _follow_keys(self) -> None:
        """Use what the key file holds by now, if it can be read; look at it now and then."""
        now = trio.current_time()
        if self._keys is None or now - self._looked < LOOK_AGAIN:
            return
        self._looked = now
        with suppress(ConfigError):  # the keys from before may do
            ring = await trio.to_thread.run_sync(self._keys.changed)
            if ring is not None:
                self._wire.rekey(ring)

    def _next(self) -> int:
        self._number += 1
        return self._number


def refuse_too_large(data: bytes) -> None:
    """Raise `CommandTooLarge` for what no member would take."""
    if len(data) > MAX_COMMAND_BYTES:
        raise CommandTooLarge(
            f"a command of {len(data):,} bytes was refused: the most is {MAX_COMMAND_BYTES:,}"
        )


@asynccontextmanager
async def open_client(
    cluster: Cluster, transport: UnreliableTransport | None = None
) -> AsyncIterator[Client]:
    """Talk to a running cluster inside the block. Raises OSError when no socket can be opened."""
    if transport is None:
        host = "127.0.0.1" if all(m.on_loopback for m in cluster.members) else "0.0.0.0"  # noqa: S104 - a client answers nobody
        transport = await open_udp(host, 0, cluster.datagram_limit)
    try:
        yield Client(cluster, transport)
    finally:
        transport.close()
