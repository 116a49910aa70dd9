from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from paxos.errors import ConfigError
from paxos.node import key_file
from paxos.node.alarms import KeysChanged, KeysRefused
from paxos.node.key_file import KeyWatch, create_keys, read_keys, replace_keys, watch_keys
from paxos.protocol.events import Event
from paxos.wire import KeyRing, Wire


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_keys(tmp_path / "cluster.key", KeyRing.fresh())
    return tmp_path / "cluster.key"


def test_a_ring_is_read_as_it_was_written(path: Path) -> None:
    ring = KeyRing.fresh().add().add()
    replace_keys(path, ring)
    assert read_keys(path) == ring
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("umask", [0, 0o777])
def test_the_mode_does_not_depend_on_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask & ~0o600)
    try:
        replace_keys(path, KeyRing.fresh())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    ["", "\n", "ab" * 31, "zz" * 32, "ab" * 32 + "\n" + "ab" * 32, "ü", "ab" * 400],
    ids=["empty", "blank", "short", "no hex", "twice", "no ascii", "long"],
)
def test_what_is_no_ring_is_refused_and_not_shown(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(ConfigError, match="copy it again") as refused:
        read_keys(path)
    assert "abab" not in str(refused.value)


def test_each_change_of_the_file_is_noticed_once(path: Path) -> None:
    watch = KeyWatch(path)
    assert watch.changed() == read_keys(path)
    assert watch.changed() is None
    ring = KeyRing.fresh()
    replace_keys(path, ring)
    assert watch.changed() == ring
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        watch.changed()
    assert watch.changed() is None
    path.unlink()
    with pytest.raises(ConfigError, match="does not exist"):
        watch.changed()
    assert watch.changed() is None
    create_keys(path, ring)
    assert watch.changed() == ring


async def test_a_running_node_follows_the_file_and_keeps_its_keys_where_it_cannot(
    path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    monkeypatch.setattr(key_file, "LOOK_AGAIN", 0.001)
    wire = Wire("billing", read_keys(path), "node1", 1_400)
    events: list[Event] = []
    nursery.start_soon(watch_keys, path, wire, events.append)
    ring = wire.keys.add()
    replace_keys(path, ring)
    with trio.fail_after(10):
        while wire.keys != ring:
            await trio.sleep(0.001)
        path.chmod(0o644)
        while len(events) < 2:
            await trio.sleep(0.001)
    assert wire.keys == ring
    changed, refused = events
    assert changed == KeysChanged(ring.ids)
    assert isinstance(refused, KeysRefused)
    assert "chmod 600" in str(refused)
    assert not any(key.hex() in f"{events} {refused}" for key in ring.keys)
