"""No key is shown by anything that a node, a client or an error says of itself."""

from __future__ import annotations

import logging
import traceback
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from trio.testing import MockClock

import paxos
from paxos.errors import ConfigError
from paxos.journal import SqliteJournal
from paxos.node.cluster import Cluster
from paxos.wire import KeyRing, Sealer, Wire, decode_value, encode_value
from tests.node.house import House

OpenHouse = Callable[..., House]


def spellings(key: bytes) -> list[str]:
    """Return all the ways in which a key could be written, as far as a piece of it tells."""
    piece = key[:12]
    shown = repr(piece)[2:-1]
    # An apostrophe is escaped where, behind the piece, there is a quotation mark as well.
    escaped = repr(piece + b"'\"")[2:-4]
    return [piece.hex(), shown, escaped, b64encode(piece).decode(), str(list(piece))[1:-1]]


def assert_silent(text: str, keys: KeyRing) -> None:
    assert not any(spelling in text for key in keys.keys for spelling in spellings(key))


def test_a_key_that_is_shown_would_be_noticed() -> None:
    ring = KeyRing.fresh()
    for shown in (repr(ring.keys), ring.keys[0].hex(), repr(list(ring.keys[0]))):
        with pytest.raises(AssertionError):
            assert_silent(shown, ring)


def test_a_key_is_noticed_however_its_quotation_marks_are_shown() -> None:
    key = b"it's" + bytes(8)
    for rest in (b"'", b'"', b""):
        assert any(spelling in repr(key + rest) for spelling in spellings(key)[1:3])


def test_nothing_that_holds_a_key_shows_it() -> None:
    cluster = Cluster.generate(3)
    wire = Wire(cluster.name, cluster.keys, "node1", 1_400)
    sealer = Sealer(cluster.name, cluster.keys, "node1")
    datagram = sealer.seal("node2", b"")
    opener = Sealer(cluster.name, cluster.keys, "node2")
    opener.open(datagram)
    known = [*opener._from_members.values(), *sealer._to_members.values()]
    for one in (cluster, cluster.keys, wire, sealer, opener, *known):
        assert_silent(f"{one!r} {one}", cluster.keys)


async def test_what_a_running_node_and_its_client_say_is_silent(
    open_house: OpenHouse, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house = open_house()
    await house.start()
    await house.leader()
    transport = house.network.open(("client", 1))
    async with paxos.open_client(house.cluster, transport) as client:
        shown = repr((await client.status(), client))
    for name in house.names:
        node = house.node(name)
        services = house.services(name)
        shown += repr((node, node.statistics(), node.status(1), services.post, services.engine))
    assert_silent(shown + caplog.text, house.cluster.keys)


@pytest.mark.parametrize("content", ["{0}\n{0}\n", "{0}00\n", "{0}x\n", "{0}\n{0}"])
def test_an_error_about_a_key_file_is_silent(tmp_path: Path, content: str) -> None:
    cluster = Cluster.generate(1)
    cluster.save(tmp_path / "cluster.toml")
    (tmp_path / "cluster.key").write_text(content.format(cluster.keys.keys[0].hex()))
    with pytest.raises(ConfigError) as refused:
        Cluster.load(tmp_path / "cluster.toml")
    trace = "".join(traceback.format_exception(refused.value))
    assert_silent(trace, cluster.keys)


def test_files_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    Cluster.generate(1).save(tmp_path / "cluster.toml")
    path = tmp_path / "node.db"
    with closing(
        SqliteJournal(path, cluster="c", node="n", encode=encode_value, decode=decode_value)
    ):
        modes = {
            file.name: file.stat().st_mode & 0o777
            for file in tmp_path.iterdir()
            if file.name != "cluster.toml"
        }
    assert {"cluster.key", "node.db", "node.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}
