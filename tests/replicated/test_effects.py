from __future__ import annotations

import random
from collections import Counter

import pytest
from attrs import define, field

from paxos.replicated.decrees import Ruling
from paxos.replicated.effect_decrees import (
    Conclude,
    Concluded,
    Forgotten,
    Intend,
    Intended,
    NotTheLeader,
    TooManyOpen,
)
from paxos.replicated.effects import (
    ENTRY_BYTES,
    MAX_KEPT_BYTES,
    MAX_OPEN,
    Effects,
    Intent,
)
from paxos.replicated.election_decrees import Campaign
from paxos.replicated.elections import Elections
from paxos.replicated.values import Leadership, Session

DAY = 86_400
ACT, ASK = Intended(attempted=False), Intended(attempted=True)


@define
class Log:
    """Decides decrees one after another, a slot each."""

    effects: Effects = field(factory=Effects)
    elections: Elections = field(factory=Elections)
    boots: Counter[str] = field(factory=Counter)
    slot: int = 0
    now: int = 1_700_000_000

    def session(self, node: str) -> Session:
        return Session(node, self.boots[node])

    def lead(self, node: str) -> int:
        """Let a node take over; return the epoch."""
        old = self.elections.by_name.get("billing")
        if old is not None and old.leader is not None and old.leader != node:
            self.boots[old.leader] += 1  # it is restarted: its session ends
            self._campaign(old.leader, "another")
        self._campaign(node, "billing")
        epoch = self.elections.by_name["billing"].epoch + 1
        self.elections.apply(Leadership(node, epoch, "billing"), self.session(node), [])
        return epoch

    def _campaign(self, node: str, election: str) -> None:
        self.elections.apply(Campaign(1, 1, election, 0, b""), self.session(node), [])

    def intend(
        self, node: str, key: str, epoch: int, since: int = -1, retention: int = DAY
    ) -> Ruling:
        decree = Intend("billing", key, epoch, since, retention)
        self.slot += 1
        return self.effects.apply(decree, self.slot, self.session(node), self.elections)

    def conclude(self, node: str, key: str, outcome: bytes = b"receipt") -> Ruling:
        decree = Conclude("billing", key, outcome, self.now)
        self.slot += 1
        return self.effects.apply(decree, self.slot, self.session(node), self.elections)

    def cause(self, node: str, key: str, epoch: int, outcome: bytes = b"receipt") -> None:
        assert self.intend(node, key, epoch) in (ACT, ASK)
        assert self.conclude(node, key, outcome) == Concluded(outcome)

    def open(self) -> list[str]:
        return [intent.key for intent in self.effects.open_intents("billing")]


def test_an_effect_is_intended_caused_and_concluded_once() -> None:
    log = Log()
    epoch = log.lead("node1")
    assert log.intend("node1", "ann/1", epoch) == ACT
    assert log.open() == ["ann/1"]
    assert log.conclude("node1", "ann/1", b"42") == Concluded(b"42")
    assert log.open() == []
    assert log.intend("node1", "ann/1", epoch) == Concluded(b"42")


def test_a_successor_finds_what_is_open_and_asks_before_it_acts() -> None:
    log = Log()
    first = log.lead("node1")
    for key in ("ann/1", "bob/1", "cem/1"):
        log.intend("node1", key, first)
    log.conclude("node1", "bob/1")
    second = log.lead("node2")
    assert log.effects.open_intents("billing") == (
        Intent("billing", "ann/1", first),
        Intent("billing", "cem/1", first),
    )
    assert log.intend("node2", "ann/1", second) == ASK
    assert log.effects.open_intents("billing")[0].epoch == second
    assert log.intend("node2", "dan/1", second) == ACT


def test_a_repeated_attempt_of_the_same_leader_asks_first_too() -> None:
    log = Log()
    epoch = log.lead("node1")
    assert [log.intend("node1", "ann/1", epoch) for _ in range(3)] == [ACT, ASK, ASK]


