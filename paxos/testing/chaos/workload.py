"""Clients that read, write, and compare and set; what they asked and saw is written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Final

import trio

import paxos
from paxos.testing.linearizability import Recorder
from paxos.testing.processes import LocalCluster

PATIENCE: Final = 1.0
"""Seconds that a client waits for an answer; then the outcome of its operation is unknown."""

THINKING: Final = (0.0, 0.04)
"""Seconds between an answer and the next operation."""

KEYS: Final = 4
"""How many registers are in use at once."""

KEYS_LAST: Final = 1.5
"""Seconds after which new ones are used, so that the history of each stays short."""


class Workload:
    """The clients of one run, and their history."""

    def __init__(
        self, cluster: LocalCluster, seed: int, clients: int, tell: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._seed = seed
        self._clients = clients
        self._tell = tell
        self._values = count(1)
        self._keys: dict[str, list[str]] = {}
        self._began = trio.current_time()
        self._last_answer = self._began
        self._working = True
        self.recorder = Recorder()
        self.outcomes: Counter[str] = Counter({"ok": 0, "failed": 0, "unknown": 0})
        self.answers: Counter[int] = Counter()
        """By client."""
        self.longest_silence = 0.0
        """The longest time, in seconds, in which no client got an answer."""

    async def run(self) -> None:
        """Let all clients work until `finish`."""
        async with trio.open_nursery() as nursery:
            for number in range(self._clients):
                nursery.start_soon(self._work, number)

    def finish(self) -> None:
        """Let every client end after its present operation."""
        self._working = False

    async def hear_from_all(self) -> None:
        """Wait until every client has had an answer to something that it asked from now on."""
        # the first answer may belong to a question of before
        enough = {number: self.answers[number] + 2 for number in range(self._clients)}
        while any(self.answers[number] < least for number, least in enough.items()):
            await trio.sleep(0.01)

    async def read_all(self) -> None:
        """Read every key that was ever used: nothing that was acknowledged may be gone."""
        async with self._cluster.client() as client:
            for key in list(self._keys):
                handle = self.recorder.invoke("last reader", "read", key)
                _, answer = await client.propose(f"r {key}".encode(), timeout=10 * PATIENCE)
                handle.ok(answer.decode() or None)

    async def _work(self, number: int) -> None:
        random = Random(f"{self._seed} client {number}")  # noqa: S311 - replayed on purpose
        process = number
        async with self._cluster.client() as client:
            while self._working:
                outcome = await self._operate(client, process, random)
                self.answers[number] += outcome == "ok"
                if outcome == "unknown":
                    process += self._clients  # a new one, for the old one may still be at work
                await trio.sleep(random.uniform(*THINKING))

    async def _operate(self, client: paxos.Client, process: int, random: Random) -> str:
        f, key, value, command = self._draw(random)
        handle = self.recorder.invoke(process, f, key, value)
        try:
            _, answer = await client.propose(command, timeout=PATIENCE)
        except paxos.NoAnswer:
            handle.fail()
            outcome = "failed"
        except paxos.OutcomeUnknown:
            handle.info()
            outcome = "unknown"
        else:
            outcome = "ok"
            self._answered()
            if f == "cas" and answer == b"no":
                handle.fail()
            else:
                handle.ok(answer.decode() or None)
        self.outcomes[outcome] += 1
        return outcome

    def _draw(self, random: Random) -> tuple[str, str, str | list[str] | None, bytes]:
        """Draw an operation, and the command that carries it out."""
        period = int((trio.current_time() - self._began) / KEYS_LAST)
        key, dice = f"{period}.{random.randrange(KEYS)}", random.random()
        written = self._keys.setdefault(key, [])
        if dice < 0.4:
            return "read", key, None, f"r {key}".encode()
        value = str(next(self._values))
        expected = random.choice(written[-3:]) if written else None
        written.append(value)
        if dice < 0.7 or expected is None:
            return "write", key, value, f"w {key} {value}".encode()
        return "cas", key, [expected, value], f"c {key} {expected} {value}".encode()

    def _answered(self) -> None:
        now = trio.current_time()
        silence, self._last_answer = now - self._last_answer, now
        self.longest_silence = max(self.longest_silence, silence)
        if silence > PATIENCE:
            self._tell(f"nobody was answered for {silence:.1f} s")
