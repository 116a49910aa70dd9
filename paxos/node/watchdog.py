"""Watches Trio's loop from outside: a body that never yields to it cannot be cancelled."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

from paxos.node.clock import Clock
from paxos.node.term import Term
from paxos.replicated.office import Office

STALLED_STATUS: Final = 70
"""The status with which a stalled process ends, where that was asked for."""

PATIENCE: Final = 0.05
"""Share of a lease in which the loop has to notice that the lease has ended."""


class Watchdog:
    """One thread of a node, from its first term on.

    When a lease has ended and the loop does not react, the terms that rest on it are marked as
    stalled, so that `Term.check` fails; and the process is ended where a term asks for it.
    """

    def __init__(
        self, office: Office, clock: Clock, terms: Callable[[], list[tuple[Term, bool]]]
    ) -> None:
        self._office = office
        self._clock = clock
        self._terms = terms
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._stopped = False

    def watch(self) -> None:
        """Begin to watch, if it does not yet."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="paxos watchdog", daemon=True)
            self._thread.start()
        self._woken.set()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped = True
        self._woken.set()

    def _run(self) -> None:
        patience = PATIENCE * self._office.timing.lease
        while not self._stopped:
            left = self._office.lease.until - self._clock.now()
            if not self._terms():
                self._woken.wait()
            elif left > 0:
                self._woken.wait(left)
            else:
                self._end_of_lease(patience)
            self._woken.clear()

    def _end_of_lease(self, patience: float) -> None:
        """Give the loop a moment to notice by itself; it may have been paused with this thread."""
        tended = self._office.tended
        self._woken.wait(patience)
        if self._stopped or self._office.tended != tended:
            return
        if self._clock.now() < self._office.lease.until:
            return
        terms = self._terms()
        for term, _ in terms:
            term.stall()
        if any(fatal for _, fatal in terms):
            names = ", ".join(term.leadership.election for term, fatal in terms if fatal)
            message = f"paxos: the lease of {names} ended, and Trio's loop is stalled: exiting\n"
            os.write(2, message.encode())
            os._exit(STALLED_STATUS)
