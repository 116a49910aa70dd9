"""Who stands for leader, and when (*Paxos Made Simple*, section 2.4).

Agreement never depends on this file: two proposers that both believe to lead can only slow each
other down. It serves progress. A leader is followed while its heartbeats come; when they cease, the
followers stand one after another, in the order of rank behind the lost leader; a candidate asks a
quorum whether it would be welcome before it spends a ballot, so a node that was merely cut off
deposes nobody; and whoever sees a rival's ballot under way lets it finish.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send, Wake
from paxos.protocol.messages import Message, Prepare, Promise, Rejected
from paxos.protocol.proposer import Idle as NoBallot
from paxos.protocol.proposer import Leading, Preparing, Proposer
from paxos.replicated.admission import Admission
from paxos.replicated.events import LeaderSuspected, QuorumLost
from paxos.replicated.messages import (
    Heard,
    Heartbeat,
    Poll,
    Polled,
    Probe,
    Refused,
    Resigned,
)
from paxos.replicated.read_leases import Grants, ReadLease
from paxos.replicated.timing import Estimate, FailureDetector, Timing, Wakefulness

POLL_ATTEMPTS = 4
"""How often an unanswered poll or prepare is sent before the candidacy is given up."""

_NOBODY = ("", float("-inf"))
"""An encouragement that was never given."""


@define
class Following:
    """A live leader is known: its heartbeats arrive."""

    ballot: Ballot
    detector: FailureDetector
    doubted: float | None = None
    """When the leader is given up unless it is heard, since a `Refused` came; else None."""


@define
class Waiting:
    """No live leader is known; this node stands when its alarm rings."""

    deferred: bool = False
    """Whether it has already made room for a rival that asked first."""


@define
class Polling:
    """Asking the others whether a candidacy would be welcome."""

    number: int
    granted: set[str]
    refused: dict[str, Ballot] = field(factory=dict)
    """By node, the ballot that it takes for the live one."""
    attempts: int = 1


@define
class Campaigning:
    """Phase 1 is under way."""

    attempts: int = 1


@define
class Serving:
    """Phase 1 is complete: this node leads as long as a quorum hears it."""

    contact: dict[str, float]
    """When each follower last answered."""
    progress: float
    """When the log last grew, or what was unanswered was sent again."""
    frontier: int
    """How far the log was learned at the last look."""
    moved: float
    """When the log last grew, or had nothing open."""
    excused: bool = False
    """Whether silence was excused since a follower last answered."""

    def excuse(self, slept: float) -> None:
        """Do not count the time in which this node itself slept; only once in one silence."""
        if not self.excused:
            self.contact = {node: at + slept for node, at in self.contact.items()}
            self.moved += slept
            self.excused = True


State: TypeAlias = Following | Waiting | Polling | Campaigning | Serving


@define
class Candidacy:
    """Decides when this node's proposer begins a ballot and when it gives one up."""

    proposer: Proposer
    timing: Timing
    admission: Admission
    grants: Grants = field(factory=Grants)
    """What this node's acceptor grants the leader that is followed, this node included."""
    lease: ReadLease = field(factory=ReadLease)
    """What this node is granted while it leads."""
    frontier: int = 0
    """The first slot that this node has not learned."""
    state: State = field(factory=Waiting)
    round_trip: Estimate = field(factory=Estimate)
    awake: Wakefulness = field(init=False)
    failures: int = 0
    """Candidacies that failed in a row."""
    polls: int = 0
    asked_at: int = 0
    """When the last poll began, in microseconds of this node's clock."""
    last_leader: str | None = None
    last_beat: tuple[Ballot, int] = (Ballot.ZERO, 0)
    """Ballot and sending time of the newest heartbeat."""
    via: tuple[str, float] | None = None
    """A node that hears a leader which this one does not, and until when that is believed."""
    grant: tuple[str, float] = _NOBODY
    """Whom this node last encouraged, and until when it encourages nobody else."""
    favoured: set[str] = field(factory=set)
    """For whom others had to wait, and nothing has come of it yet."""
    failure: str = ""
    """Why this node can keep no ballots any more; empty when it can."""
    declined: tuple[str, Poll, float] | None = None
    """The last poll that this node refused because it heard a leader, by whom, and when."""
    refused: Ballot = Ballot.ZERO
    """The ballot of whose leader a `Refused` was believed; that happens once."""
    why: str = "just started"
    """Why no leader is known, for people; empty when one is."""

    def __attrs_post_init__(self) -> None:
        self.awake = Wakefulness(self.timing)

    def start(self) -> Effects:
        """Stand in the order of rank, unless a leader is heard first."""
        return self._stand_later(self.grants.length + self._rank() * self.stagger)

    def handle(self, source: str, message: Message, now: float) -> Effects:
        """Take one message; anything else than these is not for a candidacy."""
        self._look(now)
        match message:
            case Heartbeat():
                return self.on_heartbeat(source, message, now)
            case Heard():
                return self.on_heard(source, message, now)
            case Promise() | Rejected():
                return self._mind_the_ballot(self.proposer.handle(source, message), now)
            case Prepare():
                return self.on_prepare(source, message, now)
            case Poll():
                return self.on_poll(source, message, now)
            case Polled():
                return self.on_polled(source, message, now)
            case Resigned():
                return self.on_resigned(source, message, now)
            case Probe():
                return self.on_probe(source, message, now)
            case Refused():
                return self.on_refused(source, now)
        return ()

    def admit(self) -> Effects:
        """Stand in the order of rank, now that this node may, unless a leader is heard."""
        return () if isinstance(self.state, Following) else self.start()

    @property
    def disabled(self) -> str:
        """Why this node may not stand at all; empty when it may."""
        return self.failure or self.admission.why

    def disable(self, why: str) -> None:
        """Never stand again: this node cannot keep its ballots."""
        self.failure = why
        self.proposer.stop()
        self._stand_later(0)

    # The followers' side.

    def on_heartbeat(self, source: str, beat: Heartbeat, now: float) -> Effects:
        """Follow the leader of the highest live ballot."""
        proposer, state = self.proposer, self.state
        proposer.highest = max(proposer.highest, beat.ballot)
        if (beat.ballot, beat.sent) <= self.last_beat:
            return ()  # late, repeated or replayed: no sign of life
        self.last_beat = (beat.ballot, beat.sent)
        for mark in beat.marks:
            self.admission.note(mark)
        if isinstance(proposer.state, Preparing | Leading) and proposer.state.ballot >= beat.ballot:
            return ()
        if isinstance(state, Following) and beat.ballot < state.ballot:
            return ()
        effects: Effects = ()
        if not self.disabled:  # a leader counts on those who hear it, and this node cannot vote
            granted = self.grants.grant(beat.ballot, now)
            heard = Heard(beat.ballot, self.frontier, beat.sent, self.admission.own, granted)
            effects = (Send((source,), heard),)
        if isinstance(state, Following) and beat.ballot == state.ballot:
            state.detector.arrive(now)
            state.doubted = None
            return effects
        if beat.round_trip:
            self.round_trip.mean = beat.round_trip / 1e6
        lost = proposer.stop(beat.ballot)
        self.state = Following(beat.ballot, FailureDetector(self.timing, now))
        self.grant = _NOBODY  # whoever was encouraged has stood by now
        self.favoured.clear()
        self.failures, self.last_leader, self.via, self.why = 0, beat.ballot.node, None, ""
        self.declined = None
        return (*effects, *lost, Wake(*(self.probing,) * 2))

    def on_resigned(self, source: str, message: Resigned, now: float) -> Effects:
        """Stand at once, in the order of rank: there is no silence to wait for."""
        if source == message.ballot.node:
            self.grants.end(message.ballot)
        if not isinstance(self.state, Following) or self.state.ballot != message.ballot:
            return ()
        self.why = f"{source} has stopped leading"
        return (*self._stand_in_turn(now), *self._agree_after_all(now))

    def on_refused(self, source: str, now: float) -> Effects:
        """Doubt the leader, whose machine says that its process is gone; ask it to answer.

        Anybody can forge that, so it proves nothing: a leader that lives answers, and then all is
        well. Where another node has asked for a candidacy, it has got no answer: that will do.
        """
        state = self.state
        if not isinstance(state, Following) or state.ballot.node != source:
            return ()
        if state.ballot == self.refused or state.doubted is not None:
            return ()
        if self._asked_lately(now) is not None:
            return self._give_up(state, now)
        state.doubted = now + self.grace
        return (Send((source,), Probe(state.ballot, answer=True)), Wake(*(self.grace,) * 2))

    def _give_up(self, state: Following, now: float) -> Effects:
        """Stand in the order of rank, because the leader was refused and did not answer.

        A candidacy asks the others, who agree when they have lost the leader themselves. Where
        this leader is heard again, that its machine refuses something is not believed a second
        time.
        """
        lost = self._lose(state, now)
        return (*lost, *self._stand_in_turn(now), *self._agree_after_all(now))

    def _lose(self, state: Following, now: float) -> Effects:
        """Wait for a candidate, since the leader was refused."""
        self.refused = state.ballot
        leader = state.ballot.node
        self.why = f"{leader} led, and its machine says that nobody listens there any more"
        self.state = Waiting()
        return (LeaderSuspected(state.ballot, state.detector.silence(now)),)

    def _asked_lately(self, now: float) -> tuple[str, Poll] | None:
        """Return who was declined a moment ago, and what it asked."""
        if self.declined is None or now - self.declined[2] >= self.timing.suspicion:
            return None
        return self.declined[:2]

    def on_poll(self, source: str, poll: Poll, now: float) -> Effects:
        """Encourage a candidate, unless a leader is heard or another candidate goes first."""
        if self.disabled and not isinstance(self.state, Following):
            return ()  # it could neither promise anything nor tell of a leader
        effects: Effects = ()
        if isinstance(self.state, Following) and self.state.doubted is not None:
            effects = self._lose(self.state, now)
        granted = self._welcomes(source, now)
        if granted:
            self._favour(source, now)
            if isinstance(self.state, Waiting) and not self.state.deferred:
                effects += self._stand_later(self.stagger * (1 + self._rank()), deferred=True)
        elif isinstance(self.state, Following):
            self.declined = source, poll, now
            effects = self._probe(self.state.ballot)  # see at once whether the other is right
        reply = Polled(poll.number, poll.sent, granted, self._live_ballot(), self.frontier)
        return (Send((source,), reply), *effects)

    def _favour(self, source: str, now: float) -> None:
        """Let other candidates wait for this one, but only once until it begins a ballot.

        Else one that is heard here but hears nobody, and so asks for ever, keeps this node from
        the only candidate that reaches a quorum.
        """
        if source not in self.favoured:
            self.favoured.add(source)
            self.grant = (source, now + self.stagger)

    def on_prepare(self, source: str, prepare: Prepare, now: float) -> Effects:
        """Defer to a rival's live ballot: give it the time in which a leader would be suspected."""
        self.favoured.discard(source)
        effects = self.proposer.handle(source, prepare)
        ballot = self.proposer.highest
        if source == self.proposer.name or prepare.ballot < ballot:
            return effects
        if isinstance(self.state, Waiting | Polling):
            self.why = f"{source} is a candidate"
            effects += self._stand_later(self.timing.suspicion)
        return effects

    def _welcomes(self, source: str, now: float) -> bool:
        """Tell whether a candidacy of ``source`` would be of use.

        Half the usual patience is enough to agree with somebody who lost his: the two clocks that
        measure the silence started at slightly different times.
        """
        encouraged, until = self.grant
        if self.disabled:
            return False
        if encouraged != source and now < until:
            return False
        match self.state:
            case Following(ballot=ballot) if ballot.node == source:
                return True  # the leader itself wants a new ballot
            case Following(detector=detector):
                return detector.silence(now) >= detector.threshold / 2
            case Polling(attempts=attempts):
                # who found no quorum at once may never reach one, and must not keep others from it
                members = self._members()
                goes_first = source in members and members.index(source) < self._index()
                return goes_first or attempts > 1
            case Waiting():
                return True
        return False

    def _live_ballot(self) -> Ballot:
        state = self.state
        return state.ballot if isinstance(state, Following) else self.proposer.highest

    # The candidate's side.

    def stand(self, now: float) -> Effects:
        """Ask the others whether a candidacy would be welcome.

        There is nobody to ask in a cluster of one, and nothing to ask with a ballot that is below
        every other: it can depose nobody. So a new cluster decides after four message delays.
        """
        if self.disabled:
            return self._stand_later(self.timing.suspicion)
        self.polls += 1
        self.asked_at = int(now * 1e6)
        self.state = Polling(self.polls, {self.proposer.name})
        if self._is_quorum(self.state.granted) or self._has_the_least_ballot():
            return self.begin()
        return self._ask(self.state)

    def on_polled(self, source: str, polled: Polled, now: float) -> Effects:
        """Count the encouragements; a quorum of them begins the ballot."""
        self.proposer.highest = max(self.proposer.highest, polled.ballot)
        state = self.state
        if not isinstance(state, Polling) or polled.number != state.number:
            return ()
        if state.attempts == 1:  # else nobody knows which attempt this answers
            self.round_trip.add(max(0.0, now - polled.sent / 1e6))
        if polled.granted:
            state.refused.pop(source, None)
            state.granted.add(source)
            return self.begin() if self._is_quorum(state.granted) else ()
        if source in state.granted:
            return ()  # an earlier answer, overtaken
        state.refused[source] = polled.ballot
        if polled.ballot.node != self.proposer.name:
            self.via = (source, now + 8 * self.timing.suspicion)
        if self._is_quorum(set(self._members()) - state.refused.keys()):
            return ()
        return self._fail(_refusal(state))

    def _has_the_least_ballot(self) -> bool:
        """Tell whether the next ballot would be the least that any member can ever begin."""
        proposer = self.proposer
        return proposer.highest == Ballot.ZERO and proposer.name == min(self._members())

    def begin(self) -> Effects:
        """Begin a ballot, welcome or not: that can only slow the others down."""
        self.state = Campaigning()
        retry = self._retry_after(1)
        return (*self.proposer.prepare(self.frontier), Wake(retry, 1.5 * retry))

    def _mind_the_ballot(self, effects: Effects, now: float) -> Effects:
        """Follow what became of the ballot."""
        match self.state, self.proposer.state:
            case Campaigning(), Leading():
                others = [node for node in self._members() if node != self.proposer.name]
                self.state = Serving(dict.fromkeys(others, now), now, self.frontier, now)
                self.failures, self.via, self.why = 0, None, ""
                self.last_leader = self.proposer.name
                return (*effects, *self._beat(now))
            case ((Campaigning() | Serving()), NoBallot()):
                highest = self.proposer.highest
                return (*effects, *self._fail(f"{highest.node} began ballot {highest}"))
        return effects

    def _fail(self, why: str) -> Effects:
        """Give up this candidacy; the next comes after a random pause that doubles each time."""
        self.why = why
        self.failures += 1
        pause = max(4 * self.pace, self.timing.heartbeat) * 2 ** min(self.failures, 8)
        pause = min(pause, 2 * self.timing.suspicion)
        return (*self.proposer.stop(), *self._stand_later(pause / 2, pause))

    # The leader's side.

    def on_heard(self, source: str, heard: Heard, now: float) -> Effects:
        """Note that a follower hears this leader, and how long the way to it and back is."""
        state = self.state
        if isinstance(state, Serving) and heard.ballot == self.proposer.state.ballot:  # type: ignore[union-attr]  # Serving goes with Leading
            state.contact[source] = now
            state.excused = False
            self.admission.note(heard.mark)
            if heard.lease:
                self.lease.on_granted(source, heard.sent, heard.lease)
            self.round_trip.add(max(0.0, now - heard.sent / 1e6))
        return ()

    def on_probe(self, source: str, probe: Probe, now: float) -> Effects:
        """Answer a follower that fears this leader is gone."""
        ballot = self.proposer.state
        if not probe.answer or not isinstance(ballot, Leading) or probe.ballot != ballot.ballot:
            return ()
        return (Send((source,), self._sign_of_life(ballot, now)),)

    def _sign_of_life(self, ballot: Leading, now: float) -> Heartbeat:
        sent, round_trip = int(now * 1e6), int(self.round_trip.mean * 1e6)
        marks = self.admission.marks()
        return Heartbeat(ballot.ballot, self.frontier, sent, round_trip, marks)

    def resign(self) -> Effects:
        """Stop leading in an orderly way: the others need not wait for silence."""
        ballot = self.proposer.state
        if not isinstance(ballot, Leading):
            return ()
        message = Resigned(ballot.ballot)
        effects = (Send(self.others(), message), *self.proposer.stop())
        self.why = "this node has resigned"
        return effects + self._stand_later(self.timing.suspicion)

    def _beat(self, now: float) -> Effects:
        """Say that this leader lives, as long as a quorum says that it hears."""
        state = self.state
        assert isinstance(state, Serving)
        ballot = self.proposer.state
        assert isinstance(ballot, Leading)
        recent = {n for n, at in state.contact.items() if now - at < self.timing.suspicion}
        if not self._is_quorum(recent | {self.proposer.name}):
            lost = QuorumLost(ballot.ballot, tuple(sorted(recent)))
            why = f"this node led, but only {len(recent)} of {len(state.contact)} others hear it"
            return (lost, Send(self.others(), Resigned(ballot.ballot)), *self._fail(why))
        if self._stands_still(state, ballot, now):
            return self._fail("this node led, but this ballot could decide nothing")
        others, sign = self.others(), self._sign_of_life(ballot, now)
        if self.grants.length:
            self.lease.send(ballot.ballot, sign.sent)
            granted = self.grants.grant(ballot.ballot, now)
            self.lease.on_granted(self.proposer.name, sign.sent, granted)
        effects: Effects = (Send(others, sign),) if others else ()
        return (*effects, *self._repeat(state, now), Wake(*(self.timing.heartbeat,) * 2))

    def _stands_still(self, state: Serving, ballot: Leading, now: float) -> bool:
        """Tell whether only a new ballot can decide what is open.

        Followers that answer heartbeats may have promised a higher ballot, of which nobody else
        heard; and the node that said that slots are learned may have forgotten them in a crash.
        A log that grows slowly is neither: a new ballot would not make its disks faster.
        """
        if self.frontier >= ballot.next_slot or self.frontier > state.frontier:
            state.moved = now
        helpless = bool(ballot.rejecting) or not ballot.in_flight
        return helpless and now - state.moved >= 2 * self.timing.suspicion

    def _repeat(self, state: Serving, now: float) -> Effects:
        """Send unanswered proposals again when the log has stood still for some round trips."""
        if self.frontier > state.frontier:
            state.frontier, state.progress = self.frontier, now
        if now - state.progress < max(self.timing.heartbeat, 4 * self.pace):
            return ()
        state.progress = now
        return self.proposer.repeat()

    # Time.

    def wake(self, now: float) -> Effects:
        """Do what is due in this state."""
        self._look(now)
        match self.state:
            case Following() as state:
                return self._mind_the_leader(state, now)
            case Waiting():
                return self.stand(now)
            case Polling() as state:
                return self._poll_again(state)
            case Campaigning() as state:
                return self._prepare_again(state)
            case Serving():
                return self._beat(now)

    def _look(self, now: float) -> None:
        """See whether this node itself was asleep: the silence since then is nobody's fault."""
        slept = self.awake.look(now)
        if slept:
            match self.state:
                case Following(detector=detector):
                    detector.excuse(slept)
                case Serving() as state:
                    state.excuse(slept)

    def _mind_the_leader(self, state: Following, now: float) -> Effects:
        """Probe the leader, as long as it is neither refused nor silent for too long."""
        detector, ballot = state.detector, state.ballot
        if state.doubted is not None and now >= state.doubted:
            return self._give_up(state, now)
        if not detector.suspects(now):
            # The ranks are staggered by less than a heartbeat: look again when it is time.
            left = detector.threshold - detector.silence(now)
            if state.doubted is not None:
                left = state.doubted - now
            pause = max(min(left, self.probing), 0.001)
            return (*self._probe(ballot), Wake(pause, pause))
        self.why = f"{ballot.node} led, and is silent"
        event = LeaderSuspected(ballot, detector.silence(now))
        return (event, *self._stand_in_turn(now))

    def _poll_again(self, state: Polling) -> Effects:
        if state.attempts == POLL_ATTEMPTS:
            answered = len(state.granted) + len(state.refused)
            if state.refused and answered >= self._needed():
                return self._fail(_refusal(state))
            return self._fail(
                f"only {answered} of {len(self._members())} members answer each other, "
                f"this one included; {self._needed()} are needed"
            )
        state.attempts += 1
        return self._ask(state)

    def _prepare_again(self, state: Campaigning) -> Effects:
        if state.attempts == POLL_ATTEMPTS:
            return self._fail("too few members promised in time")
        state.attempts += 1
        retry = self._retry_after(state.attempts)
        return (*self.proposer.repeat(), Wake(retry, 1.5 * retry))

    def _ask(self, state: Polling) -> Effects:
        """Ask everybody who has not agreed: a reason to refuse may have passed."""
        hesitant = [n for n in self.others() if n not in state.granted]
        retry = self._retry_after(state.attempts)
        poll = Poll(state.number, self.asked_at)
        return (Send(tuple(hesitant), poll), Wake(retry, 1.5 * retry))

    def _stand_in_turn(self, now: float) -> Effects:
        """Stand at once if this node is next behind the lost leader, else in the order of rank."""
        rank = self._rank()
        return self._stand_later(rank * self.stagger) if rank else self.stand(now)

    def _agree_after_all(self, now: float) -> Effects:
        """Tell who has learned of the leader's end a moment earlier, and was declined."""
        asked = self._asked_lately(now)
        return self.on_poll(*asked, now) if asked else ()

    def _probe(self, ballot: Ballot) -> Effects:
        return (Send((ballot.node,), Probe(ballot, answer=False)),)

    def _stand_later(
        self, earliest: float, latest: float | None = None, *, deferred: bool = False
    ) -> Effects:
        self.state = Waiting(deferred)
        return (Wake(earliest, 1.25 * earliest if latest is None else latest),)

    @property
    def pace(self) -> float:
        """The measured round trip in seconds, as far as pauses are scaled by it.

        A pause of a machine looks like a very long round trip; it must not slow the next
        elections down.
        """
        return min(self.round_trip.mean, self.timing.suspicion / 4)

    @property
    def probing(self) -> float:
        """Seconds between two probes of the leader: 10 ms, with the usual heartbeat."""
        return 0.4 * self.timing.heartbeat

    @property
    def grace(self) -> float:
        """Seconds within which a live leader answers, mostly."""
        return min(max(4 * self.pace, 0.1 * self.timing.heartbeat), 0.2 * self.timing.heartbeat)

    @property
    def stagger(self) -> float:
        """Seconds between one rank's candidacy and the next: enough to hear of the first."""
        return self.timing.heartbeat / 2 + 2 * self.pace

    def _retry_after(self, attempts: int) -> float:
        return max(4 * self.pace, self.timing.heartbeat / 2) * attempts

    # The members.

    def _members(self) -> tuple[str, ...]:
        return self.proposer.quorums.members(self.frontier)

    def others(self) -> tuple[str, ...]:
        """Return the members but for this node, by rank."""
        return tuple(node for node in self._members() if node != self.proposer.name)

    def _index(self) -> int:
        return self._members().index(self.proposer.name)

    def _rank(self) -> int:
        """Count the members that stand before this one: those next behind the lost leader."""
        members = self._members()
        if self.last_leader not in members:
            return self._index()
        return (self._index() - members.index(self.last_leader) - 1) % len(members)

    def _is_quorum(self, nodes: set[str]) -> bool:
        return self.proposer.quorums.is_prepare_quorum(self.frontier, nodes)

    def _needed(self) -> int:
        members = self._members()
        return next(n for n in range(len(members) + 1) if self._is_quorum(set(members[:n])))

    def advance(self, frontier: int) -> Effects:
        """Hear from this node's learner how far the log is learned."""
        self.frontier = max(self.frontier, frontier)
        return self.proposer.advance(frontier)


def _refusal(poll: Polling) -> str:
    """Say who refused, and why, as far as it is known here."""
    node, ballot = next(iter(poll.refused.items()))
    return f"{node} says that {ballot.node or 'another'} leads or stands"
