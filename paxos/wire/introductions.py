"""How two processes that have not met yet come to believe each other; see `paxos.wire.boots`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from paxos.wire.boots import Boot, Boots
from paxos.wire.cbor import Malformed, kind_of
from paxos.wire.challenges import (
    PROOF_KINDS,
    Challenge,
    Displaced,
    Proof,
    Response,
    encode_proof,
    read_proof,
)
from paxos.wire.recent import Recent

MAX_LAST_WORDS: Final = 100
"""The longest messages, together, that are said again with an answer, in bytes; a poll is short."""

MAX_INTRODUCED: Final = 4096
"""How many peers are remembered that have asked, and for how many there are last words."""


class Introductions:
    """Asks and answers for one process: ``own`` is its boot, ``boots`` what it knows of others."""

    def __init__(
        self, own: bytes, boots: Boots, clock: Callable[[], float], counts: Counter[str]
    ) -> None:
        self._own = own
        self._boots = boots
        self._clock = clock
        self._counts = counts
        self._introduced: set[str] = set()
        """Who has asked whether this process lives, and so believes it."""
        self._last_words: Recent[str, list[bytes]] = Recent(MAX_INTRODUCED)
        """The messages that went out last, by target, as long as it did not ask."""
        self.displaced = False
        """Whether a peer has said that another process has this name, and started earlier."""

    def note(self, target: str, messages: list[bytes]) -> None:
        """Remember what goes out, if that may have to be said again."""
        if target not in self._introduced and sum(map(len, messages)) <= MAX_LAST_WORDS:
            self._last_words.put(target, messages)

    def hear_out(self, boot: Boot, number: int, items: tuple[Any, ...]) -> tuple[list[bytes], bool]:
        """Take proofs from a boot that is not believed, in its datagram of this number.

        Returns what to answer, never more than three times as long as what is answered; and
        whether two live processes were found under the name. Whatever else is among the items
        counts only if the boot is confirmed by now.
        """
        self._counts["unconfirmed"] += 1
        answers: list[bytes] = []
        loser: Boot | None = None
        for item in items:
            try:
                proof = read_proof(item) if kind_of(item) in PROOF_KINDS else None
            except Malformed:
                self._counts["malformed_item"] += 1
                continue
            if type(proof) is Response:
                loser = loser or self._boots.on_response(boot, number, proof)
            elif proof is not None:
                answers += self.answer(boot.source, proof)
        self._counts["clones"] += loser is not None
        if boot.confirmed:
            self._counts["confirmed"] += 1
        else:
            question = self._boots.ask(boot, self._clock(), answering=bool(answers))
            if question is not None:
                self._counts["challenged"] += 1
                answers.insert(0, encode_proof(question))
        return answers, loser is not None

    def answer(self, source: str, proof: Proof) -> list[bytes]:
        """Answer a question, the first time with what was said last: it did not count.

        A question for another life of this name may be a recording: it gets no answer.
        """
        if type(proof) is Challenge and proof.boot == self._own:
            last_words = self._last_words.get(source) or []
            self._last_words.pop(source)
            if len(self._introduced) >= MAX_INTRODUCED:
                self._introduced.clear()
            self._introduced.add(source)
            return [encode_proof(Response(proof.nonce)), *last_words]
        if type(proof) is Displaced and proof.loser == self._own:
            self.displaced = True
        return []
