"""What sealing and opening a datagram costs beside the bare cipher, in one run.

    python -m benchmarks.sealing --bytes 1200

Both do the same work for the cipher. The last line of the output is JSON; ``ratio`` is the cost of
sealing and opening by that of the two bare AES-GCM operations.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paxos.wire import Sealer

ROUNDS: Final = 15
COUNT: Final = 5_000
"""How many datagrams each round seals and opens; the best round counts."""

SOURCE, TARGET = "node1", "node2"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sealing")
    parser.add_argument("--bytes", type=int, default=1_200, help="of a whole datagram")
    print(json.dumps(measure(parser.parse_args(arguments).bytes)))


def measure(length: int) -> dict[str, float]:
    """Return the costs in microseconds, and their ratio."""
    key = os.urandom(32)
    source, target = Sealer("benchmark", key, SOURCE), Sealer("benchmark", key, TARGET)
    plaintext = bytes(length - source.overhead(TARGET))
    cipher, nonce, header = AESGCM(key), bytes(12), bytes(60)
    sealed = cipher.encrypt(nonce, plaintext, header)
    rounds: list[tuple[float, float, float]] = []
    datagrams: deque[bytes] = deque()
    for _ in range(ROUNDS):
        seal = _time(lambda: datagrams.append(source.seal(TARGET, plaintext)))
        opened = _time(lambda: target.open(datagrams.popleft()))
        bare = _time(lambda: cipher.encrypt(nonce, plaintext, header))
        bare += _time(lambda: cipher.decrypt(nonce, sealed, header))
        rounds.append((seal, opened, bare))
    seal, opened, bare = map(min, zip(*rounds, strict=True))
    return {
        "bytes": length,
        "seal_us": round(seal, 2),
        "open_us": round(opened, 2),
        "bare_us": round(bare, 2),
        "ratio": round((seal + opened) / bare, 2),
    }


def _time(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(COUNT):
        do()
    return (time.perf_counter() - start) / COUNT * 1e6


if __name__ == "__main__":
    main()
