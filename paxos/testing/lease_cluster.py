"""Offices of several nodes on a log that is simply there, on virtual time.

Paxos is left out: a decree is chosen after a while, and every node applies the log at its own pace.
That makes room for what leases fear: clocks at both ends of the allowed drift, decrees that are
chosen late and out of order, nodes that lag, several that believe to lead the log, nodes that are
paused between any two steps, and restarts. What happens depends on the seed alone.
"""

from __future__ import annotations

import math
from collections import Counter
from heapq import heappop, heappush
from random import Random

from attrs import Factory, define, field

from paxos.protocol.effects import Effects, Wake
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.election_decrees import HandOver, LeaderChanged, Renew
from paxos.replicated.office import Office
from paxos.replicated.standing import Decide, Loss, Lost, Out, Won
from paxos.replicated.state import Applied, ReplicatedState
from paxos.replicated.values import Batch, Command, Leadership, Session
from paxos.testing.lease_seats import NoMachine, Patience, Presidency, Seat

ELECTIONS = ("blue", "red")

NOBODY = ""


@define
class LeaseCluster:
    """Some nodes that stand in some elections.

    Raises:
        AssertionError: From `step`, if somebody believes to lead who does not, by the whole log, or
            an epoch is not new.

    """

    seed: int
    nodes: int = 3
    drift: float | None = None
    """By how much rates really differ from true time; within the bound if it is not given."""
    pace: float = 200.0
    """How many steps there are in a lease."""
    counts: Counter[str] = Factory(Counter)
    now: float = 0.0
    """True time."""
    random: Random = field(init=False)
    timing: Patience = Factory(Patience)
    log: list[Command] = Factory(list)
    truth: ReplicatedState = Factory(lambda: ReplicatedState(NoMachine()))
    """To which every command is applied as soon as it is chosen."""
    epochs: dict[str, Leadership] = Factory(dict)
    newest: dict[str, int] = Factory(dict)
    """By election, the newest epoch that the guarded resource has served."""
    seats: dict[str, Seat] = Factory(dict)
    _coming: list[tuple[float, int, Command]] = Factory(list)
    _sent: int = 0

    def __attrs_post_init__(self) -> None:
        """Start every node."""
        self.random = Random(self.seed)  # noqa: S311 - reproducible on purpose
        for name in "abcde"[: self.nodes]:
            self._start(name, 1)

    def step(self, until: float = math.inf) -> None:
        """Let a little time pass, and one node do something unless it is ``until`` then."""
        self.now = min(until, self.now + self.random.expovariate(self.pace / self.timing.lease))
        while self._coming and self._coming[0][0] <= self.now:
            self._choose(heappop(self._coming)[2])
        seat = self.random.choice(list(self.seats.values()))
        if self.now < until and seat.paused <= self.now:
            self._act(seat)
        self._check()

    def _act(self, seat: Seat) -> None:
        dice, lease = self.random.random(), self.timing.lease
        if seat.alarm is not None and seat.alarm <= seat.rate * self.now:
            seat.alarm = None
            self._carry_out(seat, seat.office.wake(self.clock(seat)))
        elif dice < 0.5:
            if self.random.random() * seat.lag < 0.01:
                self._apply(seat, self.random.choice((1, 1, 3, 100)))
        elif dice < 0.8:
            self._campaign(seat, self.random.choice(ELECTIONS))
        elif dice < 0.85:
            seat.presidency.serving = not seat.presidency.serving
            self._carry_out(seat, seat.office.turned(self.clock(seat)))
        elif dice < 0.88:
            self.counts["pauses"] += 1
            seat.paused = self.now + self.random.choice((0.1, 1.0, 3.0)) * lease
        elif dice < 0.9:
            seat.lag = self.random.choice((0.0, 0.0, 0.1, 1.0))
        elif dice < 0.905:
            self.counts["restarts"] += 1
            self._start(seat.name, seat.boot + 1)
        elif dice < 0.91:
            self._jump(seat, self.random.choice(list(self.seats.values())))

    def believers(self, name: str) -> list[str]:
        """Return who believes to lead an election at this moment."""
        seats = self.seats.values()
        return [seat.name for seat in seats if seat.office.holds(name, seat.rate * self.now)]

    def holder(self, name: str) -> Leadership | None:
        """Return who leads an election at this moment, by the whole log."""
        return self.truth.elections.view(name).leadership

    def clock(self, seat: Seat) -> float:
        """Return what the node reads from its own clock."""
        return seat.rate * self.now

    def _start(self, name: str, boot: int) -> None:
        """Begin a life with what is chosen by now; the node lags behind that at first."""
        drift = self.timing.drift if self.drift is None else self.drift
        rate = 1 + drift * self.random.choice((-0.99, 0.99, self.random.uniform(-0.99, 0.99)))
        if name in self.seats:
            rate = self.seats[name].rate
        state, presidency = ReplicatedState(NoMachine()), Presidency(self.random.random() < 0.4)
        office = Office(Session(name, boot), state, presidency, self.timing)
        seat = Seat(name, boot, rate, presidency, state, office, 0.0)
        self.seats[name] = seat
        for command in self.log[: self.random.choice((len(self.log), len(self.log) // 2))]:
            self._apply_one(seat, command)
        self._carry_out(seat, office.wake(self.clock(seat)))

    def _jump(self, seat: Seat, ahead: Seat) -> None:
        """Let a node that lags take over the state of another, and hear of its decrees later."""
        if ahead.applied <= seat.applied:
            return
        self.counts["jumps"] += 1
        seat.state.restore(ahead.state.snapshot())
        seat.applied = ahead.applied
        self._carry_out(seat, seat.office.turned(self.clock(seat)))
        for command in self.log[: seat.applied]:
            decree = seat.decrees.pop(command.id, None)
            if decree is not None:
                now = self.clock(seat)
                self._carry_out(seat, seat.office.applied((), [(decree, None)], now))

    def _campaign(self, seat: Seat, name: str) -> None:
        """Do what an application may want next."""
        office = seat.office
        standing = office.standings.get(name)
        if standing is None:
            priority = self.random.choice((0, 0, 1))
            self._carry_out(seat, office.stand(name, priority, b"", self.clock(seat)))
        elif standing.wanted and seat.leaving.get(name, self.now + 1) <= self.now:
            del seat.leaving[name]
            self._carry_out(seat, office.leave(name, self.clock(seat)))
        elif standing.epoch is not None:
            if self.work(seat, name, standing.epoch):
                self._move_on(seat, name, standing.epoch)
        elif self.random.random() < 0.02:
            self._carry_out(seat, office.leave(name, self.clock(seat)))

    def work(self, seat: Seat, name: str, epoch: int) -> bool:
        """Check a term, and act on it the next time; tell whether it lasts."""
        if name in seat.checked:
            self._use(name, seat.checked.pop(name))
            return False
        holds = seat.office.holds(name, self.clock(seat))
        if holds:
            seat.checked[name] = epoch
        return holds

    def _move_on(self, seat: Seat, name: str, epoch: int) -> None:
        """Hand a term over, or resign, now and then."""
        if self.random.random() < 0.03:
            self._send(seat, HandOver(name, epoch, self.random.choice(list(self.seats))))
        elif self.random.random() < 0.05:
            seat.leaving[name] = self.now

    def _use(self, name: str, epoch: int) -> None:
        """Use the guarded resource with this token, soon after the check, or long after it."""
        if epoch < self.newest.get(name, 0):
            self.counts["refused"] += 1
        else:
            self.newest[name] = epoch
            self.counts["served"] += 1

    def _carry_out(self, seat: Seat, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Decide(decree):
                    self._send(seat, decree)
                case Wake(earliest, _):
                    seat.alarm = seat.rate * self.now + earliest
                case Won(name, epoch):
                    self.counts["won"] += 1
                    self.won(seat, Leadership(seat.name, epoch, name))
                case Lost(name, loss):
                    self.counts[loss.value] += 1
                    self.lost(seat, name, loss)
                    seat.leaving[name] = self.now + self.random.uniform(0, 0.05)
                case Out(name):
                    seat.leaving.pop(name, None)

    def won(self, seat: Seat, leadership: Leadership) -> None:
        """Hear that a node has a term."""

    def lost(self, seat: Seat, name: str, loss: Loss) -> None:
        """Hear that its term is over."""

    def _send(self, seat: Seat, decree: Decree) -> None:
        """Let a decree be chosen at some time, in any order; a renewal perhaps never."""
        command = Command(seat.session, seat.numbers, decree)
        seat.numbers += 1
        seat.decrees[command.id] = decree
        if isinstance(decree, Renew) and self.random.random() < 0.2:
            return
        lease = self.timing.lease
        delay = self.random.choice((0.001, 0.001, 0.001, 0.01, 0.1, 0.9)) * lease
        self._sent += 1
        heappush(self._coming, (self.now + delay * self.random.random(), self._sent, command))

    def _choose(self, command: Command) -> None:
        """Add a command to the log; see at once what it means."""
        self.log.append(command)
        self._see(self.truth.apply(self.truth.position, Batch((command,)), NOBODY))

    def _apply(self, seat: Seat, most: int) -> None:
        for command in self.log[seat.applied : seat.applied + most]:
            applied = self._apply_one(seat, command)
            rulings = [
                (seat.decrees.pop(key), result)
                for key, _, result in applied.results
                if key in seat.decrees and (result is None or isinstance(result, Ruling))
            ]
            if applied.changes or rulings:
                now = self.clock(seat)
                self._carry_out(seat, seat.office.applied(applied.changes, rulings, now))

    def _apply_one(self, seat: Seat, command: Command) -> Applied:
        applied = seat.state.apply(seat.applied, Batch((command,)), seat.name)
        seat.applied += 1
        return applied

    def _see(self, applied: Applied) -> None:
        """See that every epoch has one leader, and follows the one before."""
        for change in applied.changes:
            leadership = change.view.leadership if isinstance(change, LeaderChanged) else None
            if leadership is None:
                continue
            last = self.epochs.get(leadership.election)
            epoch = 0 if last is None else last.epoch
            assert leadership.epoch == epoch + 1 or leadership == last, f"{leadership}, not {last}"
            self.epochs[leadership.election] = leadership

    def _check(self) -> None:
        """See that nobody else than the holder believes to lead, whether it runs or not."""
        if self.drift is not None:
            return
        for name in ELECTIONS:
            for believer in self.believers(name):
                leadership = Leadership(believer, self._epoch(believer, name), name)
                assert leadership == self.holder(name), f"{leadership}, not {self.holder(name)}"

    def _epoch(self, node: str, name: str) -> int:
        return self.seats[node].office.standings[name].epoch or 0
