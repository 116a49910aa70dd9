"""The proposer: makes sure that only one value can ever be chosen (sections 2.2, 2.4 and 3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TypeAlias

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effect, Effects, Persist, Send
from paxos.protocol.events import BallotBegun, BallotLost, BallotPrepared
from paxos.protocol.messages import Accept, Message, Prepare, Promise, Rejected, Vote
from paxos.protocol.quorums import Quorums
from paxos.protocol.records import Begun, Record
from paxos.protocol.values import NOOP, Value


@define
class Idle:
    """No ballot is under way."""


@define
class Parts:
    """What has arrived of one acceptor's promise."""

    frontier: int
    total: int
    votes: dict[int, Vote] = field(factory=dict)

    @property
    def whole(self) -> bool:
        """Tell whether every part has arrived."""
        return len(self.votes) == self.total


@define
class Preparing:
    """Phase 1 is under way: the ballot's promises are being collected."""

    ballot: Ballot
    frontier: int
    promises: dict[str, Parts] = field(factory=dict)

    def take(self, source: str, promise: Promise) -> bool:
        """Take one part of a promise of this ballot; tell whether the promise is whole."""
        parts = self.promises.get(source)
        if parts is None or parts.frontier < promise.frontier:
            parts = self.promises[source] = Parts(promise.frontier, promise.total)
        if (parts.frontier, parts.total) == (promise.frontier, promise.total):
            parts.votes.update((vote.slot, vote) for vote in promise.votes)
        return parts.whole

    def whole_promises(self) -> dict[str, Parts]:
        """Return the promises of which no part is missing, by acceptor."""
        return {node: parts for node, parts in self.promises.items() if parts.whole}


@define
class Leading:
    """Phase 1 is complete for every open slot; what is left is phase 2, slot after slot."""

    ballot: Ballot
    next_slot: int
    """The first slot in which this ballot is free to propose what it likes."""
    recovering: deque[tuple[int, Value]]
    """Slots to be proposed again that wait for room in the window."""
    in_flight: dict[int, Value] = field(factory=dict)
    """What is proposed and not yet known to be chosen."""
    rejecting: set[str] = field(factory=set)
    """Acceptors that have promised a higher ballot."""


State: TypeAlias = Idle | Preparing | Leading


