"""Who stands for leader, and when (*Paxos Made Simple*, section 2.4).

Agreement never depends on this file: two proposers that both believe to lead can only slow each
other down. It serves progress. A leader is followed while its heartbeats come; when they cease, the
followers stand one after another, in the order of rank behind the lost leader; a candidate asks a
quorum whether it would be welcome before it spends a ballot, so a node that was merely cut off
deposes nobody; and whoever sees a rival's ballot under way lets it finish.

Three classes build on one another: a `Candidate` asks the others, and begins a ballot; an
`Incumbent` leads when that is prepared; a `Candidacy` follows another leader, and makes room for
other candidates.
"""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send, Wake
from paxos.protocol.messages import Message, Prepare, Promise, Rejected
from paxos.protocol.proposer import Leading, Preparing
from paxos.replicated.candidacy_states import (
    Campaigning,
    Following,
    Polling,
    Serving,
    Waiting,
)
from paxos.replicated.events import LeaderSuspected
from paxos.replicated.incumbent import Incumbent
from paxos.replicated.messages import (
    Heard,
    Heartbeat,
    Knock,
    Poll,
    Polled,
    Probe,
    Refused,
    Resigned,
)
from paxos.replicated.rivals import Rivals
from paxos.replicated.timing import FailureDetector, Wakefulness


@define
class Candidacy(Incumbent):
    """Decides when this node's proposer begins a ballot and when it gives one up."""

    awake: Wakefulness = field(init=False)
    rivals: Rivals = field(factory=Rivals)
    refused: Ballot = Ballot.ZERO
    """The ballot of whose leader a `Refused` was believed; that happens once."""

    def __attrs_post_init__(self) -> None:
        self.awake = Wakefulness(self.pace.timing)

    def start(self) -> Effects:
        """Stand in the order of rank, unless a leader is heard first."""
        granted = self.heartbeats.grants.length
        return self._stand_later(granted + self._rank() * self.pace.stagger)

    def admit(self) -> Effects:
        """Stand in the order of rank, now that this node may, unless a leader is heard."""
        return () if isinstance(self.state, Following) else self.start()

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
                return self.on_prepare(source, message)
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
            case Serving() as state:
                return self._beat(state, now)

    def _look(self, now: float) -> None:
        """See whether this node itself was asleep: the silence since then is nobody's fault."""
        slept = self.awake.look(now)
        if slept:
            match self.state:
                case Following(detector=detector):
                    detector.excuse(slept)
                case Serving() as state:
                    state.excuse(slept)

    # The followers' side.

    def on_heartbeat(self, source: str, beat: Heartbeat, now: float) -> Effects:
        """Follow the leader of the highest live ballot."""
        proposer, state = self.proposer, self.state
        proposer.highest = max(proposer.highest, beat.ballot)
        if not self.heartbeats.is_news(beat):
            return ()
        if isinstance(proposer.state, Preparing | Leading) and proposer.state.ballot >= beat.ballot:
            return ()
        if isinstance(state, Following) and beat.ballot < state.ballot:
            return ()
        effects: Effects = ()
        if not self.disabled:  # a leader counts on those who hear it, and this node cannot vote
            effects = self.heartbeats.answer(source, beat, self.frontier, now)
        if isinstance(state, Following) and beat.ballot == state.ballot:
            state.hear(now)
            return effects
        if beat.round_trip:
            self.pace.round_trip.mean = beat.round_trip / 1e6
        lost = proposer.stop(beat.ballot)
        self.state = Following(beat.ballot, FailureDetector(self.pace.timing, now))
        self.rivals.forget()
        self.failures, self.last_leader, self.via, self.why = 0, beat.ballot.node, None, ""
        return (*effects, *lost, Wake(*(self.pace.knocking,) * 2))

    def on_resigned(self, source: str, message: Resigned, now: float) -> Effects:
        """Stand at once, in the order of rank: there is no silence to wait for."""
        if source == message.ballot.node:
            self.heartbeats.grants.end(message.ballot)
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
        if self._asked_lately(now):
            return self._give_up(state, now)
        grace = self.pace.grace
        state.doubted = now + grace
        return (Send((source,), Probe(state.ballot)), Wake(grace, grace))

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

    def _mind_the_leader(self, state: Following, now: float) -> Effects:
        """Knock at the leader's, as long as it is neither refused nor silent for too long."""
        detector, ballot = state.detector, state.ballot
        if state.doubted is not None and now >= state.doubted:
            return self._give_up(state, now)
        if not detector.suspects(now):
            # The ranks are staggered by less than a heartbeat: look again when it is time.
            pause = max(min(state.left(now), self.pace.knocking), 0.001)
            return (Send((ballot.node,), Knock()), Wake(pause, pause))
        self.why = f"{ballot.node} led, and is silent"
        event = LeaderSuspected(ballot, detector.silence(now))
        return (event, *self._stand_in_turn(now))

    # Beside other candidates.

    def on_poll(self, source: str, poll: Poll, now: float) -> Effects:
        """Encourage a candidate, unless a leader is heard or another candidate goes first."""
        if self.disabled and not isinstance(self.state, Following):
            return ()  # it could neither promise anything nor tell of a leader
        effects: Effects = ()
        if isinstance(self.state, Following) and self.state.doubted is not None:
            effects = self._lose(self.state, now)
        granted = self._welcomes(source, now)
        if granted:
            stagger = self.pace.stagger
            self.rivals.favour(source, now + stagger)
            if isinstance(self.state, Waiting) and not self.state.deferred:
                effects += self._stand_later(stagger * (1 + self._rank()), deferred=True)
        elif isinstance(self.state, Following):
            self.rivals.declined = source, poll, now
            # see at once whether the other is right
            effects = (Send((self.state.ballot.node,), Knock()),)
        state = self.state
        live = state.ballot if isinstance(state, Following) else self.proposer.highest
        reply = Polled(poll.number, poll.sent, granted, live, self.frontier)
        return (Send((source,), reply), *effects)

    def _welcomes(self, source: str, now: float) -> bool:
        """Tell whether a candidacy of ``source`` would be of use.

        Half the usual patience is enough to agree with somebody who lost his: the two clocks that
        measure the silence started at slightly different times.
        """
        if self.disabled or self.rivals.must_wait(source, now):
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

    def on_prepare(self, source: str, prepare: Prepare) -> Effects:
        """Defer to a rival's live ballot: give it the time in which a leader would be suspected."""
        self.rivals.on_ballot(source)
        effects = self.proposer.handle(source, prepare)
        if source == self.proposer.name or prepare.ballot < self.proposer.highest:
            return effects
        if isinstance(self.state, Waiting | Polling):
            self.why = f"{source} is a candidate"
            effects += self._stand_later(self.pace.timing.suspicion)
        return effects

    def _asked_lately(self, now: float) -> tuple[str, Poll] | None:
        return self.rivals.declined_within(self.pace.timing.suspicion, now)

    def _agree_after_all(self, now: float) -> Effects:
        """Tell who has learned of the leader's end a moment earlier, and was declined."""
        asked = self._asked_lately(now)
        return self.on_poll(*asked, now) if asked else ()
