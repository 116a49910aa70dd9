"""What clients saw is what one copy, that does one thing after another, could have shown them."""

from __future__ import annotations

from attrs import define, field

from paxos.testing.checkers.base import Checker, Violation
from paxos.testing.linearizability import Model, Recorder, Register, check, draw
from paxos.testing.linearizability.values import show


@define
class Linearizable(Checker):
    """Checks at the end what clients wrote down; a failed compare-and-set is an observation.

    Clients record what they do in ``recorder``.
    """

    recorder: Recorder = field(factory=Recorder)
    model: Model = field(factory=lambda: Register(strict_cas=True))

    def finished(self) -> None:
        """Check the whole history."""
        verdict = check(self.recorder.history(), self.model)
        if verdict.window is not None:
            count = len(verdict.window.operations)
            raise Violation(
                f"the clients' history is not linearizable: {count} operations of key "
                f"{show(verdict.key)} fit into no order\n{draw(verdict.window)}"
            )
