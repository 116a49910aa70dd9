"""The load benchmark on real processes: it runs; what it measures is not for a test."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from benchmarks.load import Cell, Given, run


def test_load_tells_rates_growth_and_where_the_time_goes(tmp_path: Path) -> None:
    base = Cell(inflight=8)
    cells = (base, evolve(base, at_leader=False), evolve(base, durable=False, datagram=1_400))
    output = run(Given(0, 0.2, cells, 200, str(tmp_path)), lambda done, doing: None)
    assert [row.cell for row in output.rows] == list(cells)
    assert all(row.measured.ops_s > 0 for row in output.rows)
    assert output.growth[-1].commands >= 200
    assert output.growth[-1].stored > 0
    assert output.growth[-1].resident > 10 << 20
    assert 0 < sum(share for _, share in output.profile) <= 1.01
    assert all(table.rows for table in output.tables())
    assert any(line.xs for figure in output.figures() for line in figure.lines)
    assert list(tmp_path.iterdir()) == []
