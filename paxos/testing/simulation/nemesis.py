"""Carries a plan out, and keeps the atlas: what may still break without breaking the promise."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from paxos.testing.simulation.action import Action
from paxos.testing.simulation.relics import propose_relic

if TYPE_CHECKING:
    from paxos.testing.simulation.simulation import Simulation


class Nemesis:
    """Does to a simulation what a plan says; counts what it really did."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._random = simulation.world.random("nemesis")
        self.lost: set[str] = set()
        """The atlas: nodes whose journals were spoilt, until they are readmitted. Never more than
        may fail at once."""

    def do(self, action: Action) -> None:
        """Carry one action out."""
        self._simulation.world.note(f"fault: {action.kind} {action.arguments}")
        getattr(self, f"do_{action.kind}")(*action.arguments)

    def _count(self, fault: str) -> None:
        self._simulation.injected[fault] += 1

    # The network.

    def do_loss(self, share: float) -> None:
        """Let this share of the messages get lost."""
        self._simulation.network.weather.loss = share

    def do_duplication(self, share: float) -> None:
        """Let this share arrive twice."""
        self._simulation.network.weather.duplication = share

    def do_straggling(self, share: float) -> None:
        """Let this share be late by seconds."""
        self._simulation.network.weather.straggling = share

    def do_corruption(self, share: float) -> None:
        """Damage this share."""
        self._simulation.network.weather.corruption = share

    def do_replay(self, share: float) -> None:
        """Let old messages arrive again."""
        self._simulation.network.weather.replay = share

    def do_refusal(self, share: float) -> None:
        """Let this share make its sender believe that its target is gone."""
        self._simulation.network.weather.refusal = share

    def do_delay(self, longest: float) -> None:
        """Let messages take up to ``longest`` seconds, and so overtake each other."""
        self._simulation.network.weather.delay = (0.0001, 0.0001 + longest)
        self._count("delay")

    def do_small(self, small: bool) -> None:
        """Let messages travel as datagrams of 1 KiB."""
        self._simulation.network.weather.small = small

    def do_filter(self, kind: str) -> None:
        """Lose every message of one kind."""
        self._simulation.network.weather.filtered = {kind}

    def do_unfilter(self) -> None:
        """Let every kind pass again."""
        self._simulation.network.weather.filtered = set()

    def do_dawdle(self, kind: str, longest: float) -> None:
        """Let the messages of one kind take up to ``longest`` seconds more than all others."""
        self._simulation.network.weather.dawdling[kind] = longest

    def do_echo(self, kind: str, longest: float) -> None:
        """Let the messages of one kind arrive once more, up to ``longest`` seconds later."""
        self._simulation.network.weather.echoing[kind] = longest

    def do_drop(self, kind: str, share: float) -> None:
        """Lose this share of the messages of one kind."""
        self._simulation.network.weather.dropping[kind] = share

    def do_hurry(self) -> None:
        """End all three."""
        weather = self._simulation.network.weather
        weather.dawdling, weather.echoing, weather.dropping = {}, {}, {}

    def do_heal(self) -> None:
        """End every cut."""
        self._simulation.network.weather.cut = set()

    def _keep(self, kind: str, kept: set[tuple[str, str]]) -> None:
        """Cut every link but these, which work both ways."""
        self._count(kind)
        names = self._simulation.names
        both = kept | {(b, a) for a, b in kept}
        self._simulation.network.weather.cut = {
            (a, b) for a in names for b in names if a != b and (a, b) not in both
        }

    def do_one_way(self, *order: str) -> None:
        """Let the first node send to nobody; it still hears."""
        self._count("one_way")
        self._simulation.network.weather.cut = {(order[0], other) for other in order[1:]}

    def do_flap(self, *order: str) -> None:
        """Cut the first node off, as one of many times."""
        self._count("flapping")
        self.do_isolate(*order)

    def do_deafen(self, *order: str) -> None:
        """Let the first node hear nobody; it still sends."""
        self._count("deaf")
        self._simulation.network.weather.cut = {(other, order[0]) for other in order[1:]}

    def do_isolate(self, *order: str) -> None:
        """Cut the first node off."""
        others = order[1:]
        self._keep("isolate", {(a, b) for a in others for b in others})

    def do_halves(self, *order: str) -> None:
        """Split the nodes in two."""
        half = len(order) // 2
        parts = (order[:half], order[half:])
        self._keep("halves", {(a, b) for part in parts for a in part for b in part})

    def do_bridge(self, *order: str) -> None:
        """Split the nodes in two that only one node connects."""
        half = (len(order) + 1) // 2
        parts = (order[:half], order[half - 1 :])
        self._keep("bridge", {(a, b) for part in parts for a in part for b in part})

    def do_ring(self, *order: str) -> None:
        """Connect each node with its two neighbours only."""
        self._keep("ring", set(zip(order, order[1:] + order[:1], strict=True)))

    def do_star(self, *order: str) -> None:
        """Connect the first node with all others, and these with it alone."""
        self._keep("star", {(order[0], other) for other in order[1:]})

    def do_chain(self, *order: str) -> None:
        """Connect the nodes in a row."""
        self._keep("chain", set(pairwise(order)))

    # The nodes.

    def do_crash(self, name: str) -> None:
        """Stop a node at once."""
        if not self.may_crash(name):
            return
        if self._simulation.processes[name].up:
            self._count("crash")
        self._simulation.processes[name].crash()

    def do_crash_all(self) -> None:
        """Stop all nodes at once."""
        self._count("crash_of_all")
        for name in self._simulation.names:
            self.do_crash(name)

    def do_crash_in_a_step(self, name: str, steps: int) -> None:
        """Stop a node after some more steps, wherever it then is."""
        self._simulation.processes[name].steps_to_crash = steps

    def do_start(self, name: str) -> None:
        """Start a node that is down."""
        self._simulation.processes[name].start()

    def do_pause(self, name: str) -> None:
        """Stop a node as SIGSTOP does."""
        self._count("pause")
        self._simulation.processes[name].pause()

    def do_resume(self, name: str) -> None:
        """Let it go on."""
        self._simulation.processes[name].resume()

    def do_slow(self, name: str) -> None:
        """Make every turn of a node take 10 ms."""
        self._count("slow_steps")
        self._simulation.processes[name].slowness = 500.0

    def do_fast(self, name: str) -> None:
        """End that."""
        self._simulation.processes[name].slowness = 1.0

    def do_clock(self, name: str, offset: float, rate: float) -> None:
        """Set a node's clock: where it begins, and how fast it goes."""
        self._count("clock")
        process = self._simulation.processes[name]
        process.offset, process.rate = offset, rate
        if abs(rate - 1) > self._simulation.timing.drift:
            self._count("wild_clock")
            self._simulation.wild_clocks = True

    def do_pause_checks(self, share: float) -> None:
        """Stop a node now and then between the check of a term and the act that relies on it."""
        self._simulation.paused_checks = share

    def do_usurp(self, name: str) -> None:
        """Let a node begin a ballot, whoever leads."""
        if self._simulation.processes[name].usurp():
            self._count("usurpation")

    def do_relic(self, name: str) -> None:
        """Let a node propose something that rests on what is over."""
        process = self._simulation.processes[name]
        if process.up:
            self._count("relic")
            process.later(0.0, propose_relic, self._random, process, self._simulation.names)

    def do_depose(self, rival: str, way: str) -> None:
        """Let a rival begin a ballot, of which the leader does not hear, or only in some ways.

        It is ``cut`` off from all or from the ``rival`` alone; or it is ``deaf`` to the rival,
        ``mute`` to all, or nothing is cut (``open``). Or the leader is its own rival (``self``),
        and begins anew.
        """
        leader, names = self._simulation.leader(), self._simulation.names
        if leader is None:
            return
        if way == "self":
            rival = leader
        elif leader == rival:
            rival = names[names.index(rival) - 1]
        order = (leader, *(name for name in names if name != leader))
        weather = self._simulation.network.weather
        if way == "cut":
            self.do_isolate(*order)
        elif way == "mute":
            self.do_one_way(*order)
        elif way == "rival":
            weather.cut = {(leader, rival), (rival, leader)}
        elif way == "deaf":
            weather.cut = {(rival, leader)}
        if self._simulation.processes[rival].usurp():
            self._count("coup")

    def do_read(self, name: str) -> None:
        """Read a node's state, in one of the ways in which that may be done."""
        lease = self._simulation.timing.lease_reads and not self._simulation.wild_clocks
        self._count("read")
        self._simulation.processes[name].barrier(
            lambda: None, lease=lease and self._random.random() < 0.5
        )

    def do_suspend_all(self, seconds: float) -> None:
        """Let nothing happen for so long, as when all machines sleep; then all goes on."""
        self._count("suspension")
        self._simulation.world.skip(seconds)

    def do_set_time(self, name: str, error: float) -> None:
        """Let a node's time of day jump."""
        self._count("wall_clock")
        self._simulation.processes[name].wall_error = error

    # The disks.

    def do_slow_disk(self, name: str) -> None:
        """Make every sync take a hundred times longer."""
        self._count("slow_disk")
        self._simulation.processes[name].disk.slowness = 100.0

    def do_fast_disk(self, name: str) -> None:
        """End that."""
        self._simulation.processes[name].disk.slowness = 1.0

    def do_fail_sync(self, name: str, once: bool) -> None:
        """Let the next write fail, or every one."""
        self._count("failed_sync_once" if once else "failed_sync")
        disk = self._simulation.processes[name].disk
        disk.trouble, disk.once = "disk I/O error", once

    def do_fill_disk(self, name: str) -> None:
        """Let every write fail."""
        self._count("disk_full")
        disk = self._simulation.processes[name].disk
        disk.trouble, disk.once = "database or disk is full", False

    def do_mend_disk(self, name: str) -> None:
        """Let writes of the node's next life succeed."""
        self._simulation.processes[name].disk.trouble = ""

    def do_keep_copy(self, name: str) -> None:
        """Copy what a node has stored; not what a failed sync has left in the system's cache."""
        disk = self._simulation.processes[name].disk
        if not disk.failed:
            disk.medium.keep_copy()

    def do_flip_bit(self, name: str) -> None:
        """Flip a bit in what a node that is down has stored."""
        if self._may_spoil(name, "flipped_bit"):
            self._simulation.processes[name].disk.medium.flip_bit()

    def do_restore_copy(self, name: str, whole: bool) -> None:
        """Put an older copy of the journal, or of the whole disk, in the place of a node's own."""
        if self._may_spoil(name, "older_copy"):
            disk = self._simulation.processes[name].disk
            if whole or not disk.medium.witnessed:
                disk.replaced = True
            disk.medium.restore_copy(whole)

    def do_lose_witness(self, name: str) -> None:
        """Remove or damage the witness beside an older copy of the journal of a node."""
        process = self._simulation.processes[name]
        if not process.up and process.disk.touched and process.disk.medium.witnessed:
            self._count("lost_witness")
            if not process.disk.medium.lose_witness():
                process.disk.replaced = True

    def do_wipe(self, name: str, whole: bool) -> None:
        """Remove the journal of a node that is down, or all that is on its disk."""
        if self._may_spoil(name, "wiped_disk"):
            disk = self._simulation.processes[name].disk
            disk.replaced = True if whole else disk.replaced
            disk.medium.wipe(whole)

    def _may_spoil(self, name: str, fault: str) -> bool:
        """Tell whether a journal may be spoilt: of a node that is down, and not too many.

        What is spoilt counts as lost even where the damage proves to be harmless.
        """
        simulation = self._simulation
        process = simulation.processes[name]
        self.lost = {each for each in self.lost if not self._readmitted(each)}
        if process.up or len(self.lost | {name}) > (len(simulation.names) - 1) // 2:
            return False
        self._count(fault)
        self.lost.add(name)
        process.disk.spoilt = process.disk.touched = True
        return True

    def _readmitted(self, name: str) -> bool:
        """Tell whether a node votes again, and will do so after its next crash.

        Until the others have heard of the journal that it has now, they take that for a wrong one.
        """
        process = self._simulation.processes[name]
        if not (process.up and process.roles.admission.admitted and self._knows(name)):
            return False
        others = [p for p in self._simulation.processes.values() if p.up and p is not process]
        known = {other.roles.admission.remember(name)[0] for other in others}
        return known <= {0, process.disk.journal.mark[0]}

    def _knows(self, name: str) -> bool:
        """Tell whether a node knows as much as it ever did, or knows that it does not."""
        durable = self._simulation.jury.memory.nodes.get(name)
        return durable is None or durable.forgot is None or durable.noticed

    def would_be_noticed(self, name: str) -> bool:
        """Tell whether whoever lets this node vote will know that its journal has gone back."""
        simulation = self._simulation
        identity, writes = simulation.processes[name].disk.journal.mark
        unaware = 0
        for other, process in simulation.processes.items():
            if other != name:
                known = process.roles.admission.remember(name) if process.up else (0, 0)
                aware = known[0] not in (0, identity) or known[1] > writes
                unaware += not aware
        return unaware < simulation.quorums.size - 1

    def may_crash(self, name: str) -> bool:
        """Tell whether a node may crash: not while it alone knows that another has gone back."""
        return all(self._knows(other) for other in self._simulation.names if other != name)

    def heal_core(self, core: set[str], others_fate: Any) -> None:
        """Make a core of nodes whole, and every other node's trouble permanent."""
        simulation = self._simulation
        weather = simulation.network.weather
        kept = {(a, b) for a in core for b in core}
        weather.cut = {link for link in weather.cut if link not in kept}
        weather.loss = weather.duplication = weather.straggling = 0.0
        weather.corruption = weather.replay = weather.refusal = 0.0
        weather.delay = (0.0001, 0.001)  # small datagrams may stay: they are no fault
        weather.filtered = set()
        self.do_hurry()
        simulation.paused_checks = 0.0
        for name in simulation.names:
            process = simulation.processes[name]
            if name in core:
                self._make_whole(name)
                continue
            fate = others_fate.choice(("stays", "crashed", "paused", "deaf", "mute"))
            simulation.world.note(f"{name} {fate} for ever")
            if fate == "crashed":
                process.crash()
            elif fate == "paused":
                process.pause()
            elif fate == "deaf":
                weather.cut |= {(other, name) for other in simulation.names}
            elif fate == "mute":
                weather.cut |= {(name, other) for other in simulation.names}

    def _make_whole(self, name: str) -> None:
        process = self._simulation.processes[name]
        process.disk.slowness, process.slowness = 1.0, 1.0
        process.steps_to_crash = None
        if process.disk.trouble or process.disk.failed:
            process.disk.trouble = ""
            for other in self._simulation.names:
                if other != name and not self._knows(other):
                    self._simulation.processes[other].crash()  # it could ask one that knows no more
            process.crash()
        process.resume()
        process.start()
