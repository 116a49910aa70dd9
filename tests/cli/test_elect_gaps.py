"""How long nobody holds an election after its holder is killed, paused, restarted or stopped.

``pytest -m campaign -s tests/cli/test_elect_gaps.py`` tells every gap.
"""

from __future__ import annotations

import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paxos.node.cluster import Timing
from tests.cli.electors import House, house

APPEND = "while :; do echo $PAXOS_EPOCH $(date +%s.%N) >> {file}; sleep 0.005; done"

FEW_ROUNDS = 0.15
"""Seconds that a new holder has for being elected and starting its command."""

ROUNDS = 30


class Drill:
    """Harms members that are ``paxos elect`` processes, and notes what came of it."""

    def __init__(self, members: House, lease: float, seed: int) -> None:
        self.members, self.lease = members, lease
        self.random = random.Random(seed)
        self.gaps: defaultdict[str, list[float]] = defaultdict(list)

    def others(self) -> list[str]:
        holder = self.members.leader()
        return [name for name in self.members.running if name != holder]

    def next_(self, fault: str, since: float, epoch: int) -> None:
        """Wait for the next holder's first line; note the time that it took."""
        self.members.until_epoch(epoch + 1)
        lines = [line.split() for line in self.members.file.read_text().splitlines()]
        self.gaps[fault].append(min(float(at) for e, at in lines if int(e) > epoch) - since)

    def lose(self, fault: str, number: signal.Signals) -> str:
        """Send the holder a signal, wait until another one leads, and return its name."""
        holder, epoch = self.members.leader(), self.members.epochs()[-1]
        since = time.time()
        self.members.running[holder].send_signal(number)
        self.next_(fault, since, epoch)
        return holder

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause a member that waits, shortly before what is done inside; resume it long after."""
        name = self.random.choice(self.others())
        self.members.running[name].send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.2, 1.0) * self.lease)
        yield
        self.members.running[name].send_signal(signal.SIGCONT)

    def restart(self, *names: str) -> None:
        """Start members again; wait until all stand and a quorum can be lost again."""
        for name in names:
            stood = self.members.log(name).count("stands in")
            self.members.start(name)
            self.members.until(lambda: self.members.log(name).count("stands in") > stood)  # noqa: B023 - called here
        time.sleep(self.random.uniform(0.3, 1.5) * max(self.lease, 0.5))

    def round_(self, kind: int) -> None:
        """Do one thing to the members; some of them need five."""
        five = len(self.members.running) == 5
        if kind == 0 and five:
            with self.paused():
                self.restart(self.lose("kill -9, another paused", signal.SIGKILL))
        elif kind == 1 and five:
            dead = self.random.choice(self.others())
            self.members.running[dead].kill()
            self.restart(dead, self.lose("kill -9 of two", signal.SIGKILL))
        elif kind == 2:
            paused = self.lose("SIGSTOP", signal.SIGSTOP)
            time.sleep(2 * self.lease)
            self.members.running[paused].send_signal(signal.SIGCONT)
            time.sleep(self.random.uniform(0.1, 1.0) * self.lease)
        elif kind == 3:
            self.restart(self.lose("SIGTERM", signal.SIGTERM))
        else:
            self.restart(self.lose("kill -9", signal.SIGKILL))


@pytest.mark.campaign
@pytest.mark.parametrize("lease", [1.0, 0.3])
@pytest.mark.parametrize("nodes", [3, 5])
def test_gaps_stay_within_the_lease_and_a_moment(tmp_path: Path, nodes: int, lease: float) -> None:
    with house(tmp_path, nodes, APPEND, timing=Timing(lease=lease)) as members:
        members.until_epoch(1)
        drill = Drill(members, lease, seed=nodes)
        drill.restart()
        for number in range(ROUNDS):
            drill.round_(number % 6)
        epochs = members.epochs()
    assert epochs == sorted(set(epochs)), "lines of two epochs interleave"
    late: list[float] = []
    for fault, gaps in sorted(drill.gaps.items()):
        allowed = FEW_ROUNDS + (0 if fault == "SIGTERM" else lease)
        late += [gap for gap in gaps if gap > allowed]
        print(f"{nodes} nodes, lease {lease:g} s, {fault}: {sorted(round(g, 3) for g in gaps)}")
    assert len(late) <= sum(map(len, drill.gaps.values())) / 10, sorted(late)
