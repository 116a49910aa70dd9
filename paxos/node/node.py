"""The node that an application embeds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import cast

from paxos.errors import CommandFailed
from paxos.forks import Elsewhere, Private
from paxos.node.effects import DEFAULT_RETENTION, Effects
from paxos.node.election import Election
from paxos.node.reporting import statistics, status
from paxos.node.services import Services, checked
from paxos.node.watching import Decisions, Leaderships
from paxos.replicated.messages import Status
from paxos.replicated.values import Failure, Leadership


class Node(Private):
    """One member of a cluster, in this process. Comes from `open_node`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        super().__init__()

    def let_go(self) -> None:
        """See `Private.let_go`: every use of the node raises `ForkedProcess`."""
        self._services = cast("Services", Elsewhere(self.process))

    @property
    def name(self) -> str:
        """The member's name."""
        return self._services.name

    @property
    def leader(self) -> Leadership | None:
        """The live leader as this node knows it; None while there is none, or it is closed."""
        return self._services.view.leadership

    async def propose(self, command: bytes, *, wait: bool = True) -> bytes:
        """Have a command applied, once, on every node; return the state machine's answer.

        It works on any node, and waits for as long as there is no leader: use a Trio timeout to
        wait less. So many may be under way from one node, in number and bytes; more wait for
        room, in the order in which they came, or raise `Overloaded` when told not to ``wait``.
        Cancelled, it leaves open whether the command is applied.

        Raises:
            CommandTooLarge: The command has more than `MAX_COMMAND_BYTES`; it was not proposed.
            CommandFailed: The state machine raised an error for it.
            Overloaded: There is no room, and it should not wait; it was not proposed.
            OutcomeUnknown: The node was closed meanwhile, or its state diverged.
            StateDiverged: This node's state is not that of the others; nothing was proposed.

        """
        _, result = await self._services.proposals.decide(checked(command), wait=wait)
        if isinstance(result, Failure):
            raise CommandFailed(result.error)
        assert isinstance(result, bytes)
        return result

    async def propose_many(self, commands: Iterable[bytes]) -> list[bytes | CommandFailed]:
        """Have each of many commands applied, once; return the answers in the same order.

        It costs a fraction of as many calls of `propose`, for the task is woken once. In which
        order they are applied is open: what must come later is proposed later. Where the state
        machine raised an error, it is in the place of the answer. Cancelled, or when the node is
        closed, it leaves open which of the commands are applied.

        Raises:
            CommandTooLarge: One of them is; none was proposed.
            OutcomeUnknown: The node was closed meanwhile.

        """
        proposals = list(map(checked, commands))
        answers: list[bytes | CommandFailed] = []
        for answer in await self._services.proposals.decide_all(proposals):
            assert isinstance(answer, bytes | Failure)
            answers.append(CommandFailed(answer.error) if isinstance(answer, Failure) else answer)
        return answers

    async def barrier(self, *, at_least: int | None = None, lease: bool = False) -> None:
        """Wait until this node's own state machine may be read.

        It then has everything that was answered anywhere, through any node, before this was
        called: so what is read next, without another await, is linearizable. One round of the
        leader serves all that wait, and writes nothing. It works on any node and waits for as
        long as there is no leader; it can be cancelled.

        With ``at_least`` it asks nobody and waits for less: until every slot below that
        `position` is applied here. Whoever carries the position of one node to another never sees
        the state go back.

        With ``lease`` the leader sends no message while it has a lease; any other node, a leader
        that was paused or deposed, and a cluster without `Timing.lease_reads` do the ordinary
        round. It is as good as that only while the clocks of all members go at true rates but for
        `Timing.drift`, and that of the leader also while its machine is suspended (Linux tells).
        Where that cannot be trusted, ask for no lease.

        Raises:
            NodeClosed: The node was closed meanwhile.
            StateDiverged: This node's state is not that of the others.

        """
        readers = self._services.readers
        if at_least is not None:
            await readers.reach(at_least, self._services.growth)
        elif lease:
            await readers.leased_barrier()
        else:
            await readers.barrier()

    async def query(self, question: bytes) -> bytes:
        """Have this node's own state machine answer a question, after a `barrier`.

        For machines with a method ``query(question) -> bytes``, which must change nothing.

        Raises:
            CommandFailed: The state machine raised an error for it, or has no such method.
            NodeClosed: The node was closed meanwhile.

        """
        return await self._services.query(question)

    @property
    def position(self) -> int:
        """How far the log is applied here: every slot below, and none from there on.

        After `propose` has returned on this node it is above the command's slot.
        """
        return self._services.position

    def leaderships(self) -> AsyncIterator[Leadership | None]:
        """Yield what `leader` is, and then every change of it, `None` included."""
        return Leaderships(self._services.view)

    def decisions(self, first: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """Yield slot and command of everything that was applied, from slot ``first`` on, in order.

        It reads the journal from the snapshot before ``first``, since only that tells which
        commands are repetitions; it never ends.

        Raises:
            LogCompacted: The log no longer goes back so far; also later, when it was compacted
                faster than it was read here.
            JournalError: The journal has failed, now or earlier, or cannot be read.

        """
        services = self._services
        learner = services.roles.learner.learner
        return Decisions(services.journal, services.storage, learner, services.growth, first)

    async def compact(self) -> int:
        """Take a snapshot now, and return its position when it is on the disk.

        The log before the snapshot before it is then let go. A node does this by itself as the
        log grows, see `Compaction`; it is of use before a backup, or where space is short.

        Raises:
            JournalError: The journal has failed, now or earlier.

        """
        return await self._services.compact()

    def statistics(self) -> dict[str, int]:
        """Return counters of what was done and dropped, by name."""
        return statistics(self._services)

    def status(self, number: int) -> Status:
        """Return what this node tells a client about itself."""
        return status(self._services, number)

    def readmit(self, without: Iterable[str]) -> None:
        """Let a node that has forgotten something vote again without the help of some others.

        Whoever calls this vouches for it that those others never take part again with what they
        remember. Otherwise two values could be chosen for one slot.
        """
        self._services.readmit(without)

    @property
    def closed(self) -> bool:
        """Whether this node has stopped taking part."""
        return self._services.closed

    def election(self, name: str) -> Election:
        """Return the election of this name, in which any member may stand.

        Raises:
            ElectionRefused: There can be no such name.

        """
        return self._services.elections.election(name)

    def effects(self, name: str, *, retention: float = DEFAULT_RETENTION) -> Effects:
        """Return the effects that the leader of the election of this name causes, each once.

        Args:
            name: The election's.
            retention: For how long outcomes are kept, in seconds by the clocks of the leaders.

        Raises:
            ElectionRefused: There can be no such name.
            ValueError: There can be no such retention.

        """
        self._services.elections.election(name)
        return Effects(self._services.elections, name, retention, self._services.turns)
