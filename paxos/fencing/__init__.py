"""Guards for the resource's side: what a leader acts on refuses every epoch but the newest.

No lease protects against a leader that was paused between its last look at the clock and its act;
only the resource can. It remembers the newest epoch it has seen and refuses older ones:

- `Guard`: in one process, for threads; with a file it remembers across restarts;
- `SqlGuard`: in a database, inside the transaction that does the guarded work;
- `WsgiGuard`, `AsgiGuard`: in front of a web application; the epoch comes in a header.

What they promise: once an act of one epoch has been admitted, no act of an older epoch begins or
is still under way. The first two hold this for the acts themselves, since they are done inside the
guard. Acts of one epoch are not told apart; that takes an idempotency key.

This package needs nothing but the standard library, for a resource need not be a member.
"""

from paxos.errors import GuardBusy, StaleEpoch
from paxos.fencing.guard import MAX_EPOCH, Guard
from paxos.fencing.http import EPOCH_HEADER, AsgiGuard, WsgiGuard, read_epoch
from paxos.fencing.sql import SqlGuard

__all__ = [
    "EPOCH_HEADER",
    "MAX_EPOCH",
    "AsgiGuard",
    "Guard",
    "GuardBusy",
    "SqlGuard",
    "StaleEpoch",
    "WsgiGuard",
    "read_epoch",
]
