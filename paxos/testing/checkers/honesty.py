"""Nothing is said before it is durable, and nothing is left out."""

from __future__ import annotations

from attrs import define

from paxos.protocol import messages
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accepted, Confirmed, Message, Prepare, Promise, Rejected
from paxos.testing.checkers.base import Checker, Violation
from paxos.testing.checkers.memory import Durable, Memory


@define
class Honesty(Checker):
    """Compares what a node says of its ballots, promises and votes with what it made durable."""

    memory: Memory

    def sent(self, node: str, message: Message) -> None:
        """See that the records behind a message are durable."""
        match message:
            case Prepare(ballot):
                if ballot not in self._of(node).ballots:
                    raise Violation(f"{node} prepares {ballot}, which is not durable as its own")
            case Promise():
                self._promise(node, message, self._of(node))
            case Rejected(ballot, promised):
                if promised <= ballot:
                    raise Violation(f"{node} refuses {ballot}, having promised {promised}")
            case Accepted(ballot, slot):
                vote = self._of(node).votes.get(slot)
                if vote is None or vote.ballot < ballot:
                    raise Violation(
                        f"{node} says that it voted at {ballot} in slot {slot}, "
                        "and that is not durable"
                    )

            case messages.Memory(_, highest):
                durable = self._of(node)
                before = max(durable.before.get("proposer", (Ballot.ZERO,)))
                if durable.forgot is None and highest < before:
                    raise Violation(f"{node} remembers {highest} as its highest, not {before}")
            case Confirmed(ballot):
                durable = self._of(node)
                _, promised = durable.before.get("acceptor", (Ballot.ZERO, Ballot.ZERO))
                if durable.forgot is None and ballot < promised:
                    raise Violation(f"{node} confirms {ballot}, having promised more")

    def _of(self, node: str) -> Durable:
        return self.memory.nodes.setdefault(node, Durable())

    def _promise(self, node: str, promise: Promise, durable: Durable) -> None:
        """Compare votes; one at the ballot or above may have come in the same turn, after it."""
        if durable.promised < promise.ballot:
            raise Violation(f"{node} promises {promise.ballot}, and that is not durable")
        self.memory.promised(node, promise.ballot, promise.frontier)
        for vote in promise.votes:
            if vote.ballot > promise.ballot:
                raise Violation(f"{node} promises {promise.ballot} after a vote at {vote.ballot}")
            known = durable.votes.get(vote.slot)
            if known is None or known.ballot < vote.ballot:
                raise Violation(f"{node} reports a vote in slot {vote.slot} that is not durable")
            if known.ballot == vote.ballot and known.value != vote.value:
                raise Violation(f"{node} reports another vote in slot {vote.slot} than its own")
            if known.ballot > vote.ballot and known.ballot < promise.ballot:
                raise Violation(f"{node} reports in slot {vote.slot} a vote before its last one")
        votes = durable.votes
        older = sum(
            slot in votes and votes[slot].ballot < promise.ballot
            for slot in range(promise.frontier, durable.top)
        )
        if promise.total < older:
            raise Violation(
                f"{node} promises {promise.ballot} with {promise.total} votes "
                f"from slot {promise.frontier} on, and has {older}"
            )
