"""Where data lies, and what a place is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import places


@pytest.mark.parametrize("where", [places.MEMORY, places.DISK])
def test_folder_is_new_and_gone_afterwards(where: str) -> None:
    with places.folder(where) as path:
        assert list(path.iterdir()) == []
        (path / "file").touch()
    assert not path.exists()


def test_memory_disk_is_called_so() -> None:
    with places.folder(places.MEMORY) as path:
        assert places.place(path) == "a memory disk"


@pytest.mark.skipif(places.missing(places.LOOP) != "", reason=places.missing(places.LOOP))
def test_loop_device_is_mounted_and_gone_afterwards() -> None:
    with places.folder(places.LOOP) as path:
        assert places.place(path) == "ext4 on a loop device over a memory disk"
        (path / "file").write_bytes(b"x")
    assert not path.exists()
    assert str(path) not in places.MOUNTS.read_text()


def test_what_is_no_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(places.NoPlace, match="no folder"), places.folder(str(tmp_path / "absent")):
        pass
