"""The learner: finds out what was chosen, and hands the log over in order (sections 2.3 and 3)."""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Deliver, Effect, Effects, PersistLater, Send, Supply, Wake
from paxos.protocol.events import SlotChosen
from paxos.protocol.messages import Accept, Accepted, Chosen, Learn, Message, Promise, Teach
from paxos.protocol.quorums import Quorums
from paxos.protocol.records import Learned, Record, Snapshotted
from paxos.protocol.values import Value

HORIZON = 256
"""How far above its frontier, in slots, a learner keeps what it hears; the rest it asks for."""

RETAINED = 64
"""How many learned slots stay in memory to teach others; older ones come from the journal."""

PATIENCE = (0.01, 0.02)
"""Seconds between two requests for the same slots, and before the first: most gaps close alone."""


@define
class Tally:
    """The votes of one slot at the highest ballot at which any was heard.

    A slot's votes at different ballots are never added up: two acceptors that accepted different
    proposals have not chosen anything (section 2.2).
    """

    ballot: Ballot
    voters: set[str] = field(factory=set)


@define
class Heard:
    """The proposal of highest ballot that was heard of for a slot."""

    ballot: Ballot
    value: Value


@define
class Learner:
    """Learns each slot's chosen value and delivers the slots in order, each once.

    It hears `Accept` (which value a ballot proposes), `Accepted` (who voted) and `Chosen` (what a
    distinguished learner concluded), and asks other learners for what it missed. A `Promise` tells
    it how far the acceptor's node has learned.
    """

    name: str
    quorums: Quorums
    frontier: int = 0
    """The first slot that it has not learned; everything below was delivered."""
    target: int = 0
    """The highest frontier of which it has heard: below it, everything is chosen."""
    proposals: dict[int, Heard] = field(factory=dict)
    tallies: dict[int, Tally] = field(factory=dict)
    chosen: dict[int, Ballot] = field(factory=dict)
    """Slots known to be chosen at a ballot, but whose value was not heard yet."""
    learned: dict[int, Learned] = field(factory=dict)
    """Slots above a gap whose values are known."""
    retained: dict[int, Value] = field(factory=dict)
    """The last `RETAINED` slots below the frontier."""
    alarm: int | None = None
    """The frontier when the alarm was set; None when nothing is missing."""
    teacher: str | None = None
    """Who was last known to be ahead."""

    def handle(self, source: str, message: Message) -> Effects:
        """Take one message; anything that is not for a learner is ignored."""
        match message:
            case Accepted():
                return self.on_accepted(source, message)
            case Accept():
                return self.on_accept(source, message)
            case Chosen():
                return self.on_chosen(source, message)
            case Learn():
                return self.on_learn(source, message)
            case Teach():
                return self.on_teach(source, message)
            case Promise():
                return self.hear_frontier(source, message.frontier)
        return ()

    def on_accept(self, source: str, accept: Accept) -> Effects:
        """Note which value a ballot proposes; the vote itself is the acceptor's affair.

        No acceptor of this node votes in a slot that is learned here, so whoever still proposes
        in it is taught: every other answer to it may have been lost.
        """
        if accept.slot < self.frontier and source != self.name:
            return (Supply(source, accept.slot, accept.slot),)
        if not self.frontier <= accept.slot < self.frontier + HORIZON:
            return ()
        heard = self.proposals.get(accept.slot)
        if heard is None or heard.ballot < accept.ballot:
            self.proposals[accept.slot] = Heard(accept.ballot, accept.value)
        return self._conclude(accept.slot)

    def on_accepted(self, source: str, accepted: Accepted) -> Effects:
        """Count a vote; a quorum of equal ballots chooses, and the other learners are told."""
        slot, ballot = accepted.slot, accepted.ballot
        if not self.frontier <= slot < self.frontier + HORIZON or slot in self.chosen:
            return ()
        tally = self.tallies.get(slot)
        if tally is None or tally.ballot < ballot:
            tally = self.tallies[slot] = Tally(ballot)
        elif tally.ballot > ballot:
            return ()
        tally.voters.add(source)
        if slot in self.learned or not self.quorums.is_accept_quorum(slot, tally.voters):
            return ()
        self.chosen[slot] = ballot
        others = tuple(node for node in self.quorums.members(slot) if node != self.name)
        told: Effects = (Send(others, Chosen(ballot, slot)),) if others else ()
        return (SlotChosen(slot, ballot), *told, *self._conclude(slot))

    def on_chosen(self, source: str, chosen: Chosen) -> Effects:
        """Believe a distinguished learner: a quorum voted at this ballot."""
        slot = chosen.slot
        if slot < self.frontier or slot in self.learned:
            return ()
        self.teacher = source
        self.target = max(self.target, slot + 1)
        if slot >= self.frontier + HORIZON:
            return self._mind_the_gap()
        self.chosen.setdefault(slot, chosen.ballot)
        return self._conclude(slot)

    def on_teach(self, source: str, teach: Teach) -> Effects:
        """Take a chosen value from a learner that delivered it; pull more when all has come."""
        self.target = max(self.target, teach.frontier, teach.slot + 1)
        if not self.frontier <= teach.slot < self.frontier + HORIZON:
            return ()
        self.teacher = source
        self.learned.setdefault(teach.slot, Learned(teach.slot, None, teach.value))
        before = self.frontier
        effects = self._deliver()
        if before <= teach.last < self.frontier < self.target:
            effects += self._ask(source)
        return effects

    def on_learn(self, source: str, learn: Learn) -> Effects:
        """Teach what is asked for, as far as it is learned here."""
        first = max(0, learn.first)
        last = min(learn.last, first + HORIZON - 1, self.frontier - 1)
        return (Supply(source, first, last),) if first <= last else ()

    def hear_frontier(self, source: str, frontier: int) -> Effects:
        """Hear that ``source`` has learned every slot below ``frontier``."""
        if frontier <= self.frontier:
            return ()
        self.teacher = source
        self.target = max(self.target, frontier)
        return self._mind_the_gap()

    def wake(self) -> Effects:
        """Ask again for what is missing, each time of another learner.

        Where the log has grown since the alarm was set, the missing slots are on their way.
        """
        alarm, self.alarm = self.alarm, None
        if alarm is None or self.frontier >= self.target:
            return ()
        if self.frontier > alarm:
            return self._mind_the_gap()
        others = [node for node in self.quorums.members(self.frontier) if node != self.name]
        if not others:
            return ()
        teacher = self.teacher if self.teacher in others else others[0]
        self.teacher = others[(others.index(teacher) + 1) % len(others)]
        return self._ask(teacher)

    def jump(self, frontier: int) -> Effects:
        """Take every slot below ``frontier`` for learned: a snapshot tells what they came to.

        They are not delivered. What was heard of the slots from there on is kept.
        """
        if frontier <= self.frontier:
            return ()
        for heard in (self.proposals, self.tallies, self.chosen, self.learned):
            for slot in [slot for slot in heard if slot < frontier]:
                del heard[slot]
        self.retained.clear()
        self.frontier, self.alarm = frontier, None
        return self._deliver()

    def recall(self, record: Record) -> Effects:
        """Take one record of the journal: the same path as a value that was learned alive."""
        if isinstance(record, Snapshotted):
            return self.jump(record.position)
        if not isinstance(record, Learned) or record.slot < self.frontier:
            return ()
        self.learned[record.slot] = record
        return tuple(effect for effect in self._deliver() if isinstance(effect, Deliver))

    def _conclude(self, slot: int) -> Effects:
        """Learn the slot if it is known to be chosen and a proposal tells the value.

        The proposal need not be the chosen one: every proposal at a higher ballot than a chosen
        one has the same value (P2b), so any proposal at that ballot or above names it.
        """
        ballot = self.chosen.get(slot)
        if ballot is None:
            return ()
        self.target = max(self.target, slot + 1)
        heard = self.proposals.get(slot)
        if heard is not None and heard.ballot >= ballot:
            self.learned[slot] = Learned(slot, ballot, heard.value)
        return self._deliver()

    def _deliver(self) -> Effects:
        """Hand over every learned slot up to the next gap."""
        effects: list[Effect] = []
        while (record := self.learned.pop(self.frontier, None)) is not None:
            slot = self.frontier
            effects += (PersistLater(record), Deliver(slot, record.value))
            self.proposals.pop(slot, None)
            self.tallies.pop(slot, None)
            self.chosen.pop(slot, None)
            self.retained[slot] = record.value
            self.retained.pop(slot - RETAINED, None)
            self.frontier = slot + 1
        self.target = max(self.target, self.frontier)
        return (*effects, *self._mind_the_gap())

    def _mind_the_gap(self) -> Effects:
        """Set the alarm, once, when something below the target is missing."""
        if self.frontier >= self.target:
            self.alarm = None
        elif self.alarm is None:
            self.alarm = self.frontier
            return (Wake(*PATIENCE),)
        return ()

    def _ask(self, teacher: str) -> Effects:
        self.alarm = self.frontier
        last = min(self.frontier + HORIZON, self.target) - 1
        return (Send((teacher,), Learn(self.frontier, last)), Wake(*PATIENCE))
