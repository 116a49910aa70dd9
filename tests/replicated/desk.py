"""The office of one node, and the log that it works on."""

from __future__ import annotations

from paxos.protocol.effects import Effect, Wake
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.office import Office
from paxos.replicated.standing import Decide, Won
from paxos.replicated.state import ReplicatedState
from paxos.replicated.values import Batch, Command, Leadership, Session
from paxos.testing.lease_seats import NoMachine, Patience

MICROSECONDS = 1_000_000
BILLING = Leadership("node1", 1, "billing")


class Presidency:
    serving = False
    leader: str | None = "node9"

    def __init__(self) -> None:
        self.silent: set[str] = set()

    def hears(self, node: str) -> bool:
        return node not in self.silent

    def live_leader(self) -> str | None:
        return self.leader


class Desk:
    """The office of node1, whose decrees are decided when the test says so."""

    def __init__(self, boot: int = 1, state: ReplicatedState | None = None) -> None:
        self.state = state or ReplicatedState(NoMachine())
        self.log = Presidency()
        self.session = Session("node1", boot)
        self.office = Office(self.session, self.state, self.log, Patience())
        self.numbers = 0
        self.done: list[Effect] = []

    def take(self, effects: tuple[Effect, ...]) -> list[Decree]:
        """Note effects; return the decrees among them."""
        self.done = [e for e in effects if not isinstance(e, Decide | Wake)]
        return [effect.decree for effect in effects if isinstance(effect, Decide)]

    def decide(self, decree: Decree, now: float, by: str = "node1") -> list[Decree]:
        """Have a decree chosen and applied; return what the office wants decided then."""
        self.numbers += 1
        session = self.session if by == "node1" else Session(by, 1)
        command = Command(session, self.numbers, decree)
        applied = self.state.apply(self.state.position, Batch((command,)), self.session.node)
        rulings: list[tuple[Decree, Ruling | None]] = [
            (decree, result)
            for _, _, result in applied.results
            if result is None or isinstance(result, Ruling)
        ]
        return self.take(self.office.applied(applied.changes, rulings, now))

    def stand(self, now: float = 0.0) -> Decree:
        (campaign,) = self.take(self.office.stand("billing", 0, b"v", now))
        return campaign

    def lead(self) -> None:
        """Become the leader of billing, by a campaign sent at 0 and decided at 0.1."""
        self.decide(self.stand(), 0.1)
        self.decide(BILLING, 0.1, by="node9")
        assert self.done == [Won("billing", 1)]
