from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import catch_up


def test_catching_up_is_compared_with_copying(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "journals"
    catch_up.main(["--where", str(where), "--commands", "300", "--keys", "20", "--log-only"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["commands"] == 300
    assert result["ratio"] > 0
    assert len(result["disk_mib"]) == len(result["resident_mib"]) == catch_up.LOOKS
