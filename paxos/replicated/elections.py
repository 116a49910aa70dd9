"""Named elections: the part of the replicated state that knows who leads what, in which epoch.

It changes by decrees alone, so it is equal at equal position on every node. It has no clock: that
a lease has ended is decided in the log like everything else (see `paxos.replicated.leases`).
"""

from __future__ import annotations

from attrs import define, field, frozen

from paxos.replicated.decrees import Carried, Change, Ruling, Void
from paxos.replicated.election_decrees import (
    Campaign,
    ElectionDecree,
    ElectionView,
    Expire,
    HandOver,
    HandOverAsked,
    LeaderChanged,
    Proclaim,
    Renew,
    Renewed,
    Resign,
    SessionEnded,
    Vacant,
)
from paxos.replicated.values import Leadership, Session

MAX_ELECTIONS = 100_000
"""How many names may ever be used: an election is never forgotten, or its epochs would repeat."""

CARRIED = Carried()


@frozen
class Candidate:
    """A node on the roster of an election."""

    node: str
    priority: int
    order: int
    """Smaller for those who came first."""
    value: bytes


@define
class Election:
    """One election."""

    epoch: int = 0
    """How many leaderships it has had; the last one's number."""
    leader: str | None = None
    value: bytes = b""
    reason: str = "nobody has led yet"
    heir: str | None = None
    """The candidate who is to follow, whatever the priorities."""
    roster: dict[str, Candidate] = field(factory=dict)
    """By name, those who wait."""

    def queue(self) -> list[Candidate]:
        """Return who waits, in order: the heir, then the highest priority, then who came first."""
        heir = self.heir
        return sorted(self.roster.values(), key=lambda c: (c.node != heir, -c.priority, c.order))

    def view(self, name: str) -> ElectionView:
        """Return who leads; ``name`` is the election's."""
        if self.leader is None:
            return ElectionView(None, b"", self.reason)
        return ElectionView(Leadership(self.leader, self.epoch, name), self.value, "")


@define
class NodeSession:
    """What rests on the life of one node."""

    boot: int
    renewal: int = 0
    """The newest renewal."""
    lease: int = 0
    """For how long the node counts on a renewal, in microseconds."""
    held: set[str] = field(factory=set)
    """The elections in which it stands or leads."""
    terms: int = 0
    """How many of these it leads."""


@frozen
class ElectionsSnapshot:
    """All of `Elections`, as plain rows."""

    elections: tuple[
        tuple[str, int, str | None, bytes, str, str | None, tuple[Candidate, ...]], ...
    ] = ()
    """Name, epoch, leader, value, reason, heir and roster."""
    sessions: tuple[tuple[str, int, int, int], ...] = ()
    """Node, boot, renewal and lease."""
    campaigns: int = 0


