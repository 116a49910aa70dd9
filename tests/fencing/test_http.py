from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from paxos.fencing import AsgiGuard, Guard, StaleEpoch, WsgiGuard, read_epoch
from paxos.fencing.http import Receive, Scope, Send

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BAD = ["", "0", "-1", "1e3", "9" * 19, "\u0661", "7,7", " 7", "7 "]


class Shop:
    """An application that counts what it did."""

    def __init__(self) -> None:
        self.acts = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/broken":
            raise ZeroDivisionError
        self.acts += 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done\n"]


def start(
    app: WsgiGuard, epoch: str | None, method: str = "POST", path: str = "/"
) -> tuple[str, dict[str, str], Any]:
    """Begin a request as a strict server does; return status, headers and the open body."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
    }
    setup_testing_defaults(environ)
    environ["wsgi.input"] = io.BytesIO()
    if epoch is not None:
        environ["HTTP_PAXOS_EPOCH"] = epoch
    heard: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        heard.extend((status, dict(headers)))
        return lambda _: None

    body = validator(app)(environ, start_response)
    content = iter(body)
    first = next(content, b"")
    return heard[0], heard[1], (first, content, body)


def ask(app: WsgiGuard, epoch: str | None, method: str = "POST", path: str = "/") -> str:
    status, _, (_, content, body) = start(app, epoch, method, path)
    list(content)
    body.close()
    return status


def test_a_request_of_an_older_epoch_is_refused_and_told_the_newest() -> None:
    shop = Shop()
    app = WsgiGuard(shop, Guard())
    assert ask(app, "7") == "200 OK"
    status, headers, (text, content, body) = start(app, "6")
    list(content)
    body.close()
    assert status == "412 Precondition Failed"
    assert headers["Paxos-Epoch"] == "7"
    assert b"epoch 7 has been here" in text
    assert shop.acts == 1


def test_an_answer_that_is_still_sent_holds_back_a_newer_epoch() -> None:
    app = WsgiGuard(Shop(), Guard(), patience=0)
    _, _, (_, content, body) = start(app, "1")
    status, headers, (_, refusal_content, refusal) = start(app, "2")
    list(refusal_content)
    refusal.close()
    assert status == "503 Service Unavailable"
    assert headers["Retry-After"] == "1"
    list(content)
    body.close()
    assert ask(app, "2") == "200 OK"
    assert ask(app, "1") == "412 Precondition Failed"


def test_an_application_that_fails_leaves_the_guard() -> None:
    app = WsgiGuard(Shop(), Guard(), patience=0)
    with pytest.raises(ZeroDivisionError):
        ask(app, "1", path="/broken")
    assert ask(app, "2") == "200 OK"


def test_what_changes_nothing_needs_no_epoch() -> None:
    app = WsgiGuard(Shop(), Guard())
    assert ask(app, None, "GET") == "200 OK"
    assert ask(app, None, "POST") == "428 Precondition Required"


@pytest.mark.parametrize("header", BAD)
def test_a_malformed_epoch_is_refused(header: str) -> None:
    shop = Shop()
    assert ask(WsgiGuard(shop, Guard()), header) == "400 Bad Request"
    assert shop.acts == 0
    with pytest.raises(ValueError, match="Paxos-Epoch must be a whole number"):
        read_epoch(header)


class AsgiShop:
    """The same for ASGI; in the middle of a request, epoch 9 asks ``nested``."""

    def __init__(self) -> None:
        self.acts = 0
        self.nested: AsgiGuard | None = None
        self.nested_status = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/broken":
            raise ZeroDivisionError
        if self.nested is not None:
            app, self.nested = self.nested, None
            self.nested_status = (await ask_asgi(app, "9"))[0]
        self.acts += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done\n"})


async def ask_asgi(
    app: AsgiGuard, *epochs: str, method: str = "POST", path: str = "/", kind: str = "http"
) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any:
        raise NotImplementedError

    headers = [(b"host", b"shop"), *((b"paxos-epoch", epoch.encode()) for epoch in epochs)]
    scope = {"type": kind, "method": method, "path": path, "headers": headers}
    await app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


async def test_asgi_refuses_an_older_epoch() -> None:
    shop = AsgiShop()
    app = AsgiGuard(shop, Guard())
    assert (await ask_asgi(app, "7"))[0] == 200
    status, headers = await ask_asgi(app, "6")
    assert (status, headers[b"paxos-epoch"]) == (412, b"7")
    assert shop.acts == 1


async def test_asgi_answers_busy_rather_than_wait() -> None:
    shop = AsgiShop()
    app = shop.nested = AsgiGuard(shop, Guard())
    assert (await ask_asgi(app, "1"))[0] == 200
    assert shop.nested_status == 503
    assert (await ask_asgi(app, "9"))[0] == 200


async def test_asgi_leaves_the_guard_when_the_application_fails() -> None:
    guard = Guard()
    with pytest.raises(ZeroDivisionError):
        await ask_asgi(AsgiGuard(AsgiShop(), guard), "1", path="/broken")
    guard.enter(2, timeout=0)
    with pytest.raises(StaleEpoch):
        guard.enter(1)


async def test_asgi_wants_one_epoch_where_something_changes() -> None:
    app = AsgiGuard(AsgiShop(), Guard())
    assert (await ask_asgi(app, method="GET"))[0] == 200
    assert (await ask_asgi(app, kind="websocket"))[0] == 200
    assert (await ask_asgi(app))[0] == 428
    assert (await ask_asgi(app, "7", "7"))[0] == 400
    for header in BAD:
        assert (await ask_asgi(app, header))[0] == 400
