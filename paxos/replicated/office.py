"""What a node does for named elections, beside applying their decrees: without Trio or a clock.

It stands and leads for its own application, and keeps its session alive meanwhile; and while the
node leads the log, it expires the sessions of others and appoints whom the roster says. Each of its
decrees in one election is decided before it proposes the next, so they cannot overtake each other.

``now`` is always the node's own clock in seconds, one that does not stand still while the machine
is suspended.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from attrs import define, field

from paxos.protocol.effects import Effect, Effects, Wake
from paxos.replicated.decrees import Change, Decree, Ruling, Void
from paxos.replicated.election_decrees import (
    Campaign,
    Expire,
    HandOverAsked,
    LeaderChanged,
    Renew,
    Renewed,
    Resign,
    SessionEnded,
)
from paxos.replicated.elections import Election, Elections
from paxos.replicated.leases import Lease, Vigil
from paxos.replicated.standing import Decide, Loss, Lost, Out, Standing, Won
from paxos.replicated.state import ReplicatedState
from paxos.replicated.timing import Timing
from paxos.replicated.values import Leadership, Session

SPREAD = 1 << 20
"""How far above an outlived session the next may be: as far as this node's boot is above a multiple
of this. That is left to microseconds, and to the chance that is in each boot, so two lives of a
node hardly ever put the same one after it."""

SOON = 0.0002
"""No alarm is set for less, in seconds: where a clock is coarse, it would ring without end."""


class Log(Protocol):
    """What an office asks the proposer of its node."""

    @property
    def serving(self) -> bool:
        """Whether this node leads the log: it expires and appoints."""
        ...

    def live_leader(self) -> str | None:
        """Return who leads the log, as far as this node knows."""
        ...

    def hears(self, node: str) -> bool:
        """Tell whether a member has answered lately, where this node leads the log."""
        ...


@define
class Office:
    """A node's affairs in named elections.

    Each method returns what is to be done; it ends with a `Wake` where there is anything to wait
    for, which replaces the one before.
    """

    session: Session
    state: ReplicatedState
    log: Log
    timing: Timing
    standings: dict[str, Standing] = field(factory=dict)
    """By election, where this node takes part, or has not yet left."""
    disabled: bool = False
    """Whether it may renew nothing any more, because its journal cannot be relied upon."""
    tended: float = -math.inf
    """When this node last looked after its affairs."""
    lease: Lease = field(init=False)
    vigil: Vigil = field(init=False)
    _seen: Elections | None = None
    """The state's elections at the last look; a snapshot puts others in their place."""
    _presiding: bool = False
    _announced: bool = False
    _retry: set[str] = field(factory=set)
    """Elections of which only the state can tell what became of the last decree."""
    _appointing: dict[str, Leadership] = field(factory=dict)
    _expiring: set[Expire] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.lease, self.vigil = Lease(self.timing), Vigil(self.timing)

    @property
    def _elections(self) -> Elections:
        return self.state.elections

    # The session.

    @property
    def outlived(self) -> bool:
        """Whether the log knows a later session of this node: nothing of this one takes effect.

        Boots of a node rise. But one whose journal was lost takes its boot from a clock, which may
        be wrong.
        """
        return self.state.sessions.boot(self.session.node) > self.session.boot

    def current_session(self) -> Session:
        """Return the session of what this node sends next: a later one where it is outlived.

        The first decree of that ends the terms of the former one, so their bodies end before.
        """
        node, boot = self.session
        last = self.state.sessions.boot(node)
        if last > boot and not any(each.working for each in self.standings.values()):
            self.session = Session(node, last + 1 + boot % SPREAD)
            self._announced = False
        return self.session

    def _outlive(self) -> Effects:
        """Give up every term when this session is outlived: its successor may end it any moment."""
        if not self.outlived:
            return ()
        leading = [name for name, standing in self.standings.items() if standing.leading]
        return tuple(effect for name in leading for effect in self._lose(name, Loss.EXPIRED))

    # For the application.

    def stand(self, name: str, priority: int, value: bytes, now: float) -> Effects:
        """Become a candidate; the node must have no part in this election."""
        assert name not in self.standings
        self.standings[name] = Standing(priority, value)
        return (*self._enter(name, now), *self.wake(now))

    def leave(self, name: str, now: float) -> Effects:
        """Leave an election, after everything that its term protects has stopped."""
        self.standings[name].wanted = False
        return self._settle(name, now)

    def holds(self, name: str, now: float) -> bool:
        """Tell whether this node may believe that it leads."""
        standing = self.standings.get(name)
        return standing is not None and standing.leading and now < self.lease.until

    def loss(self, name: str, epoch: int, now: float) -> Loss | None:
        """Return why a term that was won is over; None while it lasts. Other threads may ask, too.

        So what is lost is noted before the lease is prolonged, and looked at after it.
        """
        if now >= self.lease.until:
            return self.lapse(now)
        standing = self.standings.get(name)
        if standing is None or standing.epoch != epoch or not standing.wanted:
            return Loss.RESIGNED
        return standing.lost

    # What the log says.

    def applied(
        self,
        changes: Iterable[Change],
        rulings: Iterable[tuple[Decree, Ruling | None]],
        now: float,
    ) -> Effects:
        """Hear what a slot changed, and what became of this node's decrees in it.

        ``now`` was read after the slot was applied. A ruling is None where only the state can tell.
        """
        changes = tuple(changes)
        # What has once lapsed is not renewed, nor what was lost in the same slot: see `loss`.
        ended = [change.election for change in changes if isinstance(change, LeaderChanged)]
        effects: list[Effect] = [*self._lapse(now), *self._forfeit(ended), *self._jump(now)]
        for change in changes:
            if isinstance(change, Renewed) and (change.node, change.boot) == self.session:
                self.lease.chosen(change.renewal)
        for decree, ruling in rulings:
            effects += self._ruled(decree, ruling, now)
        for change in changes:
            match change:
                case LeaderChanged(election=name):
                    effects += self._settle(name, now)
                case HandOverAsked(election=name):
                    effects += self._settle(name, now)
                case SessionEnded(node=node) if node == self.session.node:
                    effects += self._settle_all(now)
        return (*effects, *self.wake(now))

    @property
    def moved(self) -> bool:
        """Whether the log's leader has changed, or the state has jumped, since it last looked."""
        return self._seen is not self._elections or self.log.serving != self._presiding

    def turned(self, now: float) -> Effects:
        """Hear that the log's leader may have changed, or that the state has jumped."""
        return self.wake(now) if self.moved else ()

    def _jump(self, now: float) -> Effects:
        """Compare all affairs with a state that did not come of the slots that were heard of."""
        if self._seen is self._elections:
            return ()
        self._seen = self._elections
        forfeit = self._forfeit(self.standings)
        mine = self._elections.sessions.get(self.session.node)
        if mine is not None and mine.boot == self.session.boot:
            self.lease.chosen(mine.renewal)
            self.lease.renewals = max(self.lease.renewals, mine.renewal)
        return (*forfeit, *self._settle_all(now))

    def _ruled(self, decree: Decree, ruling: Ruling | None, now: float) -> Effects:
        match decree:
            case Leadership(election=name):
                self._appointing.pop(name, None)
            case Expire():
                self._expiring.discard(decree)
            case Campaign(election=name) if isinstance(ruling, Void):
                del self.standings[name]
                return (Out(name, ruling.why),)
            case Campaign(election=name) | Resign(election=name):
                if ruling is None:  # not at once: what is refused would be proposed without end
                    self._retry.add(name)
                    return ()
                self.standings[name].undecided = False
                return self._settle(name, now)
        return ()

    # What time says.

    def wake(self, now: float) -> Effects:
        """Do what is due: renew, or give up what could not be renewed; expire and appoint."""
        elections = self._elections
        self.vigil.look(elections.sessions, now)
        effects = [*self._lapse(now), *self._jump(now), *self._outlive(), *self._renew(now)]
        due = self._due()
        presided, self._presiding = self._presiding, self.log.serving
        if self._presiding:
            if not presided:
                self.vigil.since = now
            effects += self._preside(now)
            due = min(due, self.vigil.next(elections.sessions, now))
        self.tended = now
        if due < math.inf:
            effects.append(Wake(*(max(due - now, SOON),) * 2))
        return tuple(effects)

    def lapse(self, now: float) -> Loss:
        """Return why the lease has ended, if it ends ``now``."""
        if now - self.tended > self.timing.lease / 2:
            return Loss.STALLED
        unable = self.disabled or self.log.live_leader() is None
        return Loss.DISCONNECTED if unable else Loss.EXPIRED

    def _lapse(self, now: float) -> Effects:
        """Give up every term when the lease has ended: others may be appointed any moment."""
        if now < self.lease.until:
            return ()
        loss = self.lapse(now)
        leading = [name for name, standing in self.standings.items() if standing.leading]
        return tuple(effect for name in leading for effect in self._lose(name, loss))

    def _renew(self, now: float) -> Effects:
        """Renew the session while anything rests on it; end the one of a former life."""
        mine = self._elections.sessions.get(self.session.node)
        if mine is not None and mine.boot < self.session.boot and mine.held:
            due, self._announced = not self._announced, True
        else:
            due = bool(self.standings) and now >= self.lease.due
        if not due or self.disabled:
            return ()
        effects: list[Effect] = [Decide(Renew(self.lease.send(now), self.lease.microseconds))]
        for name in sorted(self._retry):
            self.standings[name].undecided = False
            effects += self._settle(name, now)
        self._retry.clear()
        return tuple(effects)

    def _due(self) -> float:
        leading = any(standing.leading for standing in self.standings.values())
        until = self.lease.until if leading else math.inf
        return min(until, self.lease.due) if self.standings and not self.disabled else until

    def _preside(self, now: float) -> Effects:
        """As the leader of the log: expire who did not renew, and appoint who is next."""
        elections, effects = self._elections, list[Effect]()
        for expire in self.vigil.expired(elections.sessions, now):
            if expire not in self._expiring:
                self._expiring.add(expire)
                effects.append(Decide(expire))
        for name in elections.vacant:
            election = elections.by_name[name]
            next_ = None if name in self._appointing else self._next(election, now)
            if next_ is not None:
                self._appointing[name] = Leadership(next_, election.epoch + 1, name)
                effects.append(Decide(self._appointing[name]))
        return tuple(effects)

    def _next(self, election: Election, now: float) -> str | None:
        """Return the first candidate that lives, as far as anybody can tell; None if none does.

        Whoever were appointed and does not live would have to expire before the next one. Who has
        renewed its session, but answers this node no more, is only taken where no other is there.
        """
        sessions = self._elections.sessions
        lively = [
            candidate.node
            for candidate in election.queue()
            if self.vigil.lively(candidate.node, sessions[candidate.node], now)
        ]
        return next((node for node in lively if self.log.hears(node)), next(iter(lively), None))

    # One election.

    def _enter(self, name: str, now: float) -> Effects:
        standing = self.standings[name]
        standing.undecided = True
        renewal, lease = self.lease.send(now), self.lease.microseconds
        return (Decide(Campaign(renewal, lease, name, standing.priority, standing.value)),)

    def _settle_all(self, now: float) -> Effects:
        return tuple(effect for name in list(self.standings) for effect in self._settle(name, now))

    def _settle(self, name: str, now: float) -> Effects:
        """Do what follows from what is wanted in an election, and from what the log says of it."""
        standing = self.standings.get(name)
        if standing is None or standing.undecided:
            return ()
        epoch, waiting = self._place(name)
        if not standing.wanted:
            if waiting or epoch is not None:
                standing.undecided = True
                return (Decide(Resign(name)),)
            del self.standings[name]
            return (Out(name),)
        if standing.epoch is not None:  # the application has yet to end its work
            asked = epoch is not None and self._elections.by_name[name].heir is not None
            return self._lose(name, Loss.DEPOSED) if asked else ()  # maybe where the state jumped
        if epoch is not None and now < self.lease.until:
            standing.epoch = epoch
            return (Won(name, epoch),)
        return () if waiting or self.disabled else self._enter(name, now)

    def _place(self, name: str) -> tuple[int | None, bool]:
        """Return what the log says of this node: the epoch in which it leads; whether it waits."""
        election = self._elections.by_name.get(name)
        session = self._elections.sessions.get(self.session.node)
        if election is None or session is None or session.boot != self.session.boot:
            return None, False
        epoch = election.epoch if election.leader == self.session.node else None
        return epoch, self.session.node in election.roster

    def _forfeit(self, names: Iterable[str]) -> Effects:
        """Give up the terms that the log has ended."""
        effects = list[Effect]()
        for name in names:
            standing = self.standings.get(name)
            if standing is not None and standing.leading and standing.epoch != self._place(name)[0]:
                effects += self._lose(name, Loss.EXPIRED)
        return tuple(effects)

    def _lose(self, name: str, loss: Loss) -> Effects:
        standing = self.standings[name]
        if standing.lost is not None:
            return ()
        standing.lost = loss
        return (Lost(name, loss),)