@define
class Elections:
    """Every named election, and the sessions of the nodes in them."""

    by_name: dict[str, Election] = field(factory=dict)
    sessions: dict[str, NodeSession] = field(factory=dict)
    """By node; the newest life that took part in an election."""
    campaigns: int = 0
    """How many candidates ever came: gives them their order."""
    vacant: dict[str, None] = field(factory=dict)
    """Elections that have candidates and no leader."""

    def view(self, name: str) -> ElectionView:
        """Return who leads an election, which need not exist."""
        return (self.by_name.get(name) or Election()).view(name)

    def candidates(self, name: str) -> tuple[Candidate, ...]:
        """Return who waits to lead, the next one first."""
        return tuple((self.by_name.get(name) or Election()).queue())

    def snapshot(self) -> ElectionsSnapshot:
        """Return a copy that no later decree changes."""
        return ElectionsSnapshot(
            tuple(
                (name, e.epoch, e.leader, e.value, e.reason, e.heir, tuple(e.roster.values()))
                for name, e in sorted(self.by_name.items())
            ),
            tuple((node, s.boot, s.renewal, s.lease) for node, s in sorted(self.sessions.items())),
            self.campaigns,
        )

    @classmethod
    def restored(cls, snapshot: ElectionsSnapshot) -> Elections:
        """Return the elections of which this is a snapshot."""
        sessions = {row[0]: NodeSession(*row[1:]) for row in snapshot.sessions}
        elections = cls(sessions=sessions, campaigns=snapshot.campaigns)
        for name, epoch, leader, value, reason, heir, roster in snapshot.elections:
            waiting = {candidate.node: candidate for candidate in roster}
            election = Election(epoch, leader, value, reason, heir, waiting)
            elections.by_name[name] = election
            for node in (*election.roster, election.leader):
                if node is not None:
                    elections.sessions[node].held.add(name)
            if leader is not None:
                elections.sessions[leader].terms += 1
            elections._note_vacancy(name, election)
        return elections

    def apply(
        self, decree: ElectionDecree | Leadership, session: Session, changes: list[Change]
    ) -> Ruling:
        """Let a decree of this session take effect; add what it changes to ``changes``."""
        mine = self._session(session, changes)
        if mine is None:
            return Void("a newer life of the node takes part")
        match decree:
            case Leadership():
                return self._appoint(decree, changes)
            case Renew():
                self._renew(decree, session, mine, changes)
            case Campaign():
                return self._campaign(decree, session, mine, changes)
            case Resign(election=name):
                self._leave(session.node, name, "resigned", changes)
            case Proclaim():
                return self._proclaim(decree, session, changes)
            case HandOver():
                return self._hand_over(decree, changes)
            case Expire():
                return self._expire(decree, changes)
        return CARRIED

    def _session(self, session: Session, changes: list[Change]) -> NodeSession | None:
        """Return the session; a node's new life ends its former one."""
        node, boot = session
        known = self.sessions.get(node)
        if known is not None and known.boot > boot:
            return None
        if known is None or known.boot < boot:
            self._end(node, "restarted", changes)
            known = self.sessions[node] = NodeSession(boot)
        return known

    def _renew(
        self, decree: Renew | Campaign, session: Session, mine: NodeSession, changes: list[Change]
    ) -> None:
        if decree.renewal > mine.renewal:
            mine.renewal, mine.lease = decree.renewal, decree.lease
            changes.append(Renewed(session.node, session.boot, decree.renewal))

    def _campaign(
        self, decree: Campaign, session: Session, mine: NodeSession, changes: list[Change]
    ) -> Ruling:
        """Put a candidate on the roster; it may renew itself, but it never keeps its old epoch."""
        name, node = decree.election, session.node
        if name not in self.by_name and len(self.by_name) >= MAX_ELECTIONS:
            return Void(f"there are {MAX_ELECTIONS:,} elections already: use one of their names")
        self._renew(decree, session, mine, changes)
        self._leave(node, name, "resigned", changes)
        election = self.by_name.setdefault(name, Election())
        self.campaigns += 1
        election.roster[node] = Candidate(node, decree.priority, self.campaigns, decree.value)
        mine.held.add(name)
        self._note_vacancy(name, election)
        if election.leader is None:  # not every campaign renews: those sent together share one
            changes.append(Vacant(name))
        return CARRIED

    def _appoint(self, decree: Leadership, changes: list[Change]) -> Ruling:
        """One leader for each epoch, and epochs rise by one; any candidate will do.

        Which of them the log's leader says, since it sees which of them live.
        """
        name = decree.election
        election = self.by_name.get(name) or Election()
        if election.leader is not None or decree.epoch != election.epoch + 1:
            return Void(f"{name} is at epoch {election.epoch} already")
        next_ = election.roster.pop(decree.leader, None)
        if next_ is None:
            return Void(f"{decree.leader} is no candidate of {name}")
        election.epoch, election.leader, election.heir = decree.epoch, next_.node, None
        election.value, election.reason = next_.value, ""
        self.sessions[next_.node].terms += 1
        self._note_vacancy(name, election)
        changes.append(LeaderChanged(name, election.view(name)))
        return CARRIED

    def _proclaim(self, decree: Proclaim, session: Session, changes: list[Change]) -> Ruling:
        name = decree.election
        election = self.by_name.get(name) or Election()
        if election.leader != session.node or election.epoch != decree.epoch:
            return Void(f"{session.node} does not lead {name} in epoch {decree.epoch}")
        election.value = decree.value
        changes.append(LeaderChanged(name, election.view(name)))
        return CARRIED

    def _hand_over(self, decree: HandOver, changes: list[Change]) -> Ruling:
        """Ask the leader to make room. It ends its own term, after whatever it is doing."""
        name = decree.election
        election = self.by_name.get(name) or Election()
        if election.leader is None or election.epoch != decree.epoch:
            return Void(f"nobody leads {name} in epoch {decree.epoch} any more")
        if decree.to not in election.roster:
            there = ", ".join(election.roster) or "nobody"
            return Void(f"{decree.to} is no candidate of {name}; the candidates are: {there}")
        election.heir = decree.to
        changes.append(HandOverAsked(name, decree.epoch, decree.to))
        return CARRIED

    def _expire(self, decree: Expire, changes: list[Change]) -> Ruling:
        """End a session that was not renewed after the renewal on which the expiry rests."""
        theirs = self.sessions.get(decree.node)
        if theirs is None or (theirs.boot, theirs.renewal) != (decree.boot, decree.renewal):
            return Void(f"{decree.node} has renewed its session")
        self._end(decree.node, "expired", changes)
        return CARRIED

    def _end(self, node: str, reason: str, changes: list[Change]) -> None:
        """End all candidacies and the terms of a node."""
        session = self.sessions.get(node)
        if session is None or not session.held:
            return
        for name in sorted(session.held):
            self._leave(node, name, reason, changes)
        changes.append(SessionEnded(node, session.boot))

    def _leave(self, node: str, name: str, reason: str, changes: list[Change]) -> None:
        """End a candidacy or a term of a node, if it has one."""
        election = self.by_name.get(name)
        if election is None or name not in self.sessions[node].held:
            return
        self.sessions[node].held.remove(name)
        if election.leader == node:
            election.leader, election.value, election.reason = None, b"", reason
            self.sessions[node].terms -= 1
            changes.append(LeaderChanged(name, election.view(name)))
        else:
            del election.roster[node]
        self._note_vacancy(name, election)

    def _note_vacancy(self, name: str, election: Election) -> None:
        if election.leader is None and election.roster:
            self.vacant[name] = None
        else:
            self.vacant.pop(name, None)
