"""An election changes by a decree that may change it, and by no other."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from paxos.replicated.decrees import Decree
from paxos.replicated.election_decrees import (
    Campaign,
    Expire,
    HandOverAsked,
    LeaderChanged,
    Proclaim,
    Renewed,
    Resign,
    SessionEnded,
)
from paxos.replicated.state import Applied
from paxos.replicated.values import Leadership, Session
from paxos.testing.checkers.base import Checker, Violation


@define
class Decreed(Checker):
    """Looks in each slot of the longest log for the decree that explains a change."""

    _slots: int = 0
    _leaders: dict[str, Leadership | None] = field(factory=dict)
    _renewed: dict[str, set[tuple[int, int]]] = field(factory=dict)
    """By node, boot and number of the newest renewal, and of those in the slot looked at."""

    def applied(self, node: str, applied: Applied) -> None:
        """Look at every slot once."""
        if applied.slot < self._slots:
            return
        self._slots = applied.slot + 1
        if not applied.changes:
            return
        decrees = [(c.session, c.data) for c in applied.fresh if isinstance(c.data, Decree)]
        renewals = [change for change in applied.changes if isinstance(change, Renewed)]
        for each in renewals:  # where they stand among the other changes nobody tells
            known, renewal = self._renewed.setdefault(each.node, set()), (each.boot, each.renewal)
            if known and renewal <= max(known):
                raise Violation(f"renewal {each.renewal} of {each.node} comes after a newer one")
            known.add(renewal)
        for change in applied.changes:
            match change:
                case LeaderChanged():
                    self._change(change, decrees)
                case SessionEnded():
                    self._end(change, decrees)
                case HandOverAsked(name, epoch):
                    leader = self._leaders.get(name)
                    if leader is None or leader.epoch != epoch:
                        raise Violation(f"{name}: a hand-over in epoch {epoch} is not by {leader}")
        for each in renewals:
            self._renewed[each.node] = {max(self._renewed[each.node])}

    def _change(self, change: LeaderChanged, decrees: Sequence[tuple[Session, Decree]]) -> None:
        name, leadership = change.election, change.view.leadership
        before, self._leaders[name] = self._leaders.get(name), leadership
        if leadership is None:
            self._see_that_it_was_left(name, before, change.view.reason, decrees)
        elif leadership == before:
            if not any(
                isinstance(d, Proclaim)
                and (s.node, d.epoch, d.election) == (leadership.leader, leadership.epoch, name)
                for s, d in decrees
            ):
                raise Violation(f"{name}: not {leadership} has proclaimed its new value")
        elif before is not None:
            raise Violation(f"{name}: {leadership} was appointed while {before} led")
        elif leadership not in [decree for _, decree in decrees]:
            raise Violation(f"{name}: nobody appointed {leadership}")

    def _see_that_it_was_left(
        self,
        name: str,
        before: Leadership | None,
        reason: str,
        decrees: Sequence[tuple[Session, Decree]],
    ) -> None:
        if before is None:
            raise Violation(f"{name} has lost a leader, and had none")
        if reason == "resigned" and not any(
            isinstance(d, Resign | Campaign) and (s.node, d.election) == (before.leader, name)
            for s, d in decrees
        ):
            raise Violation(f"{name}: {before} has not resigned")

    def _end(self, ended: SessionEnded, decrees: Sequence[tuple[Session, Decree]]) -> None:
        """See that a session ends by a newer life, or by an expiry that rests on its newest."""
        newest = {Expire(ended.node, *renewal) for renewal in self._renewed.get(ended.node, ())}
        for session, decree in decrees:
            if session.node == ended.node and session.boot > ended.boot:
                return
            if isinstance(decree, Expire) and decree in newest and decree.boot == ended.boot:
                return
        raise Violation(f"the session {ended.boot} of {ended.node} was ended, and was renewed")
