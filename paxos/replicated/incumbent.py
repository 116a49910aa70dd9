"""A candidate whose ballot is prepared: it leads as long as a quorum hears it."""

from __future__ import annotations

from attrs import define

from paxos.protocol.effects import Effects, Send, Wake
from paxos.protocol.proposer import Idle as NoBallot
from paxos.protocol.proposer import Leading
from paxos.replicated.candidacy_states import Campaigning, Serving
from paxos.replicated.candidate import Candidate
from paxos.replicated.events import QuorumLost
from paxos.replicated.messages import Heard, Probe, Resigned


@define
class Incumbent(Candidate):
    """Says that it leads, and looks after its ballot."""

    def _mind_the_ballot(self, effects: Effects, now: float) -> Effects:
        """Follow what became of the ballot."""
        match self.state, self.proposer.state:
            case Campaigning(), Leading():
                others = dict.fromkeys(self.others(), now)
                serving = self.state = Serving(others, now, self.frontier, now)
                self.failures, self.via, self.why = 0, None, ""
                self.last_leader = self.proposer.name
                return (*effects, *self._beat(serving, now))
            case ((Campaigning() | Serving()), NoBallot()):
                highest = self.proposer.highest
                return (*effects, *self._fail(f"{highest.node} began ballot {highest}"))
        return effects

    def on_heard(self, source: str, heard: Heard, now: float) -> Effects:
        """Note that a follower hears this leader, and how long the way to it and back is."""
        state = self.state
        if isinstance(state, Serving) and heard.ballot == self.proposer.state.ballot:  # type: ignore[union-attr]  # Serving goes with Leading
            state.hear(source, now)
            self.heartbeats.on_heard(source, heard, now)
        return ()

    def on_probe(self, source: str, probe: Probe, now: float) -> Effects:
        """Answer a follower that fears this leader is gone."""
        ballot = self.proposer.state
        if not isinstance(ballot, Leading) or probe.ballot != ballot.ballot:
            return ()
        sign = self.heartbeats.sign_of_life(ballot.ballot, self.frontier, now)
        return (Send((source,), sign),)

    def resign(self) -> Effects:
        """Stop leading in an orderly way: the others need not wait for silence."""
        ballot = self.proposer.state
        if not isinstance(ballot, Leading):
            return ()
        effects = (*self._say_farewell(ballot), *self.proposer.stop())
        self.why = "this node has resigned"
        return effects + self._stand_later(self.pace.timing.suspicion)

    def _say_farewell(self, ballot: Leading) -> Effects:
        """Tell the others that this ballot ends, and let this node's own grant end with it."""
        self.heartbeats.grants.end(ballot.ballot)
        return (Send(self.others(), Resigned(ballot.ballot)),)

    def _beat(self, state: Serving, now: float) -> Effects:
        """Say that this leader lives, as long as a quorum says that it hears."""
        ballot, others, suspicion = self.proposer.state, self.others(), self.pace.timing.suspicion
        assert isinstance(ballot, Leading)
        recent = state.recent = state.heard_by(now, suspicion)
        hearing = recent | {self.proposer.name}
        if not self._is_quorum(hearing):
            lost = QuorumLost(ballot.ballot, tuple(sorted(recent)))
            why = f"this node led, but only {len(recent)} of {len(state.contact)} others hear it"
            return (lost, *self._say_farewell(ballot), *self._fail(why))
        if not self._is_quorum(hearing - ballot.rejecting):
            # they confirm nothing either, so reads would wait until something is proposed
            why = "this node led, but too few of those who hear it vote for its ballot"
            return (*self._say_farewell(ballot), *self._fail(why))
        if state.is_stuck(ballot, self.frontier, now, 2 * suspicion):
            why = "this node led, but this ballot could decide nothing"
            return (*self._say_farewell(ballot), *self._fail(why))
        effects = self.heartbeats.beat(others, ballot.ballot, self.frontier, now)
        if state.shall_repeat(self.frontier, now, self.pace.standstill):
            effects += self.proposer.repeat()
        return (*effects, Wake(*(self.pace.timing.heartbeat,) * 2))
