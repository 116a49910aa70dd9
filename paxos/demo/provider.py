"""The payment provider, as a process of its own: ``python -m paxos.demo.provider``.

It stands for everything that a consensus package cannot control. It is slow, and it loses requests
and answers. Two of its habits make the story safe, and a real provider should have both: it
remembers idempotency keys, and it refuses an epoch older than the newest it has seen.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

import flask
import waitress

from paxos.demo.ledger import Ledger, Outcome, Receipt, Request
from paxos.fencing import EPOCH_HEADER, read_epoch
from paxos.node.lifeline import end_with_parent

MAX_BODY: Final = 4096
"""The largest request body, in bytes."""

THREADS: Final = 8

STATUS: Final = {
    Outcome.CHARGED: 201,
    Outcome.REPEATED: 200,
    Outcome.UNKNOWN: 404,
    Outcome.FENCED: 412,
    Outcome.MISUSED: 422,
}
"""The HTTP status for each outcome; 412 is "precondition failed": the epoch is not the newest."""

LOST: Final = 504
"""The status of a gateway that gave up waiting: whoever gets it knows nothing."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


class Mood:
    """How well the provider answers today."""

    def __init__(self, latency: float = 0.0, loss: float = 0.0, seed: int = 0) -> None:
        self.latency = latency
        """About how long a charge takes, in seconds."""
        self._loss = loss
        self._chance = random.Random(seed)  # noqa: S311 - a story, no secret
        self._holding = False
        self._released = threading.Event()

    def loses(self) -> bool:
        """Tell whether something is lost now."""
        return self._chance.random() < self._loss

    def hear(self, word: str) -> None:
        """Obey the story: ``hold`` back the answer to the next charge, and ``release`` it."""
        if word == "hold":
            self._released.clear()
            self._holding = True
        elif word == "release":
            self._released.set()

    def hold_if_told(self, epoch: int) -> None:
        """Hold the answer back, and tell the story that a charge of this epoch is accepted."""
        if self._holding:
            self._holding = False
            print(json.dumps({"accepted": epoch}), flush=True)
            self._released.wait()


def make_app(ledger: Ledger, mood: Mood | None = None) -> flask.Flask:
    """Return the provider's interface."""
    app = flask.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    mood = mood or Mood()

    def lost() -> tuple[flask.Response, int]:
        return flask.jsonify(error="a gateway gave up waiting"), LOST

    def answer(receipt: Receipt) -> tuple[flask.Response, int]:
        body = flask.jsonify(
            outcome=receipt.outcome, charge=receipt.charge, newest_epoch=receipt.newest_epoch
        )
        return body, STATUS[receipt.outcome]

    @app.post("/charge")
    def charge() -> tuple[flask.Response, int]:
        arrived = time.time()
        request = read_request(flask.request)
        # Some of the time passes before the money moves and some after: a leader that is killed
        # meanwhile leaves a charge of which nobody but the ledger knows.
        time.sleep(mood.latency / 2)
        if mood.loses():
            return lost()
        receipt = ledger.charge(request, arrived)
        if receipt.outcome is Outcome.CHARGED:
            mood.hold_if_told(request.epoch)
        time.sleep(mood.latency / 2)
        return lost() if mood.loses() else answer(receipt)

    @app.post("/look-up")
    def look_up() -> tuple[flask.Response, int]:
        key, epoch = read_headers(flask.request)
        receipt = ledger.look_up(key, epoch, time.time())
        return lost() if mood.loses() else answer(receipt)

    @app.errorhandler(ValueError)
    def refuse(error: ValueError) -> tuple[flask.Response, int]:
        return flask.jsonify(error=str(error)), 400

    return app


def read_headers(request: flask.Request) -> tuple[str, int]:
    """Return key and epoch; raise `ValueError` that says what is wrong with them."""
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise ValueError("the header Idempotency-Key must be 1 to 200 printable characters")
    return key, read_epoch(request.headers.get(EPOCH_HEADER, ""))


def read_request(request: flask.Request) -> Request:
    """Take an HTTP request apart; raise `ValueError` that says what is wrong with it."""
    key, epoch = read_headers(request)
    match request.get_json(silent=True):
        case {"subscription": str(subscription), "period": str(period), "cents": int(cents)} if (
            type(cents) is int and 1 <= cents < 1_000_000_00
        ):
            return Request(key, epoch, subscription, period, cents)
    raise ValueError("the body must be JSON with subscription, period and a positive cents")


def main() -> None:
    """Serve on a port of the system's choice, printed as JSON; stop on SIGTERM."""
    parser = argparse.ArgumentParser(description="A payment provider with a ledger.")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds for each charge")
    parser.add_argument("--loss", type=float, default=0.0, help="share of answers that are lost")
    parser.add_argument("--seed", type=int, default=0, help="decides which")
    options = parser.parse_args()
    mood = Mood(options.latency, options.loss, options.seed)
    end_with_parent(mood.hear)
    # waitress ends on SystemExit when the requests at work are answered
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    ledger = Ledger(options.ledger)
    server = waitress.create_server(
        make_app(ledger, mood), host="127.0.0.1", port=0, threads=THREADS
    )
    print(json.dumps({"port": server.effective_port}), flush=True)
    server.run()
    ledger.close()


if __name__ == "__main__":
    main()
