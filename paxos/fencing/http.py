"""A guard in front of a web application: the leader sends its epoch in a header.

=========================  ====================================================================
status                     when
=========================  ====================================================================
400 Bad Request            the header is not a whole number from 1 on, or came twice
412 Precondition Failed    a newer epoch has been here; its number is in the answer's header
428 Precondition Required  the header is missing
503 Service Unavailable    acts of an older epoch have not ended yet: try again
=========================  ====================================================================

The guard holds for one process. Where several serve one resource, or where the work ends in a
database, take the epoch from `EPOCH_HEADER` and use `paxos.fencing.SqlGuard` in the transaction.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from paxos.errors import GuardBusy, StaleEpoch
from paxos.fencing.guard import Guard

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EPOCH_HEADER: Final = "Paxos-Epoch"
"""Of a request: the leader's epoch. Of a refusal: the newest one."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110) pass without an epoch."""

PATIENCE: Final = 5.0
"""How many seconds a request of a new epoch waits in `WsgiGuard` for older ones to end."""

_EPOCH: Final = re.compile(r"[1-9][0-9]{0,17}")

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApplication: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Refused(Exception):  # noqa: N818 - an answer, and no error of ours
    """The answer to a request that is not let through."""

    def __init__(self, status: HTTPStatus, text: str, **headers: str) -> None:
        self.status = status
        self.body = f"{text}\n".encode()
        self.headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(self.body))),
            *((name.replace("_", "-"), value) for name, value in headers.items()),
        ]


def read_epoch(header: str) -> int:
    """Return the epoch that a header gives; raise `ValueError` that says what is wrong with it."""
    if not _EPOCH.fullmatch(header):
        raise ValueError(f"the header {EPOCH_HEADER} must be a whole number from 1 on")
    return int(header)


def _enter(guard: Guard, header: str | None, timeout: float) -> int:
    """Let a request in and return its epoch, or raise `_Refused`."""
    if header is None:
        raise _Refused(
            HTTPStatus.PRECONDITION_REQUIRED, f"the header {EPOCH_HEADER} is missing: who leads?"
        )
    try:
        epoch = read_epoch(header)
        guard.enter(epoch, timeout)
    except ValueError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
    except StaleEpoch as error:
        newest = str(error.newest)
        raise _Refused(HTTPStatus.PRECONDITION_FAILED, str(error), Paxos_Epoch=newest) from None
    except GuardBusy as error:
        raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error), Retry_After="1") from None
    return epoch


class WsgiGuard:
    """WSGI middleware (PEP 3333): ``app.wsgi_app = WsgiGuard(app.wsgi_app, Guard("fence.db"))``."""

    def __init__(self, app: WSGIApplication, guard: Guard, patience: float = PATIENCE) -> None:
        self._app = app
        self._guard = guard
        self._patience = patience

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] in SAFE_METHODS:
            return self._app(environ, start_response)
        header = environ.get("HTTP_" + EPOCH_HEADER.upper().replace("-", "_"))
        try:
            epoch = _enter(self._guard, header, self._patience)
        except _Refused as refused:
            status = refused.status
            start_response(f"{status.value} {status.phrase}", refused.headers)
            return [refused.body]
        try:
            return _Body(self._app(environ, start_response), self._guard, epoch)
        except BaseException:
            self._guard.leave(epoch)
            raise


class _Body:
    """An answer that leaves the guard when it is closed, which PEP 3333 asks of every server."""

    def __init__(self, body: Iterable[bytes], guard: Guard, epoch: int) -> None:
        self._body = body
        self._guard = guard
        self._epoch = epoch
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """End the act."""
        if self._closed:
            return
        self._closed = True
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._guard.leave(self._epoch)


class AsgiGuard:
    """ASGI middleware for HTTP: ``app = AsgiGuard(app, Guard("fence.db"))``.

    A request of a new epoch does not wait for older ones to end, since the server's loop must not:
    it is answered 503. Websockets and the like pass unguarded.
    """

    def __init__(self, app: AsgiApplication, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        name = EPOCH_HEADER.lower().encode()
        given = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
        try:
            epoch = _enter(self._guard, ",".join(given) if given else None, 0.0)
        except _Refused as refused:
            await _answer(send, refused)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._guard.leave(epoch)


async def _answer(send: Send, refused: _Refused) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in refused.headers]
    await send({"type": "http.response.start", "status": refused.status.value, "headers": headers})
    await send({"type": "http.response.body", "body": refused.body})
