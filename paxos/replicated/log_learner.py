"""The learner of a replicated log: what is chosen takes effect here, in order, once."""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.effects import Deliver, Effect, Effects, Send
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Message, Promise
from paxos.protocol.records import Record
from paxos.protocol.values import NoOp
from paxos.replicated.messages import Advanced, Heard, Heartbeat, Polled
from paxos.replicated.state import ReplicatedState
from paxos.replicated.values import Batch, CommandId, Leadership, Session


@define
class LogLearner:
    """Learns the log and applies it; tells the node's other roles how far it has come."""

    learner: Learner
    state: ReplicatedState
    session: Session
    """This node's own, whose results it reports."""
    told: int = 0
    """The frontier that the other roles know."""
    settled: list[CommandId] = field(factory=list)

    def handle(self, source: str, message: Message) -> Effects:
        """Take one message."""
        match message:
            case Heartbeat() | Heard() | Polled() | Promise():
                return self._applied(self.learner.hear_frontier(source, message.frontier))
        return self._applied(self.learner.handle(source, message))

    def wake(self) -> Effects:
        """Ask for what is missing."""
        return self._applied(self.learner.wake())

    def recall(self, record: Record) -> Effects:
        """Take one record of the journal."""
        return self._applied(self.learner.recall(record))

    def flush(self) -> Effects:
        """Tell the other roles, once for each drained inbox."""
        if self.told == self.learner.frontier:
            return ()
        self.told = self.learner.frontier
        settled, self.settled = tuple(self.settled), []
        return (Send((self.learner.name,), Advanced(self.told, self.state.leadership, settled)),)

    def _applied(self, effects: Effects) -> Effects:
        return tuple(self._apply(e) if isinstance(e, Deliver) else e for e in effects)

    def _apply(self, deliver: Deliver) -> Effect:
        value = deliver.value
        assert isinstance(value, Batch | Leadership | NoOp)
        applied = self.state.apply(deliver.slot, value, self.session)
        self.settled += (command for command, _, _ in applied.results)
        return applied
