from __future__ import annotations

from pathlib import Path

from paxos.demo.subscriptions import Subscriptions, create


def test_a_subscription_is_due_until_it_is_marked(tmp_path: Path) -> None:
    create(tmp_path / "s.db", 3)
    with Subscriptions(tmp_path / "s.db") as books:
        assert books.due() == books.all()
        first, *rest = books.due()
        books.mark_charged(first.key, "receipt")
        books.mark_charged(first.key, "receipt")
        assert books.due() == rest
        assert books.count_due() == 2
        assert len(books.all()) == 3


def test_each_subscription_has_an_idempotency_key_of_its_own(tmp_path: Path) -> None:
    create(tmp_path / "s.db", 50)
    with Subscriptions(tmp_path / "s.db") as books:
        assert len({one.key for one in books.all()}) == 50
        assert all(one.cents > 0 for one in books.all())
