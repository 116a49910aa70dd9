"""Members that are ``paxos elect`` processes, for tests."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import attrs

from paxos.node.cluster import Cluster, Timing

LIMIT = 45.0
APART = Timing(lease=1.0, drift=0.1)
"""The drift keeps terms apart, whatever a busy test machine does."""

APPEND = "while :; do echo $PAXOS_EPOCH >> {file}; sleep 0.01; done"
"""What a leader's command does: lines of two epochs must never interleave."""


class House:
    """Members that are ``paxos elect`` processes with one command."""

    def __init__(
        self, folder: Path, nodes: int, script: str, options: tuple[str, ...], timing: Timing
    ) -> None:
        self.folder, self.options = folder, options
        self.cluster = attrs.evolve(Cluster.local(nodes), timing=timing)
        self.cluster.save(folder / "cluster.toml")
        self.file = folder / "epochs"
        self.script = script.format(file=self.file)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        if name in self.running:
            self.running[name].wait(LIMIT)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "paxos.cli", "elect", "billing"),
                    *("--cluster", str(self.folder / "cluster.toml"), "--node", name),
                    *("--data", str(self.folder / f"{name}.db"), *self.options),
                    *("--", "/bin/sh", "-c", self.script),
                ],
                stdout=log,
                stderr=log,
            )

    def log(self, name: str) -> str:
        file = self.folder / f"{name}.log"
        return file.read_text() if file.exists() else ""

    def epochs(self) -> list[int]:
        """The epochs of the lines, in their order, runs as one."""
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [epoch for epoch, _ in groupby(int(line.split()[0]) for line in lines)]

    def leader(self) -> str:
        """Who leads in the newest epoch, as it says itself."""
        epoch = self.epochs()[-1]
        (name,) = [n for n in self.running if f"leader={n}, epoch={epoch}: " in self.log(n)]
        return name

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, {n: self.log(n) for n in self.running}
            time.sleep(0.005)

    def until_epoch(self, epoch: int) -> str:
        self.until(lambda: bool(self.epochs()) and self.epochs()[-1] >= epoch)
        return self.leader()


@contextmanager
def house(
    folder: Path, nodes: int, script: str = APPEND, *options: str, timing: Timing = APART
) -> Iterator[House]:
    """Start members; kill what is left of them in the end."""
    made = House(folder, nodes, script, options, timing)
    try:
        for name in made.cluster.names:
            made.start(name)
        yield made
    finally:
        for process in made.running.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
