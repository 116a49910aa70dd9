"""How an acceptor that has forgotten its promises and votes becomes safe again.

The paper supposes that an acceptor remembers (section 2.5). One whose disk was wiped, restored or
damaged does not, and must stay silent: a quorum that it completes again could choose another value
than the one that its forgotten vote helped to choose. But what it forgot can be replaced, if all
the other acceptors help:

1. Each of the others tells the highest ballot that it has begun or promised.
2. The forgetful node prepares a ballot above all of these, and waits until *all* others promise it.
   From then on nothing below that ballot can be chosen any more: the others have promised, and the
   forgetful acceptor will never vote below it either.
3. It takes their highest vote in each open slot for its own. Whatever was chosen with the help of
   its forgotten vote, at least one of the others voted for, too, and reports that vote or a later
   one for the same value (P2b). And whatever promise it forgot was to a
   ballot below this one, and is useless now; or to one of its own that none of the others had
   promised: then the life that began that ballot proposed nothing in it, and is over.

A quorum of the others would not do: the one that is missing may have begun a ballot that counts on
the forgotten promise, or be the only one that remembers a vote.

>>> readmission = Readmission("c", ("a", "b"))
>>> _ = readmission.ask()
>>> _ = readmission.on_memory("a", Memory(1, Ballot(7, "a"), 0, 0, 0), frontier=0)
>>> persist, prepare = readmission.on_memory("b", Memory(1, Ballot(5, "b"), 0, 0, 0), frontier=0)
>>> prepare.message
Prepare(ballot=Ballot(number=8, node='c'), frontier=0)
>>> for node in ("a", "b"):
...     readmission.on_promise(node, Promise(prepare.message.ballot, 0, 0, ()))
>>> readmission.conclude(frontier=0, held={})
(Promised(ballot=Ballot(number=8, node='c')), Readmitted(ballot=Ballot(number=8, node='c')))
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Persist, Send
from paxos.protocol.messages import AskMemory, Memory, Prepare, Promise, Vote
from paxos.protocol.proposer import Preparing, highest_votes
from paxos.protocol.records import Begun, Promised, Readmitted, Record, Voted

LAG = 128
"""How many slots a node may be behind when it prepares: it must learn them before it is done."""


@define
class Readmission:
    """Asks the others, prepares a ballot with all of them, and adopts what they voted for.

    It needs no clock: `ask` may be called again at any time, and begins anew.
    """

    name: str
    others: tuple[str, ...]
    attempt: int = 0
    memories: dict[str, Memory] = field(factory=dict)
    preparing: Preparing | None = None
    begun: Ballot = Ballot.ZERO
    """The highest ballot that this node knows it has begun: it is never begun again."""

    def ask(self) -> Effects:
        """Ask all others what they remember; what was under way is given up."""
        self.attempt += 1
        self.memories.clear()
        self.preparing = None
        return (Send(self.others, AskMemory(self.attempt)),)

    def on_memory(self, source: str, memory: Memory, frontier: int) -> Effects:
        """Hear what one of the others remembers; prepare when all have answered.

        ``frontier`` is the first slot that this node has not learned. One that is far behind
        waits: its ballot ends the leader's, which must not happen for nothing.
        """
        if memory.number != self.attempt or source not in self.others or self.preparing:
            return ()
        self.memories[source] = memory
        if len(self.memories) < len(self.others):
            return ()
        if frontier + LAG < max(memory.frontier for memory in self.memories.values()):
            return ()
        highest = max(self.begun, *(memory.highest for memory in self.memories.values()))
        ballot = Ballot(highest.number + 1, self.name)
        self.preparing, self.begun = Preparing(ballot, frontier), ballot
        return (Persist(Begun(ballot)), Send(self.others, Prepare(ballot, frontier)))

    def repeat(self) -> Effects:
        """Send the prepare again to all, if one is under way: it or its answers may be lost."""
        if self.preparing is None:
            return ()
        return (Send(self.others, Prepare(self.preparing.ballot, self.preparing.frontier)),)

    def on_promise(self, source: str, promise: Promise) -> None:
        """Take one part of a promise."""
        preparing = self.preparing
        if preparing and promise.ballot == preparing.ballot and source in self.others:
            preparing.take(source, promise)

    def conclude(self, frontier: int, held: Mapping[int, Vote]) -> tuple[Record, ...]:
        """Return the records with which the acceptor may vote again; none as long as it may not.

        It must have learned what any of the others has: their promises report no votes there.
        ``held`` are the votes that it still has, in an older copy; they count like the others'.
        """
        preparing = self.preparing
        if preparing is None:
            return ()
        whole = preparing.whole_promises()
        if len(whole) < len(self.others):
            return ()
        if frontier < max(parts.frontier for parts in whole.values()):
            return ()
        votes = highest_votes(whole.values(), frontier)
        adopted = (
            Voted(slot, vote.ballot, vote.value)
            for slot, vote in sorted(votes.items())
            if slot not in held or held[slot].ballot < vote.ballot
        )
        return (Promised(preparing.ballot), *adopted, Readmitted(preparing.ballot))
