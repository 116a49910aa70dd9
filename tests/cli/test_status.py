from __future__ import annotations

import json
from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner

from paxos.cli import app
from paxos.cli import status as status_command
from paxos.cli.status import Statuses, Verdict, _remarks, describe, judge
from paxos.node.cluster import Cluster
from paxos.protocol.ballot import Ballot
from paxos.replicated.messages import Status
from paxos.replicated.values import Leadership

FOUR = Cluster.generate(4)
SEVEN = Leadership("node2", 7)
EIGHT = Leadership("node3", 8)


def says(leadership: Leadership | None, why: str = "") -> Status:
    return Status(
        number=1,
        node="any",
        role="follower",
        leadership=leadership,
        last_leadership=leadership,
        ballot=Ballot(3, "node2"),
        frontier=40,
        target=45,
        voting=True,
        why=why,
    )


def verdict(*statuses: Status | None) -> Verdict:
    return judge(FOUR, dict(zip(FOUR.names, statuses, strict=True)))


def test_a_quorum_that_agrees_has_a_leader() -> None:
    assert verdict(says(SEVEN), says(SEVEN), says(SEVEN), None) == Verdict(SEVEN, "")
    assert verdict(says(SEVEN), says(SEVEN), says(SEVEN), says(EIGHT)) == Verdict(SEVEN, "")


def test_half_of_four_is_no_quorum() -> None:
    reached = verdict(says(SEVEN), says(SEVEN), None, None)
    assert reached == Verdict(None, "no leader: only 2 of 4 members answer; 3 are needed")
    assert "only 1 of 4 members answers" in verdict(None, None, says(SEVEN), None).why


def test_an_epoch_is_part_of_what_they_agree_on() -> None:
    renewed = evolve(SEVEN, epoch=8)
    reached = verdict(says(SEVEN), says(SEVEN), says(renewed), None)
    assert reached.leadership is None
    assert "leader=node2, epoch=7 by 2; leader=node2, epoch=8 by 1" in reached.why


def test_the_members_own_reasons_are_told() -> None:
    why = verdict(says(None, "hears nobody"), says(None), says(None, "its disk is full"), None).why
    assert why == "no leader: node1: hears nobody; node3: its disk is full"


def test_no_reason_at_all_is_an_election() -> None:
    assert "election" in verdict(says(None), says(None), says(None), None).why


@pytest.mark.parametrize("leadership", [SEVEN, None])
def test_json_tells_all(leadership: Leadership | None) -> None:
    statuses = {name: says(leadership) for name in FOUR.names[:3]}
    told = json.loads(json.dumps(describe(FOUR, statuses, judge(FOUR, statuses))))
    assert told["ok"] is (leadership is not None)
    assert (told["leader"], told["epoch"]) == (("node2", 7) if leadership else (None, None))
    assert [member["reachable"] for member in told["members"]] == [True, True, True, False]
    assert (told["members"][0]["chosen"], told["members"][0]["lag"]) == (39, 5)


def test_people_see_every_member_whole_within_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = evolve(says(SEVEN, "its journal failed"), voting=False)

    async def ask(*_: object) -> Statuses:
        return dict(zip(FOUR.names, [says(SEVEN), says(SEVEN), silent, None], strict=True))

    monkeypatch.setattr(status_command, "_ask", ask)
    FOUR.save(tmp_path / "cluster.toml")
    result = CliRunner().invoke(app.paxos, ["status", "--cluster", str(tmp_path / "cluster.toml")])
    assert result.exit_code == 0
    assert all(member.address in result.stdout for member in FOUR.members)
    assert "unreachable" in result.stdout
    assert "node3: does not vote: its journal failed" in result.stdout
    assert result.stdout.endswith("leader=node2, epoch=7\n")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_progress_of_a_snapshot_is_told() -> None:
    fetching = evolve(says(SEVEN), first=12, fetched=30 << 20, fetching=100 << 20)
    statuses = dict(zip(FOUR.names, (fetching, says(SEVEN), None, None), strict=True))
    assert _remarks(statuses) == ["node1: fetches a snapshot: 30 % of 100.0 MiB"]
    members = describe(FOUR, statuses, Verdict(None, "x"))["members"]
    assert isinstance(members, list)
    told = {"first": 12, "fetched_bytes": 30 << 20, "fetching_bytes": 100 << 20}
    assert told.items() <= members[0].items()
