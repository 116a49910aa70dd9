"""Answers clients, which hold the cluster's key but are no members."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import trio

from paxos.errors import CommandFailed, CommandTooLarge, OutcomeUnknown
from paxos.node.post import Post
from paxos.replicated.messages import Answer, AskStatus, Outcome, Submit

if TYPE_CHECKING:
    from paxos.node.node import Node

MAX_SUBMITTED = 1024
"""How many commands of clients are under way at once; more are dropped, and sent again."""

MAX_ANSWERED = 4096
"""How many answers are kept for clients that repeat their question."""


class Desk:
    """Takes what arrives, peers' messages included, and serves the clients among the senders."""

    def __init__(self, node: Node, post: Post) -> None:
        self._node = node
        self._post = post
        self._answers: OrderedDict[tuple[str, int], Answer | None] = OrderedDict()
        self._under_way = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                for client, message in await self._post.receive():
                    if isinstance(message, AskStatus):
                        self._post.send((client,), self._node.status(message.number))
                    elif isinstance(message, Submit):
                        self._take(nursery, client, message)
                self._post.flush()

    def _take(self, nursery: trio.Nursery, client: str, submit: Submit) -> None:
        """Propose a command once, however often it is submitted to this node."""
        key = (client, submit.number)
        if key in self._answers:
            answer = self._answers[key]
            if answer is not None:
                self._post.send((client,), answer)
        elif self._under_way < MAX_SUBMITTED:
            self._under_way += 1
            self._answers[key] = None
            nursery.start_soon(self._propose, client, submit)

    async def _propose(self, client: str, submit: Submit) -> None:
        try:
            slot, answer = await self._node.propose_with_slot(submit.data)
            reply = Answer(submit.number, Outcome.APPLIED, slot, answer)
        except CommandFailed as error:
            reply = Answer(submit.number, Outcome.FAILED, -1, str(error).encode()[:4000])
        except CommandTooLarge as error:
            reply = Answer(submit.number, Outcome.REFUSED, -1, str(error).encode()[:4000])
        except OutcomeUnknown as error:
            reply = Answer(submit.number, Outcome.UNKNOWN, -1, str(error).encode()[:4000])
        self._under_way -= 1
        self._answers[(client, submit.number)] = reply
        while len(self._answers) > MAX_ANSWERED:
            self._answers.popitem(last=False)
        self._post.send((client,), reply)
        self._post.flush()
