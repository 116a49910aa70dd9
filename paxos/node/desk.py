"""Answers clients, which hold the cluster's key but are no members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from paxos.errors import CommandFailed, NodeClosed, OutcomeUnknown, StateDiverged
from paxos.node.post import Post
from paxos.node.reporting import status
from paxos.replicated.messages import Answer, AskStatus, Outcome, Query, Readmit, Submit
from paxos.replicated.state import MAX_ERROR
from paxos.replicated.values import MAX_COMMAND_BYTES, Failure, Session

if TYPE_CHECKING:
    from paxos.node.services import Services

MAX_UNDER_WAY = 1024
"""How many commands and questions of clients are under way at once; more are dropped."""

MAX_UNDER_WAY_BYTES = 64 << 20
"""How many bytes these have together. What is dropped is sent again, later and later."""

GIVE_UP: Final = 30.0
"""Seconds after which a client's command or question is let go; who still waits sends it again.

A member that is cut off must not keep a command until everybody has forgotten that the client had
it applied through another, and then have it applied again.
"""


class Desk:
    """Takes what arrives, peers' messages included, and serves the clients among the senders."""

    def __init__(self, services: Services, post: Post) -> None:
        self._services = services
        self._post = post
        self._under_way: dict[tuple[str, int], int] = {}
        """What is under way, and how many bytes it has."""
        self._bytes = 0
        self._dropped = 0
        self._repeated = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                asked = await self._post.receive()
                while self._post.alarms:
                    self._services.happened(self._post.alarms.pop())
                for client, message in asked:
                    if isinstance(message, Readmit):
                        self._services.readmit(message.without)
                    if isinstance(message, AskStatus | Readmit):
                        self._post.send((client,), status(self._services, message.number))
                    elif isinstance(message, Submit | Query):
                        self._take(nursery, client, message)
                    else:
                        self._post.unfit += 1
                self._post.dispatch()

    def statistics(self) -> dict[str, int]:
        """Return what is under way for clients, and what was dropped."""
        return {
            "clients_under_way": len(self._under_way),
            "clients_under_way_bytes": self._bytes,
            "clients_dropped": self._dropped,
            "clients_repeated": self._repeated,
        }

    def _take(self, nursery: trio.Nursery, client: str, message: Submit | Query) -> None:
        """Begin what a client wants, unless it is under way already, or there is no room."""
        key, size = (client, message.number), len(message.data)
        if key in self._under_way:
            self._repeated += 1
            return
        if len(self._under_way) >= MAX_UNDER_WAY or self._bytes + size > MAX_UNDER_WAY_BYTES:
            self._dropped += 1
            return
        self._under_way[key] = size
        self._bytes += size
        nursery.start_soon(self._serve, client, message)

    async def _serve(self, client: str, message: Submit | Query) -> None:
        reply: Answer | None = None
        try:
            with trio.move_on_after(GIVE_UP):
                if isinstance(message, Submit):
                    reply = await self._propose(client, message)
                else:
                    reply = await self._query(message)
        finally:
            self._bytes -= self._under_way.pop((client, message.number))
        if reply is not None:
            self._post.send((client,), reply)
            self._post.flush()

    async def _propose(self, client: str, submit: Submit) -> Answer | None:
        """Propose a command under the client's name; the log knows whether it is a repetition."""
        try:
            slot, result = await self._services.propose_as(
                Session(client, 0), submit.number, submit.data
            )
        except StateDiverged:
            return None  # the client asks another member
        except OutcomeUnknown as error:
            if isinstance(error.__cause__, NodeClosed | StateDiverged):
                return None  # the client repeats it to another member, and the log knows it
            return Answer(submit.number, Outcome.UNKNOWN, -1, str(error).encode())
        if isinstance(result, Failure):
            return Answer(submit.number, Outcome.FAILED, slot, result.error.encode())
        return Answer(submit.number, Outcome.APPLIED, slot, result)

    async def _query(self, query: Query) -> Answer | None:
        try:
            data = await self._services.query(query.data)
        except (NodeClosed, StateDiverged):
            return None  # the client asks another member
        except CommandFailed as error:
            text = str(error).encode()[:MAX_ERROR]
            return Answer(query.number, Outcome.FAILED, self._services.position - 1, text)
        if len(data) > MAX_COMMAND_BYTES:
            text = (
                f"the answer has {len(data):,} bytes, and may have {MAX_COMMAND_BYTES:,}".encode()
            )
            return Answer(query.number, Outcome.FAILED, self._services.position - 1, text)
        return Answer(query.number, Outcome.APPLIED, self._services.position - 1, data)
