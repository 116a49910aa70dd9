"""The registers of simulated clients, kept in two ways."""

from __future__ import annotations

from random import Random

from paxos.machines import KeyValue
from paxos.machines.commands import Put, encode
from paxos.testing.simulation.store import TORN, Store, Transactions


def test_transactions_answer_like_plain_registers() -> None:
    random = Random(1)
    store, transactions = Store(), Transactions()
    for number in range(300):
        key = random.choice(("k0", "k1"))
        expected = random.choice((store.value(key).decode(), "7", ""))
        text = random.choice((f"r {key}", f"w {key} {number}", f"c {key} {expected} {number}"))
        assert store.apply(text.encode()) == transactions.apply(text.encode())
        assert store.value(key) == transactions.value(key)
    restored = Transactions()
    restored.restore(transactions.snapshot())
    assert restored.apply(b"r k0") == store.value("k0")


def test_half_a_transaction_is_no_value_that_was_written() -> None:
    transactions = Transactions()
    assert transactions.apply(b"w k0 1") == b"ok"
    KeyValue.apply(transactions, encode(Put("k0", b"2")))
    assert transactions.apply(b"r k0") == TORN
