"""The states of a candidacy; each owns what only it needs."""

from __future__ import annotations

from typing import TypeAlias

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.proposer import Leading
from paxos.replicated.timing import FailureDetector


@define
class Following:
    """A live leader is known: its heartbeats arrive."""

    ballot: Ballot
    detector: FailureDetector
    doubted: float | None = None
    """When the leader is given up unless it is heard, since a `Refused` came; else None."""

    def hear(self, now: float) -> None:
        """Note a sign of life of the leader."""
        self.detector.arrive(now)
        self.doubted = None

    def left(self, now: float) -> float:
        """Return in how many seconds the leader is given up, unless it is heard."""
        if self.doubted is not None:
            return self.doubted - now
        return self.detector.threshold - self.detector.silence(now)


@define
class Waiting:
    """No live leader is known; this node stands when its alarm rings."""

    deferred: bool = False
    """Whether it has already made room for a rival that asked first."""
    declined: Polling | None = None
    """The poll that was just refused. Who has heard of the leader's end a moment later than this
    node agrees after all, and then there is nothing to wait for."""


@define
class Polling:
    """Asking the others whether a candidacy would be welcome."""

    number: int
    granted: set[str]
    refused: dict[str, Ballot] = field(factory=dict)
    """By node, the ballot that it takes for the live one."""
    attempts: int = 1

    def refusal(self) -> str:
        """Say who refused, and why, as far as it is known here."""
        node, ballot = next(iter(self.refused.items()))
        return f"{node} says that {ballot.node or 'another'} leads or stands"


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
    recent: set[str] = field(factory=set)
    """Who had answered lately when the last heartbeat was sent."""

    def hear(self, source: str, now: float) -> None:
        """Note that a follower has answered."""
        self.contact[source] = now
        self.excused = False

    def excuse(self, slept: float) -> None:
        """Do not count the time in which this node itself slept; only once in one silence."""
        if not self.excused:
            self.contact = {node: at + slept for node, at in self.contact.items()}
            self.moved += slept
            self.excused = True

    def heard_by(self, now: float, within: float) -> set[str]:
        """Return the followers that have answered within so many seconds."""
        return {node for node, at in self.contact.items() if now - at < within}

    def is_stuck(self, ballot: Leading, frontier: int, now: float, patience: float) -> bool:
        """Tell whether only a new ballot can decide what is open.

        Followers that answer heartbeats may have promised a higher ballot, of which nobody else
        heard; and the node that said that slots are learned may have forgotten them in a crash.
        A log that grows slowly is neither: a new ballot would not make its disks faster.
        """
        if frontier >= ballot.next_slot or frontier > self.frontier:
            self.moved = now
        helpless = bool(ballot.rejecting) or self.frontier not in ballot.in_flight
        return helpless and now - self.moved >= patience

    def shall_repeat(self, frontier: int, now: float, standstill: float) -> bool:
        """Tell whether the log has stood still for so long that proposals are sent again."""
        if frontier > self.frontier:
            self.frontier, self.progress = frontier, now
        if now - self.progress < standstill:
            return False
        self.progress = now
        return True


State: TypeAlias = Following | Waiting | Polling | Campaigning | Serving
