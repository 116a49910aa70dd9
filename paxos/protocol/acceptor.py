"""The acceptor: the memory of the cluster (*Paxos Made Simple*, sections 2.2 and 2.5)."""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Persist, Send
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Confirm,
    Confirmed,
    Message,
    Prepare,
    Promise,
    Rejected,
    Vote,
)
from paxos.protocol.records import Learned, Promised, Record, Snapshotted, Voted


@define
class Acceptor:
    """Promises and votes, and forgets neither.

    Everything that it must remember changes in `recall` alone, so a restart, which replays the
    journal through `recall`, cannot restore anything else than what a live handler did.

    >>> acceptor = Acceptor()
    >>> acceptor.handle("p", Prepare(Ballot(1, "p"), frontier=0))      # doctest: +ELLIPSIS
    (Persist(record=Promised(...)), Send(targets=('p',), message=Promise(...)))
    """

    promised: Ballot = Ballot.ZERO
    """It answers nothing below this ballot."""
    votes: dict[int, Vote] = field(factory=dict)
    """The last vote in each open slot."""
    frontier: int = 0
    """Slots below are known to be chosen by the learner of this node."""
    horizon: int | None = None
    """How many slots from the frontier on it votes in; a node far behind must learn first."""

    def handle(self, source: str, message: Message) -> Effects:
        """Answer a prepare, an accept or a confirm; anything else is not for an acceptor."""
        match message:
            case Prepare():
                return self.on_prepare(source, message)
            case Accept():
                return self.on_accept(source, message)
            case Confirm():
                return self.on_confirm(source, message)
        return ()

    def on_prepare(self, source: str, prepare: Prepare) -> Effects:
        """Phase 1b: promise, and report the votes in every open slot.

        An equal ballot is promised again: its owner has lost the first answer. The answer covers
        all slots from the frontier on, which are infinitely many, of which finitely many have
        votes (section 3). One vote to a part keeps every part as small as its value.
        """
        if prepare.ballot < self.promised:
            return (self._rejection(source, prepare.ballot),)
        durable: Effects = ()
        if prepare.ballot > self.promised:
            durable = self._remember(Promised(prepare.ballot))
        frontier = max(prepare.frontier, self.frontier)
        open_votes = tuple(vote for slot, vote in sorted(self.votes.items()) if slot >= frontier)
        parts = tuple((vote,) for vote in open_votes) or ((),)
        return durable + tuple(
            Send((source,), Promise(prepare.ballot, frontier, len(open_votes), part))
            for part in parts
        )

    def on_accept(self, source: str, accept: Accept) -> Effects:
        """Phase 2b: vote, unless a higher ballot was promised (P1a).

        A slot below the frontier is chosen and its vote may be gone, so it is not voted on again;
        the proposer hears of it from the learners.
        """
        if accept.ballot < self.promised:
            return (self._rejection(source, accept.ballot),)
        if accept.slot < self.frontier or self._beyond_horizon(accept.slot):
            return ()
        vote = self.votes.get(accept.slot)
        durable: Effects = ()
        if vote is None or vote.ballot != accept.ballot:
            durable = self._remember(Voted(accept.slot, accept.ballot, accept.value))
        return (*durable, Send((source,), Accepted(accept.ballot, accept.slot)))

    def on_confirm(self, source: str, confirm: Confirm) -> Effects:
        """Tell a leader that no higher ballot is known here; it counts on this for reads.

        Nothing is promised by that, so nothing is written: what counts is that every vote above
        this ballot came, or will come, later than the question.
        """
        if confirm.ballot < self.promised:
            return (self._rejection(source, confirm.ballot),)
        return (Send((source,), Confirmed(confirm.ballot, confirm.number)),)

    def advance(self, frontier: int) -> None:
        """Let go of the votes below ``frontier``: this node's learner knows those slots.

        From here on promises tell a proposer to learn these slots instead of proposing in them.
        """
        if frontier - self.frontier > len(self.votes):  # a leap may be of any size
            self.votes = {slot: vote for slot, vote in self.votes.items() if slot >= frontier}
        else:
            for slot in range(self.frontier, frontier):
                self.votes.pop(slot, None)
        self.frontier = max(self.frontier, frontier)

    def recall(self, record: Record) -> None:
        """Take one record into memory: the only place where a promise or a vote changes.

        A vote is a promise, too: without that, an acceptor that never promised ballot 2 but voted
        at it would still vote at ballot 1, and ballot 3 could find the older vote. A journal need
        not keep the votes of learned slots, so `Learned` and `Snapshotted` restore the frontier: a
        promise that reported no vote there would pass for one that has none. Neither lowers the
        promise, nor touches a vote from the frontier on.
        """
        match record:
            case Promised(ballot):
                self.promised = max(self.promised, ballot)
            case Voted(slot, ballot, value):
                self.promised = max(self.promised, ballot)
                if slot >= self.frontier:
                    self.votes[slot] = Vote(slot, ballot, value)
            case Learned(slot):
                self.advance(slot + 1)
            case Snapshotted(position):
                self.advance(position)

    def _beyond_horizon(self, slot: int) -> bool:
        return self.horizon is not None and slot >= self.frontier + self.horizon

    def _remember(self, record: Record) -> Effects:
        self.recall(record)
        return (Persist(record),)

    def _rejection(self, source: str, ballot: Ballot) -> Send:
        return Send((source,), Rejected(ballot, self.promised))
