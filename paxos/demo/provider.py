"""The payment provider, as a process of its own: ``python -m paxos.demo.provider``.

It stands for everything that a consensus package cannot control. Two of its habits make the story
safe, and a real provider should have both: it remembers idempotency keys, and it refuses an epoch
older than the newest it has seen.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import signal
import sys
import time
from pathlib import Path
from typing import Final

import flask
import waitress

from paxos.demo.ledger import Ledger, Outcome, Request
from paxos.fencing import EPOCH_HEADER, read_epoch
from paxos.node.lifeline import end_with_parent

MAX_BODY: Final = 4096
"""The largest request body, in bytes."""

THREADS: Final = 8

STATUS: Final = {
    Outcome.CHARGED: 201,
    Outcome.REPEATED: 200,
    Outcome.FENCED: 412,
    Outcome.MISUSED: 422,
}
"""The HTTP status for each outcome; 412 is "precondition failed": the epoch is not the newest."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


def make_app(ledger: Ledger, latency: float = 0.0) -> flask.Flask:
    """Return the provider's interface; each charge takes about ``latency`` seconds."""
    app = flask.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    @app.post("/charge")
    def charge() -> tuple[flask.Response, int]:
        arrived = time.time()
        try:
            request = read_request(flask.request)
        except ValueError as error:
            return flask.jsonify(error=str(error)), 400
        # Some of the time passes before the money moves and some after: a leader that is killed
        # meanwhile leaves a charge of which nobody but the ledger knows.
        time.sleep(latency / 2)
        receipt = ledger.charge(request, arrived)
        time.sleep(latency / 2)
        answer = flask.jsonify(
            outcome=receipt.outcome, charge=receipt.charge, newest_epoch=receipt.newest_epoch
        )
        return answer, STATUS[receipt.outcome]

    return app


def read_request(request: flask.Request) -> Request:
    """Take an HTTP request apart; raise `ValueError` that says what is wrong with it."""
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise ValueError("the header Idempotency-Key must be 1 to 200 printable characters")
    epoch = read_epoch(request.headers.get(EPOCH_HEADER, ""))
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
    options = parser.parse_args()
    end_with_parent()
    # waitress ends on SystemExit when the requests at work are answered
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    ledger = Ledger(options.ledger)
    server = waitress.create_server(
        make_app(ledger, options.latency), host="127.0.0.1", port=0, threads=THREADS
    )
    print(json.dumps({"port": server.effective_port}), flush=True)
    server.run()
    ledger.close()


if __name__ == "__main__":
    main()
