"""Messages to bytes and back: the only reader of what a network, or an enemy in it, wrote.

From the outside in::

    datagram   magic, version, key, names, boot, mark, counter | AES-256-GCM of
    frame      a CBOR array of items, each a message or a part of one
    message    [kind, field, ...]; [4, [7, "node1"], 12] is Accepted at ballot 7.node1, slot 12

`Wire` does it all for one node; the modules do one thing each: `codec` (messages), `values` (what
slots decide, in journals too), `snapshots` (what a log came to, likewise), `cbor` (the strict
subset), `keys`, `sealing` and `replay` (who wrote this, and was it read before), `boots`,
`challenges` and `introductions` (does its writer live, and only once), `parts` and `fragments`
(messages longer than a datagram). What is wrong in any way is dropped and counted, never repaired
and never guessed.
"""

from paxos.wire.cbor import Malformed
from paxos.wire.codec import decode, encode
from paxos.wire.keys import KEY_BYTES, KeyRing
from paxos.wire.link import Incoming, Wire
from paxos.wire.parts import MAX_MESSAGE_BYTES
from paxos.wire.sealing import Reason, Rejection, Sealer
from paxos.wire.snapshots import read_snapshot, write_snapshot
from paxos.wire.values import decode_value, encode_value

__all__ = [
    "KEY_BYTES",
    "MAX_MESSAGE_BYTES",
    "Incoming",
    "KeyRing",
    "Malformed",
    "Reason",
    "Rejection",
    "Sealer",
    "Wire",
    "decode",
    "decode_value",
    "encode",
    "encode_value",
    "read_snapshot",
    "write_snapshot",
]
