"""Which lives of a peer are believed: those that answered a question that this process asked.

A *boot* is one life of one process. Whoever recorded datagrams of an earlier life, or of this one
before *we* started, can send them again; what he cannot do is answer a fresh question with the
cluster's key. So nothing counts that was sealed before such an answer. That costs one round trip,
once for each pair of lives. The first answer carries again what its sender said last, so nobody
need wait until that would have been repeated anyhow.

The same question finds out clones. Confirming one boot voids every question that was put to other
boots of that name. So if a boot that was believed once, and was then superseded, answers again, it
has lived before, during and after the moment in which the newer one proved to live: there are two
processes of one name and key. A mere restart cannot look like that, since the old process is dead
by then and answers nothing. Of the two, the one that started later is disbelieved and told so.
The ids begin with the time of the start, so that all peers choose alike; a wrong clock makes them
choose the wrong one, and nothing else.
"""

from __future__ import annotations

import os
import time
from typing import Final

from attrs import define, field

from paxos.replicated.values import CLIENT_PREFIX
from paxos.wire.challenges import NONCE_BYTES, Challenge, Displaced, Response
from paxos.wire.recent import Recent
from paxos.wire.replay import ReplayWindow

BOOT_BYTES: Final = 16

MAX_MEMBERS: Final = 256
"""How many members are remembered."""

MAX_CLIENTS: Final = 1024
"""The same for clients, apart, so that a crowd of clients never displaces a member."""

MAX_OTHERS: Final = 32
"""How many boots of one name are remembered beside the one that is believed."""

ASK_AGAIN: Final = 0.005
"""Seconds after which an unanswered question may be put again."""

ASK_RATE: Final = 1000.0
"""How many questions are put in a second; apart for members and for clients."""


def new_boot() -> bytes:
    """Return the id of a new life: the time in milliseconds, and ten random bytes."""
    return (time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(BOOT_BYTES - 6)


@define(eq=False)
class Boot:
    """One life of one peer, as far as it was heard."""

    source: str
    id: bytes
    window: ReplayWindow = field(factory=ReplayWindow)
    confirmed: bool = False
    superseded: bool = False
    """Whether it was believed once, until another one was confirmed."""
    displaced_by: bytes | None = None
    """The boot that is believed in its stead, since two processes have the name."""
    nonce: bytes | None = None
    """What it was asked last."""
    asked: float = float("-inf")


@define
class _Peer:
    current: Boot | None = None
    others: Recent[bytes, Boot] = field(factory=lambda: Recent(MAX_OTHERS))


@define
class _Allowance:
    """A rate: ``ASK_RATE`` each second, and a tenth of a second's worth at once."""

    left: float = ASK_RATE / 10
    at: float = 0.0

    def take(self, now: float) -> bool:
        self.left = min(self.left + (now - self.at) * ASK_RATE, ASK_RATE / 10)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Boots:
    """What one process knows of the boots of its peers."""

    def __init__(self) -> None:
        self._members: Recent[str, _Peer] = Recent(MAX_MEMBERS)
        self._clients: Recent[str, _Peer] = Recent(MAX_CLIENTS)
        self._for_members, self._for_clients = _Allowance(), _Allowance()

    def meet(self, source: str, id: bytes) -> Boot:  # noqa: A002  it is its name
        """Return what is known of a boot; a new one is remembered, and not believed yet."""
        peer = self._peer(source)
        if peer.current is not None and peer.current.id == id:
            return peer.current
        boot = peer.others.get(id)
        if boot is None:
            boot = Boot(source, id)
            peer.others.put(id, boot)
        return boot

    def ask(self, boot: Boot, now: float, *, answering: bool) -> Challenge | Displaced | None:
        """Return what an unconfirmed boot is to be sent, if it is time for anything.

        With the answer to its own question goes this one, asked lately or not: whoever believes
        the answer hears nothing any more that was sealed before it, and may have been overtaken.
        """
        is_client = boot.source.startswith(CLIENT_PREFIX)
        allowance = self._for_clients if is_client else self._for_members
        early = now - boot.asked < ASK_AGAIN and not answering
        if early or not allowance.take(now):
            return None
        boot.asked = now
        if boot.displaced_by is not None:
            return Displaced(boot.id, boot.displaced_by)
        # An unanswered question stays the same: whichever copy arrives will do.
        boot.nonce = boot.nonce or os.urandom(NONCE_BYTES)
        return Challenge(boot.nonce, boot.id)

    def on_response(self, boot: Boot, counter: int, response: Response) -> Boot | None:
        """Take an answer, which came in the datagram of this number; it may confirm the boot.

        Returns the boot that has to go where this proves that two processes live under one name.
        """
        if boot.confirmed or boot.nonce is None or response.nonce != boot.nonce:
            return None
        boot.window.begin_after(counter)
        peer = self._peer(boot.source)
        rival = peer.current
        if rival is None or not boot.superseded:
            self._believe(peer, boot)
            return None
        winner, loser = sorted((boot, rival), key=lambda one: one.id)
        self._believe(peer, winner)
        loser.displaced_by = winner.id
        return loser

    def _believe(self, peer: _Peer, boot: Boot) -> None:
        before = peer.current
        if before is not None and before is not boot:
            before.confirmed, before.superseded = False, True
            peer.others.put(before.id, before)
        peer.current = boot
        boot.confirmed = True
        peer.others.pop(boot.id)
        boot.nonce = None
        for other in peer.others.values():
            other.nonce = None  # void: who answers it later need not live now

    def _peer(self, source: str) -> _Peer:
        peers = self._clients if source.startswith(CLIENT_PREFIX) else self._members
        peer = peers.get(source)
        if peer is None:
            peer = _Peer()
            peers.put(source, peer)
        return peer
