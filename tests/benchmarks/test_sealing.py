from __future__ import annotations

from benchmarks.sealing import measure


def test_a_datagram_of_the_asked_length_is_sealed_and_opened() -> None:
    result = measure(1_200)
    assert result["bytes"] == 1_200
    assert min(result["seal_us"], result["open_us"], result["bare_us"]) > 0
