"""Answers clients, which hold the cluster's key but are no members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from paxos.errors import OutcomeUnknown
from paxos.node.post import Post
from paxos.replicated.messages import Answer, AskStatus, Outcome, Readmit, Submit
from paxos.replicated.values import Failure, Session

if TYPE_CHECKING:
    from paxos.node.node import Node

MAX_SUBMITTED = 1024
"""How many commands of clients are under way at once; more are dropped, and sent again."""


class Desk:
    """Takes what arrives, peers' messages included, and serves the clients among the senders."""

    def __init__(self, node: Node, post: Post) -> None:
        self._node = node
        self._post = post
        self._under_way: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                asked = await self._post.receive()
                while self._post.alarms:
                    self._node.happened(self._post.alarms.pop())
                for client, message in asked:
                    if isinstance(message, Readmit):
                        self._node.readmit(message.without)
                    if isinstance(message, AskStatus | Readmit):
                        self._post.send((client,), self._node.status(message.number))
                    elif isinstance(message, Submit):
                        self._take(nursery, client, message)
                self._post.flush()

    def _take(self, nursery: trio.Nursery, client: str, submit: Submit) -> None:
        """Propose a command under the client's name; the log knows whether it is a repetition."""
        key = (client, submit.number)
        if key not in self._under_way and len(self._under_way) < MAX_SUBMITTED:
            self._under_way.add(key)
            nursery.start_soon(self._propose, client, submit)

    async def _propose(self, client: str, submit: Submit) -> None:
        try:
            slot, result = await self._node.propose_as(
                Session(client, 0), submit.number, submit.data
            )
        except OutcomeUnknown as error:
            if self._node.closed:
                return  # the client repeats it to another member, and the log knows it
            reply = Answer(submit.number, Outcome.UNKNOWN, -1, str(error).encode())
        else:
            if isinstance(result, Failure):
                reply = Answer(submit.number, Outcome.FAILED, slot, result.error.encode())
            else:
                reply = Answer(submit.number, Outcome.APPLIED, slot, result)
        finally:
            self._under_way.discard((client, submit.number))
        self._post.send((client,), reply)
        self._post.flush()
