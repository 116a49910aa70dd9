"""A client that keeps so many requests in flight on one connection, at little cost of its own."""

from __future__ import annotations

import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

from benchmarks.peers.work import Work, sum_up

BUFFER = 1 << 18

PAUSE = 0.004
"""Seconds between two puts of a client that waits for the first that is done."""


class Connection(ABC):
    """A TCP connection on which requests are answered by number, in any order."""

    def __init__(self, port: int, timeout: float = 5.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @abstractmethod
    def put(self, number: int) -> bytes:
        """Return the bytes that put a value under this request's number."""

    @abstractmethod
    def answers(self) -> Iterator[tuple[int, bool]]:
        """Take whole answers off ``unread``: the request's number, and whether it was done."""

    def receive(self) -> list[tuple[int, bool]]:
        """Wait for bytes; return the answers that they complete. Raises OSError when it ends."""
        data = self.socket.recv(BUFFER)
        if not data:
            raise ConnectionResetError("the other side has closed")
        self.unread += data
        return list(self.answers())

    def put_one(self, number: int) -> bool:
        """Put one value; tell whether it was done."""
        self.socket.sendall(self.put(number))
        while True:
            for answered, done in self.receive():
                if answered == number:
                    return done

    def put_until_done(self, seconds: float) -> float | None:
        """Put every few milliseconds; return when the first was done, None if none was in time."""
        end = time.monotonic() + seconds
        number = 0
        while (now := time.monotonic()) < end:
            number += 1
            self.socket.sendall(self.put(number))
            again = now + PAUSE
            while (left := again - time.monotonic()) > 0:
                ready, _, _ = select.select([self.socket], [], [], left)
                if ready and any(done for _, done in self.receive()):
                    return time.monotonic()
        return None

    def drive(self, inflight: int, seconds: float) -> Work:
        """Keep so many requests in flight."""
        sent: dict[int, float] = {}
        latencies: list[float] = []
        number = 0
        began, cpu = time.perf_counter(), time.process_time()
        end = began + seconds

        def ask(count: int) -> None:
            nonlocal number
            now = time.perf_counter()
            batch = bytearray()
            for _ in range(count):
                number += 1
                batch += self.put(number)
                sent[number] = now
            self.socket.sendall(batch)

        ask(inflight)
        while sent:
            answered = self.receive()
            now = time.perf_counter()
            for one, done in answered:
                if not done:
                    raise ConnectionError("a request was refused")
                latencies.append(now - sent.pop(one))
            if now < end and answered:
                ask(len(answered))
        return sum_up(latencies, time.perf_counter() - began, time.process_time() - cpu)
