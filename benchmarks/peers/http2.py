"""As much of HTTP/2 (RFC 9113) and gRPC as unary calls with small answers need, and no more.

General clients cost several times what a put costs etcd, and then only the client is measured.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from benchmarks.peers.pipelined import Connection
from benchmarks.peers.work import VALUE

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
POST, HTTP = b"\x83", b"\x86"
"""``:method: POST`` and ``:scheme: http`` in HPACK's static table (RFC 7541)."""

WINDOW: Final = (1 << 30) - 1
"""So many bytes of answers may come without our saying that there is room."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name: str, value: str) -> bytes:
    """Return a header, literal and never indexed."""
    one, other = name.encode(), value.encode()
    return bytes((0, len(one))) + one + bytes((len(other),)) + other


def protobuf_bytes(field: int, data: bytes) -> bytes:
    """Return a field of bytes, shorter than 128."""
    return bytes((field << 3 | 2, len(data))) + data


class EtcdConnection(Connection):
    """Calls ``Put`` of etcd's key-value service."""

    def __init__(self, port: int, timeout: float = 5.0) -> None:
        super().__init__(port, timeout)
        self._headers = (
            POST
            + HTTP
            + header(":path", "/etcdserverpb.KV/Put")
            + header(":authority", f"127.0.0.1:{port}")
            + header("te", "trailers")
            + header("content-type", "application/grpc")
        )
        self._done: set[int] = set()
        settings = struct.pack(">HI", 4, WINDOW)  # SETTINGS_INITIAL_WINDOW_SIZE
        room = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65_535))
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings) + room)

    def put(self, number: int) -> bytes:
        """Put under one of a thousand keys."""
        key = b"key%03d" % (number % 1000)
        message = protobuf_bytes(1, key) + protobuf_bytes(2, VALUE)
        body = struct.pack(">BI", 0, len(message)) + message
        stream = 2 * number - 1
        return frame(HEADERS, END_HEADERS, stream, self._headers) + frame(
            DATA, END_STREAM, stream, body
        )

    def answers(self) -> Iterator[tuple[int, bool]]:
        """Yield streams that have ended; a put that was done has sent a body before."""
        unread, at = self.unread, 0
        while len(unread) - at >= 9:
            length = int.from_bytes(unread[at : at + 3], "big")
            if len(unread) - at < 9 + length:
                break
            kind, flags, stream = struct.unpack_from(">BBI", unread, at + 3)
            if kind == DATA and length:
                self._done.add(stream)
            elif kind == SETTINGS and not flags & ACK:
                self.socket.sendall(frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                self.socket.sendall(frame(PING, ACK, 0, bytes(unread[at + 9 : at + 9 + length])))
            elif kind == GOAWAY:
                raise ConnectionResetError("the server goes away")
            if kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
                yield (stream + 1) // 2, stream in self._done
                self._done.discard(stream)
            at += 9 + length
        del unread[:at]
