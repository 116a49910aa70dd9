"""The proposer of a replicated log: stands for leader, opens its epoch, then batches commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import define, field

from paxos.protocol.effects import Effect, Effects, Send
from paxos.protocol.messages import Confirmed, Message
from paxos.protocol.proposer import Leading
from paxos.protocol.records import Record
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.candidacy_states import Following, Serving
from paxos.replicated.messages import Adopted, Polled, Progress, Propose, Read, Readable
from paxos.replicated.pending import Pending
from paxos.replicated.reading import Reading
from paxos.replicated.values import (
    MAX_BATCH_BYTES,
    MAX_BATCH_COMMANDS,
    Batch,
    Command,
    CommandId,
    Leadership,
)

DETOUR_AFTER = 3
"""A command that was sent more often goes through another member: the leader may not hear us."""

MAX_RESENT_BYTES = 4 << 20
"""How many bytes of its own commands a node sends again at once; the others come next."""


def cut(commands: Iterable[Command]) -> Iterator[tuple[Command, ...]]:
    """Cut commands into groups that a message can carry: none exceeds what a batch may have.

    A large command is a group of its own, so it is the same message whenever it is sent again.
    """
    group: list[Command] = []
    size = 0
    for command in commands:
        size += command.size
        if group and (size > MAX_BATCH_BYTES or len(group) == MAX_BATCH_COMMANDS):
            yield tuple(group)
            group, size = [], command.size
        group.append(command)
    if group:
        yield tuple(group)


@define
class Own:
    """A command of this node, until it is known to be applied."""

    command: Command
    due: float
    """When it is sent again."""
    pause: float
    repeats: int = 0


@define
class LogProposer:
    """Carries commands into the log: proposes them while leading, else sends them to who leads.

    A leader's first value is its own `Leadership`, proposed once every slot that it had to
    recover is learned: only then does it know the last epoch, and only after that is chosen does
    it propose a command.
    """

    candidacy: Candidacy
    reading: Reading
    leadership: Leadership | None = None
    """The last leadership in the log."""
    opening: Leadership | None = None
    """The leadership that this ballot has proposed."""
    pending: Pending = field(factory=Pending)
    """What waits for a slot."""
    proposed: dict[int, Batch] = field(factory=dict)
    """By slot, what this ballot has proposed and not yet learned."""
    known: set[CommandId] = field(factory=set)
    """The commands in `proposed`."""
    own: dict[CommandId, Own] = field(factory=dict)
    """The commands of this node and its clients that are not known to be applied."""
    adopted: dict[CommandId, Command] = field(factory=dict)
    """Commands of this node that the role has not looked at yet."""
    dropped: int = 0
    """Commands that came to this node while it could not tell who leads."""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.candidacy.proposer.name

    @property
    def serving(self) -> bool:
        """Whether this node leads and its leadership is chosen."""
        serving = isinstance(self.candidacy.state, Serving)
        if not serving or self.opening is None:
            return False
        return self.opening is self.leadership or self.opening == self.leadership

    def live_leader(self) -> str | None:
        """Return the leader that this node hears, itself included; None when there is none."""
        match self.candidacy.state:
            case Serving():
                return self.name if self.serving else None
            case Following(ballot=ballot):
                return ballot.node
        return None

    def hears(self, node: str) -> bool:
        """Tell whether a member has answered this leader lately; itself, it does hear."""
        state = self.candidacy.state
        return isinstance(state, Serving) and (node == self.name or node in state.recent)

    def start(self) -> Effects:
        """Begin to take part."""
        return self.candidacy.start()

    def handle(self, source: str, message: Message, now: float) -> Effects:
        """Take one message."""
        match message:
            case Propose():
                return self.on_propose(source, message, now)
            case Adopted():
                return self.on_adopted(now)
            case Read():
                self.reading.on_read(source, message)
                return ()
            case Readable():
                return self.reading.on_readable(message, now)
            case Confirmed():
                return self.reading.on_confirmed(source, message, now)
            case Polled(granted=False):
                return self.on_refusal(source, message, now)
        leader = self.live_leader()
        return self.candidacy.handle(source, message, now) + self._notice(leader, now)

    def wake(self, now: float) -> Effects:
        """Do what is due: candidacy, heartbeat, and this node's commands that got no answer."""
        leader = self.live_leader()
        effects = self.candidacy.wake(now)
        return effects + self._notice(leader, now) + self._send_own(now)

    def on_propose(self, source: str, propose: Propose, now: float) -> Effects:
        """Take another node's commands in, or pass them on to the leader."""
        commands = propose.commands
        if isinstance(self.candidacy.state, Serving):
            self.pending.add(source, commands, self.known)
            return ()
        target = self._way_to_leader(now)
        if target is None or propose.hops == 0 or target == source:
            self.dropped += len(commands)
            return ()
        return (Send((target,), Propose(commands, propose.hops - 1)),)

    def on_refusal(self, source: str, refusal: Polled, now: float) -> Effects:
        """Send this node's commands through who refused its candidacy, for that hears a leader."""
        way, leader = self._way_to_leader(now), self.live_leader()
        effects = self.candidacy.handle(source, refusal, now) + self._notice(leader, now)
        if way is None:
            self._hurry(now)
        return effects + self._send_own(now)

    def on_adopted(self, now: float) -> Effects:
        """Send this node's new commands on their way, all that have come since last."""
        adopted, self.adopted = self.adopted, {}
        commands = adopted.values()
        pause = self._first_pause
        for name, command in adopted.items():
            self.own[name] = Own(command, now + pause, pause)
        if isinstance(self.candidacy.state, Serving):
            self.pending.add(self.name, commands, self.known)
            return ()
        target = self._way_to_leader(now)
        if target is None:
            return ()
        return tuple(Send((target,), Propose(group, 1)) for group in cut(commands))

    def advance(self, progress: Progress, now: float) -> Effects:
        """Hear from the learner: slots are learned, and commands of this node applied."""
        leader, known = self.live_leader(), progress.leadership is self.leadership
        for command in progress.settled:
            self.own.pop(command, None)
        self.leadership = progress.leadership
        for slot in [slot for slot in self.proposed if slot < progress.frontier]:
            self.known.difference_update([c[:2] for c in self.proposed.pop(slot).commands])
        effects = self.reading.advance(progress.frontier)
        effects += self.candidacy.advance(progress.frontier)
        return effects if known else effects + self._notice(leader, now)

    def can_wait(self, leadership: Leadership | None) -> bool:
        """Tell whether nothing but bookkeeping would come of progress now: no hurry to hear of it.

        ``leadership`` is the last in the log.
        """
        return (
            (self.serving or isinstance(self.candidacy.state, Following))
            and not self.pending
            and self.reading.idle
            and (leadership is self.leadership or leadership == self.leadership)
        )

    def adopt(self, command: Command) -> bool:
        """Answer for a command of this node: send it again until it is applied or withdrawn.

        Returns whether the role must be told by `Adopted`: once for all that come before it
        listens. That spares a message for each of many commands.
        """
        self.adopted[command.id] = command
        return len(self.adopted) == 1

    @property
    def _first_pause(self) -> float:
        return 2 * self.candidacy.pace.timing.heartbeat

    def withdraw(self, command: CommandId) -> None:
        """Stop sending a command of this node; it may have been chosen, or still be."""
        if self.own.pop(command, None) is None:
            self.adopted.pop(command, None)

    def leased_point(self) -> int | None:
        """Return a read point for who comes now, if a lease vouches for it; it costs nothing."""
        proposer, lease = self.candidacy.proposer, self.candidacy.heartbeats.lease
        state = proposer.state
        if not isinstance(state, Leading):
            return None
        held = lease.holds(state.ballot, proposer.quorums, state.next_slot)
        return state.next_slot if held else None

    def resign(self) -> Effects:
        """Stop leading in an orderly way."""
        return self.candidacy.resign()

    def recall(self, record: Record) -> None:
        """Take one record of the journal."""
        self.candidacy.proposer.recall(record)

    def flush(self, now: float) -> Effects:
        """Do what waits for the end of a drained inbox: reads and commands, as many as came."""
        if not self.reading.idle:
            return self.reading.pursue(self._way_to_leader(now), now) + self._propose_pending()
        return self._propose_pending()

    def _propose_pending(self) -> Effects:
        """Propose what waits, in as few slots as it fits."""
        proposer, state = self.candidacy.proposer, self.candidacy.proposer.state
        if not isinstance(state, Leading):
            return ()
        if not self.serving:
            return self._open(state)
        effects: list[Effect] = []
        while self.pending and proposer.room > 0:
            commands = self.pending.batch(self.known)
            if not commands:
                continue
            batch = self.proposed[state.next_slot] = Batch(commands)
            effects += proposer.propose(batch)
        return tuple(effects)

    def _open(self, state: Leading) -> Effects:
        """Propose this node's leadership, once nothing below is open."""
        if self.opening is not None or state.recovering or state.in_flight:
            return ()
        if self.candidacy.frontier < state.next_slot:
            return ()
        epoch = 1 if self.leadership is None else self.leadership.epoch + 1
        self.opening = Leadership(self.name, epoch)
        return self.candidacy.proposer.propose(self.opening)

    def _notice(self, leader_before: str | None, now: float) -> Effects:
        """React to a change of ballot or leader: forget the old one's state, send commands anew."""
        if not isinstance(self.candidacy.state, Serving):
            self.opening = None
            self.pending.clear()
            self.proposed.clear()
            self.known.clear()
        if self.live_leader() in (None, leader_before):
            return ()
        self.reading.hurry()
        self._hurry(now)
        return self._send_own(now)

    def _hurry(self, now: float) -> None:
        """Have all of this node's commands due: what failed says nothing of the way there is now.

        They leave in bursts, one at each look at what is due, so that they fit into buffers.
        """
        for own in self.own.values():
            own.due, own.pause, own.repeats = now, self._first_pause, 0

    def _send_own(self, now: float) -> Effects:
        """Send this node's commands again that were not applied in time; each waits longer."""
        due = self._due(now)
        for own in due:
            own.pause = min(2 * own.pause, 1.0)
            own.due = now + own.pause
            own.repeats += 1
        if isinstance(self.candidacy.state, Serving):
            self.pending.add(self.name, (own.command for own in due), self.known)
            return ()
        leader = self._way_to_leader(now)
        if leader is None:
            return ()
        ways: dict[str, list[Command]] = {}
        for own in due:
            ways.setdefault(self._way(own, leader), []).append(own.command)
        return tuple(
            Send((target,), Propose(group, 1))
            for target, commands in ways.items()
            for group in cut(commands)
        )

    def _way(self, own: Own, leader: str) -> str:
        """Return whom to send a command: after some attempts each other member in turn.

        One that the leader hears is among them; and it may have heard us all the time.
        """
        detour = own.repeats - DETOUR_AFTER
        if detour <= 0:
            return leader
        others = [node for node in self.candidacy.others() if node != leader]
        return (*others, leader)[(detour - 1) % (len(others) + 1)]

    def _due(self, now: float) -> list[Own]:
        """Return what to send again, as much as one turn may; what is left is due in the next."""
        due: list[Own] = []
        size = 0
        for own in self.own.values():
            if own.due <= now:
                size += own.command.size
                if due and (size > MAX_RESENT_BYTES or len(due) == MAX_BATCH_COMMANDS):
                    break
                due.append(own)
        return due

    def _way_to_leader(self, now: float) -> str | None:
        if isinstance(self.candidacy.state, Following):
            return self.candidacy.state.ballot.node
        via = self.candidacy.via
        return via[0] if via is not None and now < via[1] else None