def test_only_the_newest_epochs_leader_intends() -> None:
    log = Log()
    assert log.intend("node1", "ann/1", 1) == NotTheLeader(None, 0)
    first = log.lead("node1")
    assert log.intend("node1", "ann/1", first + 1) == NotTheLeader("node1", first)
    assert log.intend("node2", "ann/1", first) == NotTheLeader("node1", first)
    second = log.lead("node2")
    assert log.intend("node1", "ann/1", first) == NotTheLeader("node2", second)
    assert log.intend("node1", "ann/1", second) == NotTheLeader("node2", second)
    assert log.open() == []


def test_a_nodes_new_life_does_not_lead_because_its_former_one_did() -> None:
    log = Log()
    epoch = log.lead("node1")
    log.boots["node1"] += 1
    assert log.intend("node1", "ann/1", epoch) == NotTheLeader(None, epoch)


def test_a_deposed_leader_may_still_tell_what_happened_and_the_first_telling_counts() -> None:
    log = Log()
    first = log.lead("node1")
    log.intend("node1", "ann/1", first)
    second = log.lead("node2")
    log.intend("node2", "ann/1", second)
    assert log.conclude("node1", "ann/1", b"one") == Concluded(b"one")
    assert log.conclude("node2", "ann/1", b"two") == Concluded(b"one")
    assert log.intend("node1", "ann/1", first) == Concluded(b"one")


def test_an_outcome_that_nobody_intended_is_not_kept() -> None:
    log = Log()
    log.lead("node1")
    assert log.conclude("node1", "ann/1") == Concluded(b"receipt")
    assert not log.effects.outcomes


def test_names_have_keys_of_their_own() -> None:
    log = Log()
    epoch = log.lead("node1")
    log.cause("node1", "ann/1", epoch)
    assert log.effects.open_intents("mail") == ()
    mail = Intend("mail", "ann/1", epoch, -1, DAY)
    ruling = log.effects.apply(mail, 9, log.session("node1"), log.elections)
    assert ruling == NotTheLeader(None, 0)


def test_outcomes_are_kept_for_their_time_and_old_keys_are_refused_by_their_age() -> None:
    log = Log()
    epoch = log.lead("node1")
    born = log.slot
    log.cause("node1", "ann/1", epoch)
    log.now += DAY
    log.cause("node1", "bob/1", epoch)
    assert log.intend("node1", "ann/1", epoch, born) == Concluded(b"receipt")
    log.now += 1
    log.cause("node1", "cem/1", epoch)
    assert log.intend("node1", "ann/1", epoch, born) == Forgotten(born + 3)
    assert log.intend("node1", "bob/1", epoch, born) == Concluded(b"receipt")
    assert log.intend("node1", "dan/1", epoch, log.slot) == ACT, "made later than what is forgotten"
    assert log.intend("node1", "eve/1", epoch) == ASK, "who knows how old it is?"
    assert log.open() == ["dan/1", "eve/1"]


def test_an_open_intent_is_never_forgotten_nor_too_old() -> None:
    log = Log()
    epoch = log.lead("node1")
    log.intend("node1", "ann/1", epoch, 0)
    log.cause("node1", "bob/1", epoch)
    log.now += 100 * DAY
    log.cause("node1", "cem/1", epoch)
    assert log.open() == ["ann/1"]
    assert log.intend("node1", "ann/1", epoch, 0) == ASK


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    log = Log()
    epoch = log.lead("node1")
    log.cause("node1", "ann/1", epoch)
    log.now -= 10 * DAY
    log.cause("node1", "bob/1", epoch)
    assert [outcome.at for outcome in log.effects.outcomes.values()] == [1_700_000_000] * 2


def test_memory_is_bounded_by_bytes_and_the_oldest_outcomes_go_first() -> None:
    log = Log()
    epoch = log.lead("node1")
    fit = MAX_KEPT_BYTES // (ENTRY_BYTES + len("key 00000") + 4096)
    for number in range(fit + 2):
        log.cause("node1", f"key {number:05}", epoch, bytes(4096))
    assert len(log.effects.outcomes) == fit
    assert log.effects.kept_bytes <= MAX_KEPT_BYTES
    assert log.intend("node1", "key 00001", epoch, 0) == Forgotten(5)
    assert log.intend("node1", "key 00002", epoch, 0) == Concluded(bytes(4096))


