"""Leaders and acceptors with leases for reads, on virtual time, with nothing else around them.

That makes room for what leases fear: clocks at both ends of the allowed drift, answers that come
late, machines that are suspended between any two steps, restarts, and candidates that ask nobody
before they stand. What happens depends on the seed alone.
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from random import Random

from attrs import Factory, define, field

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send
from paxos.protocol.messages import Message, Prepare, Promise, Rejected
from paxos.protocol.proposer import Leading, Preparing, Proposer
from paxos.protocol.quorums import Majority
from paxos.replicated.admission import Mark
from paxos.replicated.messages import Heard, Heartbeat, Resigned
from paxos.replicated.read_leases import Grants, ReadLease

LENGTH = 1.0
DRIFT = 0.05


@define
class Seat:
    """One life of one node."""

    name: str
    rate: float
    acceptor: Acceptor
    proposer: Proposer
    grants: Grants
    lease: ReadLease
    suspended: float = 0.0
    """Until when its machine is suspended, in true time."""
    slept: float = 0.0
    """For how long it has been, so far or once it wakes up."""
    heard: float = 0.0
    """When it last heard a leader, by its monotonic clock."""
    cut: float = 0.0
    """Until when nothing is carried that it sends or that is sent to it, in true time."""

    @property
    def leading(self) -> Ballot | None:
        """The ballot at which it believes to lead."""
        state = self.proposer.state
        return state.ballot if isinstance(state, Leading) else None


@define
class ReadLeaseCluster:
    """Some nodes that all want to lead.

    Raises:
        AssertionError: From `step`, if a lease holds though a higher ballot has completed phase 1.

    """

    seed: int
    nodes: int = 3
    drift: float = DRIFT
    """By how much rates really differ from true time, at most."""
    counts: Counter[str] = Factory(Counter)
    now: float = 0.0
    """True time."""
    highest: Ballot = Ballot.ZERO
    """The highest ballot that has completed phase 1."""
    random: Random = field(init=False)
    quorums: Majority = field(init=False)
    patience: float = field(init=False)
    """After so many seconds of silence a node stands; it may have to wait for the grants to end."""
    seats: dict[str, Seat] = Factory(dict)
    _coming: list[tuple[float, int, str, str, Message]] = Factory(list)
    _sent: int = 0

    def __attrs_post_init__(self) -> None:
        """Start every node."""
        self.random = Random(self.seed)  # noqa: S311 - reproducible on purpose
        self.quorums = Majority(tuple("abcde"[: self.nodes]))
        self.patience = LENGTH * self.random.choice((0.7, 0.95, 1.0, 1.05))
        for name in self.quorums.nodes:
            rate = 1 + self.drift * self.random.choice((-0.99, 0.99))
            self._start(name, rate, Acceptor(), Ballot.ZERO)

    def monotonic(self, seat: Seat) -> float:
        """Return what a clock shows that stands still while the machine is suspended."""
        return seat.rate * (max(self.now, seat.suspended) - seat.slept)

    def clock(self, seat: Seat) -> float:
        """Return what a clock shows that goes on meanwhile."""
        return seat.rate * self.now

    def holds(self, seat: Seat) -> bool:
        """Tell whether a node may rely on its lease."""
        ballot = seat.leading
        return ballot is not None and seat.lease.holds(ballot, self.quorums, 0)

    def step(self) -> None:
        """Let a little time pass; some messages arrive, and one node does something."""
        self.now += self.random.expovariate(200 / LENGTH)
        while self._coming and self._coming[0][0] <= self.now:
            _, _, source, target, message = heappop(self._coming)
            self._receive(self._awake(target), source, message)
        seat = self.random.choice(list(self.seats.values()))
        if self._awake(seat.name) is not None:
            self._act(seat)
        self._check()

    def _awake(self, name: str) -> Seat | None:
        seat = self.seats[name]
        if seat.suspended and seat.suspended <= self.now:
            seat.suspended = 0.0
        return None if seat.suspended else seat

    def _start(self, name: str, rate: float, acceptor: Acceptor, begun: Ballot) -> None:
        """Begin a life with what is on the disk: promises, and the ballots that were begun."""
        proposer = Proposer(name, self.quorums, highest=begun)
        grants = Grants(LENGTH, lambda: acceptor.promised)
        lease = ReadLease(LENGTH, DRIFT, lambda: self.clock(seat))
        self.seats[name] = seat = Seat(name, rate, acceptor, proposer, grants, lease)
        grants.start(self.monotonic(seat))

    def _act(self, seat: Seat) -> None:
        dice = self.random.random()
        if dice < 0.3:
            if seat.leading is None:
                self._stand(seat)
            elif dice < 0.15:
                self._beat(seat, seat.leading)
        elif dice < 0.302:
            self.counts["suspensions"] += 1
            length = self.random.choice((0.1, 0.5, 2.0)) * LENGTH
            # its slept time is counted at once, for until it wakes up its clock stands still
            seat.suspended = self.now + length
            seat.slept += length
        elif dice < 0.304:
            self.counts["restarts"] += 1
            self._start(seat.name, seat.rate, seat.acceptor, seat.proposer.highest)
        elif dice < 0.309:
            self.counts["cuts"] += 1
            seat.cut = self.now + self.random.choice((0.5, 1.0, 3.0)) * LENGTH
        elif dice < 0.31 and seat.leading is not None:
            self._send(seat.name, self.quorums.nodes, Resigned(seat.leading))
            seat.proposer.stop()

    def _stand(self, seat: Seat) -> None:
        """Begin a ballot because no leader is heard, now and then for no reason; or repeat it."""
        if isinstance(seat.proposer.state, Preparing) and self.random.random() < 0.9:
            self._carry_out(seat, seat.proposer.repeat())
        elif self.monotonic(seat) - seat.heard >= self.patience or self.random.random() < 0.0005:
            seat.heard = self.monotonic(seat)
            seat.proposer.stop()
            self._carry_out(seat, seat.proposer.prepare(0))

    def _beat(self, seat: Seat, ballot: Ballot) -> None:
        sent = int(self.monotonic(seat) * 1e6)
        seat.lease.send(ballot, sent)
        granted = seat.grants.grant(ballot, self.monotonic(seat))
        seat.lease.on_granted(seat.name, sent, granted)
        others = tuple(node for node in self.quorums.nodes if node != seat.name)
        self._send(seat.name, others, Heartbeat(ballot, 0, sent, 0, ()))

    def _send(self, source: str, targets: tuple[str, ...], message: Message) -> None:
        for target in targets:
            delay = self.random.choice((0.001, 0.001, 0.01, 0.1, 0.8)) * self.random.random()
            cut = max(self.seats[source].cut, self.seats[target].cut)
            if target == source or (self.now >= cut and self.random.random() > 0.05):
                self._sent += 1
                at = self.now + delay * LENGTH
                heappush(self._coming, (at, self._sent, source, target, message))

    def _carry_out(self, seat: Seat, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._send(seat.name, effect.targets, effect.message)

    def _receive(self, seat: Seat | None, source: str, message: Message) -> None:
        if seat is None:
            return  # lost; all is repeated
        match message:
            case Heartbeat(ballot=ballot):
                granted = seat.grants.grant(ballot, self.monotonic(seat))
                mark = Mark(seat.name, 1, 1)
                self._send(seat.name, (source,), Heard(ballot, 0, message.sent, mark, granted))
                if ballot >= seat.proposer.highest:
                    seat.heard = self.monotonic(seat)
                    if ballot > (seat.leading or Ballot.ZERO):
                        seat.proposer.stop(ballot)
            case Heard(ballot=ballot):
                if ballot == seat.leading:
                    seat.lease.on_granted(source, message.sent, message.lease)
            case Resigned(ballot=ballot):
                seat.grants.end(ballot)
            case Prepare(ballot=ballot):
                if seat.grants.hold_back(ballot, self.monotonic(seat)):
                    self.counts["held back"] += 1
                else:
                    self._carry_out(seat, seat.acceptor.handle(source, message))
            case Promise() | Rejected():
                self._carry_out(seat, seat.proposer.handle(source, message))
        self.highest = max(self.highest, seat.leading or Ballot.ZERO)

    def _check(self) -> None:
        """See that no lease holds of a ballot above which another has completed phase 1."""
        for seat in self.seats.values():
            if not self.holds(seat):
                self.counts["without"] += seat.leading is not None
                continue
            self.counts["held"] += 1
            assert seat.leading == self.highest, f"{seat.name} relies on {seat.leading}"
