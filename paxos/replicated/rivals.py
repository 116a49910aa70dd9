"""Which other candidates a node lets go first, and which it has turned away."""

from __future__ import annotations

from attrs import define, field

from paxos.replicated.messages import Poll


@define
class Rivals:
    """What a node remembers of those that asked it whether to stand."""

    encouraged: str = ""
    """Whom this node last encouraged."""
    until: float = float("-inf")
    """Until when it encourages nobody else."""
    favoured: set[str] = field(factory=set)
    """For whom others had to wait, and nothing has come of it yet."""
    declined: tuple[str, Poll, float] | None = None
    """The last poll that this node refused because it heard a leader, by whom, and when."""

    def favour(self, source: str, until: float) -> None:
        """Let other candidates wait for this one, but only once until it begins a ballot.

        Else one that is heard here but hears nobody, and so asks for ever, keeps this node from
        the only candidate that reaches a quorum.
        """
        if source not in self.favoured:
            self.favoured.add(source)
            self.encouraged, self.until = source, until

    def must_wait(self, source: str, now: float) -> bool:
        """Tell whether another candidate goes before this one."""
        return source != self.encouraged and now < self.until

    def on_ballot(self, source: str) -> None:
        """Hear that a candidate has begun its ballot."""
        self.favoured.discard(source)

    def declined_within(self, seconds: float, now: float) -> tuple[str, Poll] | None:
        """Return who was declined in the last so many seconds, and what it asked."""
        if self.declined is None or now - self.declined[2] >= seconds:
            return None
        return self.declined[:2]

    def forget(self) -> None:
        """Begin anew: there is a leader, and whoever was encouraged has stood by now."""
        self.encouraged, self.until, self.declined = "", float("-inf"), None
        self.favoured.clear()
