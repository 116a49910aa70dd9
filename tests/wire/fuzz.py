"""Feeds the only reader of untrusted bytes with what a coverage-guided fuzzer invents.

    python -m tests.wire.fuzz --runs 1000000

It needs the extra ``fuzz``. An input's first byte says what the rest is: a datagram, a frame in an
authentic datagram of a peer that is believed or not, an altered datagram, a message, or a value of
the log. It fails, and leaves the input in the working directory, when something other than
`Malformed` is raised, when one input takes more than a millisecond however often it is tried, or
when memory grows without bound.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["paxos.wire"]):
    from paxos.wire import Malformed, decode, decode_value, encode, encode_value
    from paxos.wire.cbor import array
    from paxos.wire.codec import LAYOUTS

from tests.wire.links import acquaint, seal, wire
from tests.wire.test_codec import messages_of, values

MAX_SECONDS: Final = 0.001
"""What one datagram may take of this thread's processor time; instrumented code is slower still."""

ATTEMPTS: Final = 20
"""How often a slow input is tried again: the garbage collector is nobody's fault."""

LIFE: Final = 5_000
"""Inputs after which the wires begin anew."""

MAX_DATAGRAM: Final = 1_400
KINDS: Final = 6


class Harness:
    """Two ends of a link, and a third that has not been met."""

    def __init__(self) -> None:
        self.inputs = 0
        self.slowest = 0.0
        self._begin()

    def _begin(self) -> None:
        self.target = wire("node2", MAX_DATAGRAM)
        self.peer, self.stranger = wire("node1", MAX_DATAGRAM), wire("node3", MAX_DATAGRAM)
        acquaint(self.peer, self.target)

    def __call__(self, data: bytes) -> None:
        """Try one input."""
        if self.inputs % LIFE == 0:
            self._begin()
        self.inputs += 1
        seconds = self._try(data)
        for _ in range(ATTEMPTS):
            if seconds <= MAX_SECONDS:
                break
            seconds = min(seconds, self._try(data))
        self.slowest = max(self.slowest, seconds)
        if seconds > MAX_SECONDS:
            raise RuntimeError(f"{len(data)} bytes took {seconds * 1e3:.2f} ms")

    def _try(self, data: bytes) -> float:
        """Read the input as what it says it is; return the time that took."""
        kind, rest = (data[0] % KINDS, data[1:]) if data else (0, b"")
        match kind:
            case 0:
                return self._receive(rest)
            case 1:
                return self._receive(seal(self.peer, self.target, rest))
            case 2:
                return self._receive(seal(self.stranger, self.target, rest))
            case 3:
                return self._receive(_altered(seal(self.peer, self.target, b"\x80"), rest))
            case 4:
                start = time.thread_time()
                with suppress(Malformed):
                    decode(rest)
            case _:
                start = time.thread_time()
                with suppress(Malformed):
                    decode_value(rest)
        return time.thread_time() - start

    def _receive(self, datagram: bytes) -> float:
        start = time.thread_time()
        self.target.incoming(datagram)
        return time.thread_time() - start


def _altered(datagram: bytes, changes: bytes) -> bytes:
    """Change a datagram at some places: pairs of a place and what to do to the byte there."""
    altered = bytearray(datagram)
    for place, change in zip(changes[::2], changes[1::2], strict=False):
        altered[place % len(altered)] ^= change
    return bytes(altered)


def samples() -> list[bytes]:
    """Return inputs to begin with: some of everything that travels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # examples are not for tests, which this is not
        messages = [encode(messages_of(cls).example()) for cls, _ in LAYOUTS.values()]
        written = [encode_value(values.example()) for _ in range(20)]
    found = [bytes((kind,)) + array([message]) for message in messages for kind in (1, 2)]
    found += [b"\x00" + seal(wire("node1"), wire("node2"), array(messages[:1])), b"\x03\x02\x01"]
    found += [b"\x04" + message for message in messages]
    return found + [b"\x05" + value for value in written]


def main(arguments: list[str] | None = None) -> None:
    """Fuzz, and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire.fuzz")
    parser.add_argument("--runs", type=int, default=100_000, help="how many inputs")
    parser.add_argument("--seconds", type=int, default=0, help="at most so long; 0 for no limit")
    parser.add_argument("--seed", type=int, default=0, help="0 draws one")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="paxos-fuzz-") as corpus:
        for number, sample in enumerate(samples()):
            (Path(corpus) / f"{number:03}").write_bytes(sample)
        flags = [
            *(f"-runs={asked.runs}", f"-max_total_time={asked.seconds}", f"-seed={asked.seed}"),
            *(f"-max_len={MAX_DATAGRAM}", "-rss_limit_mb=1024", "-print_final_stats=1"),
        ]
        atheris.Setup([sys.argv[0], *flags, corpus], Harness())
        atheris.Fuzz()


if __name__ == "__main__":
    main()