def test_open_intents_are_bounded() -> None:
    log = Log()
    epoch = log.lead("node1")
    for number in range(MAX_OPEN):
        assert log.intend("node1", str(number), epoch) == ACT
    assert log.intend("node1", "one more", epoch) == TooManyOpen()
    assert log.intend("node1", "7", epoch) == ASK
    log.conclude("node1", "7")
    assert log.intend("node1", "one more", epoch) == ACT


def test_effects_go_on_from_a_snapshot_as_they_would_have_without_it() -> None:
    log = Log()
    epoch = log.lead("node1")
    for number in range(20):
        log.intend("node1", str(number), epoch, retention=DAY)
        if number % 3:
            log.conclude("node1", str(number))
        log.now += DAY // 4
    assert log.effects.memories["billing"].horizon > 0
    restored = Effects.restored(log.effects.snapshot())
    assert restored == log.effects
    assert list(restored.outcomes) == list(log.effects.outcomes)
    assert list(restored.intents) == list(log.effects.intents)


class Provider:
    """Charges; may remember keys (idempotent), and may refuse older epochs (fenced)."""

    def __init__(self, *, idempotent: bool, fenced: bool) -> None:
        self.idempotent, self.fenced = idempotent, fenced
        self.charges: list[str] = []
        self.newest = 0

    def charge(self, intent: Intent) -> bytes | None:
        if not self._admits(intent.epoch):
            return None
        if not (self.idempotent and intent.key in self.charges):
            self.charges.append(intent.key)
        return intent.key.encode()

    def look_up(self, intent: Intent) -> bytes | None:
        self._admits(intent.epoch)
        return intent.key.encode() if intent.key in self.charges else None

    def _admits(self, epoch: int) -> bool:
        if self.fenced and epoch < self.newest:
            return False
        self.newest = max(self.newest, epoch)
        return True


def play(seed: int, provider: Provider, debts: int = 6) -> list[str]:
    """Charge every debt, with leaders that are lost anywhere and requests that arrive late."""
    chance, log = random.Random(seed), Log()
    late: list[Intent] = []
    keys = [f"customer {number}" for number in range(debts)]
    for term in range(40):
        leader, lossy = f"node{term % 3}", term < 30
        epoch = log.lead(leader)
        steps = chance.randrange(12) if lossy else 10**6
        work = [intent.key for intent in log.effects.open_intents("billing")] + keys
        for key in work:
            intent = Intent("billing", key, epoch)
            ruling = log.intend(leader, key, epoch)
            steps -= 1
            if isinstance(ruling, Concluded) or steps < 0:
                continue
            assert isinstance(ruling, Intended)
            outcome = provider.look_up(intent) if ruling.attempted else None
            if outcome is None:
                if lossy and chance.random() < 0.3:
                    late.append(intent)  # the request is on its way when its leader is lost
                    break
                outcome = provider.charge(intent)
            steps -= 1
            if steps < 0:
                break  # accepted, and nobody noted it
            if outcome is not None:
                log.conclude(leader, key, outcome)
        while late and chance.random() < 0.5:
            provider.charge(late.pop(chance.randrange(len(late))))
        log.effects = Effects.restored(log.effects.snapshot())
    assert log.open() == []
    assert set(provider.charges) == set(keys), "forgotten"
    return [key for key, times in Counter(provider.charges).items() if times > 1]


@pytest.mark.parametrize("fenced", [False, True])
def test_an_idempotent_provider_charges_once_whatever_happens(fenced: bool) -> None:
    for seed in range(200):
        assert play(seed, Provider(idempotent=True, fenced=fenced)) == []


def test_a_provider_that_can_be_asked_and_refuses_older_epochs_charges_once() -> None:
    for seed in range(200):
        assert play(seed, Provider(idempotent=False, fenced=True)) == []


def test_a_provider_that_can_only_be_asked_may_charge_twice_as_is_documented() -> None:
    assert any(play(seed, Provider(idempotent=False, fenced=False)) for seed in range(200))
