"""Everything that this package raises on purpose; each error says what happened and what to do."""

from __future__ import annotations


class PaxosError(Exception):
    """Base of every error of this package."""


class ConfigError(PaxosError):
    """A cluster's configuration cannot be used; the message names file, field and cure."""


class OutcomeUnknown(PaxosError):  # noqa: N818 - it says what is known, which is nothing
    """A command may have been applied, or may be yet; nobody can tell from here."""


class CommandFailed(PaxosError):  # noqa: N818 - it says what the command did
    """The state machine raised an error for this command, on every node alike."""


class CommandTooLarge(PaxosError):  # noqa: N818 - it says what the command is
    """A command is larger than a slot may carry; nothing was proposed."""


class ElectionRefused(PaxosError):  # noqa: N818 - it says what became of the wish
    """What was asked of an election was not done; the text says why."""


class LeadershipLost(PaxosError):  # noqa: N818 - it says what happened
    """A term is over: nothing that needs it may go on. Campaign again, if it is still wanted."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason
        """``expired``, ``resigned``, ``deposed``, ``disconnected`` or ``stalled``."""


class LogCompacted(PaxosError):  # noqa: N818 - it says what became of the slots
    """The slots asked for were let go after a snapshot."""

    def __init__(self, slot: int, first: int) -> None:
        super().__init__(
            f"slot {slot} is no longer in this node's log, which begins at slot {first}: "
            "start from there, with the state machine's own state for what came before"
        )
        self.first = first
        """The first slot that is still there."""


class StateDiverged(PaxosError):  # noqa: N818 - it says what became of the state
    """A node's state differs from that of a quorum, and so it takes no part any more."""


class Overloaded(PaxosError):  # noqa: N818 - it says what the node is
    """As much is under way as may be; nothing was proposed. Try again later, or wait."""


class NoAnswer(PaxosError):  # noqa: N818 - it says what came
    """No member answered; nothing was proposed."""


class StaleEpoch(PaxosError):  # noqa: N818 - it says what the epoch is
    """A guarded resource has seen a newer epoch: whoever acts under this one was deposed."""

    def __init__(self, epoch: int, newest: int) -> None:
        super().__init__(
            f"epoch {epoch} is refused: epoch {newest} has been here. Stop acting: another leader "
            "was elected"
        )
        self.epoch = epoch
        self.newest = newest


class GuardBusy(PaxosError):  # noqa: N818 - it says what the guard is
    """Acts of an older epoch have not ended yet; nothing was done: try again shortly."""


class NodeClosed(PaxosError):  # noqa: N818 - it says what became of it
    """The node left its block; whoever asked it may ask another."""


class ForkedProcess(PaxosError):  # noqa: N818 - it says what the process is
    """A process was forked while a node was open; the node lives on in the parent alone."""


class NameInUse(PaxosError):  # noqa: N818 - it says what the name is
    """Another live process has this node's name and key, and started earlier: this one stops."""


class NotLeading(PaxosError):  # noqa: N818 - it says what the node does not do
    """Something that only the leader of an election may do; nothing was done."""


class EffectForgotten(PaxosError):  # noqa: N818 - it says what became of the effect
    """A key is so old that what came of its effect may be forgotten; nothing was done."""


class TooManyIntents(PaxosError):  # noqa: N818 - it says how many there are
    """Too many effects are begun and not concluded; nothing was done."""