@define
class Proposer:
    """Runs one ballot at a time: prepares every open slot, then proposes in slot after slot.

    It needs no clock. Whoever runs it decides when to `prepare`, when to send again what was not
    answered, and when to stop: none of these decisions can harm agreement.

    A single decree is the special case in which only slot 0 matters: prepare with frontier 0, and
    propose if `Leading.next_slot` is still 0.
    """

    name: str
    quorums: Quorums
    window: int = 64
    """How many slots may be in flight at once."""
    highest: Ballot = Ballot.ZERO
    """The highest ballot of which it has heard, its own included."""
    state: State = field(factory=Idle)

    def handle(self, source: str, message: Message) -> Effects:
        """Take one message; anything that is not for a proposer is ignored."""
        match message:
            case Promise():
                return self.on_promise(source, message)
            case Rejected():
                return self.on_rejected(source, message)
            case Prepare():
                self.highest = max(self.highest, message.ballot)
        return ()

    def prepare(self, frontier: int) -> Effects:
        """Phase 1a: begin a ballot above every other of which it has heard.

        The ballot is on stable storage before anybody hears of it, so no later life of this
        proposer begins it again (section 2.5). ``frontier`` is the first slot not learned here.
        """
        ballot = Ballot(self.highest.number + 1, self.name)
        self.recall(Begun(ballot))
        self.state = Preparing(ballot, frontier)
        return (Persist(Begun(ballot)), BallotBegun(ballot), *self.repeat())

    def on_promise(self, source: str, promise: Promise) -> Effects:
        """Collect phase 1b. A promise of another ballot, from another time, is not counted."""
        state = self.state
        if not isinstance(state, Preparing) or promise.ballot != state.ballot:
            return ()
        return self._lead_if_prepared(state) if state.take(source, promise) else ()

    def on_rejected(self, source: str, rejected: Rejected) -> Effects:
        """Hear from an acceptor that it has promised a higher ballot.

        While preparing, one refusal is reason enough to make room for the rival. While leading, the
        ballot goes on as long as a quorum can still vote for it. A refusal of an older ballot says
        nothing about this one.
        """
        self.highest = max(self.highest, rejected.promised)
        state = self.state
        if isinstance(state, Idle) or rejected.ballot != state.ballot:
            return ()
        if isinstance(state, Leading):
            state.rejecting.add(source)
            slot = min(state.in_flight, default=state.next_slot)
            left = set(self.quorums.members(slot)) - state.rejecting
            if self.quorums.is_accept_quorum(slot, left):
                return ()
        return self.stop(rejected.promised)

    def propose(self, value: Value) -> Effects:
        """Phase 2a for the next free slot, when leading and when the window has room."""
        state = self.state
        assert isinstance(state, Leading), "propose only while leading"
        assert self.room > 0, "propose only while the window has room"
        slot = state.next_slot
        state.next_slot += 1
        return (self._accept(state, slot, value),)

    @property
    def room(self) -> int:
        """How many values may be proposed now: none unless leading and done with recovering."""
        state = self.state
        if not isinstance(state, Leading) or state.recovering:
            return 0
        return self.window - len(state.in_flight)

    def advance(self, frontier: int) -> Effects:
        """Hear from this node's learner that every slot below ``frontier`` is chosen.

        That may happen during phase 1, too: nobody would answer a proposal in a slot that became
        known meanwhile, and it would be in flight for ever.
        """
        state = self.state
        if isinstance(state, Preparing):
            state.frontier = max(state.frontier, frontier)
        if not isinstance(state, Leading):
            return ()
        for slot in [slot for slot in state.in_flight if slot < frontier]:
            del state.in_flight[slot]
        state.next_slot = max(state.next_slot, frontier)
        return self._recover(state, frontier)

    def repeat(self, most: int = 16) -> Effects:
        """Send again what was not answered: the prepare, or the oldest ``most`` slots in flight."""
        match self.state:
            case Preparing(ballot=ballot, frontier=frontier) as state:
                whole = state.whole_promises()
                silent = (n for n in self.quorums.members(frontier) if n not in whole)
                return (Send(tuple(silent), Prepare(ballot, frontier)),)
            case Leading(in_flight=in_flight) as state:
                oldest = sorted(in_flight)[:most]
                return tuple(self._accept(state, slot, in_flight[slot]) for slot in oldest)
        return ()

    def stop(self, promised: Ballot = Ballot.ZERO) -> Effects:
        """Give the ballot up. What is in flight may still be chosen, now or by another proposer."""
        state, self.state = self.state, Idle()
        return () if isinstance(state, Idle) else (BallotLost(state.ballot, promised),)

    def recall(self, record: Record) -> None:
        """Take one record of the journal: a ballot that was begun is never begun again."""
        if isinstance(record, Begun):
            self.highest = max(self.highest, record.ballot)

    def _lead_if_prepared(self, state: Preparing) -> Effects:
        """Complete phase 1 when, for every open slot, a quorum has promised in whole."""
        whole = state.whole_promises()
        nodes = set(whole)
        frontier = max([state.frontier, *(parts.frontier for parts in whole.values())])
        votes = highest_votes(whole.values(), frontier)
        next_slot = max(votes, default=frontier - 1) + 1
        slots = range(frontier, next_slot + 1)
        if not all(self.quorums.is_prepare_quorum(slot, nodes) for slot in slots):
            return ()
        recovering = deque(
            (slot, votes[slot].value if slot in votes else NOOP)
            for slot in range(frontier, next_slot)
        )
        event = BallotPrepared(state.ballot, len(recovering))
        leading = self.state = Leading(state.ballot, next_slot, recovering)
        return (event, *self._recover(leading, frontier))

    def _recover(self, state: Leading, frontier: int) -> Effects:
        """Propose again, as far as the window allows, what phase 1 found in the open slots."""
        effects: list[Effect] = []
        while state.recovering and len(state.in_flight) < self.window:
            slot, value = state.recovering.popleft()
            if slot >= frontier:
                effects.append(self._accept(state, slot, value))
        return tuple(effects)

    def _accept(self, state: Leading, slot: int, value: Value) -> Send:
        """Phase 2a: the one place where a proposal is issued."""
        state.in_flight[slot] = value
        return Send(self.quorums.members(slot), Accept(state.ballot, slot, value))


def highest_votes(promises: Iterable[Parts], frontier: int) -> dict[int, Vote]:
    """Return the vote of highest ballot in each slot from ``frontier`` on (P2c).

    Not the most frequent value and not the latest answer: the highest ballot, since only its value
    can have been chosen. Slots below an acceptor's frontier are chosen and must be learned, so
    nothing that others report there is of interest.
    """
    highest: dict[int, Vote] = {}
    for parts in promises:
        for slot, vote in parts.votes.items():
            if slot >= frontier and (slot not in highest or vote.ballot > highest[slot].ballot):
                highest[slot] = vote
    return highest
