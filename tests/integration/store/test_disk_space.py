"""The disk's last octets are not for mail."""

import os
from pathlib import Path

import pytest

from router.errors import StorageFull
from router.store.disk_space import FreeSpaceCheck
from tests.support.clock import FakeClock


async def test_below_the_bound_nothing_is_accepted_and_above_it_again(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    free = found.f_bavail * found.f_frsize
    clock = FakeClock()
    await FreeSpaceCheck(tmp_path / "mail.db", free // 2, clock).check()
    await FreeSpaceCheck(tmp_path / "mail.db", 0, clock).check()
    with pytest.raises(StorageFull, match="MB free, but"):
        await FreeSpaceCheck(tmp_path / "mail.db", free * 10, clock).check()


async def test_it_looks_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    real = os.statvfs

    def counted(path: Path) -> os.statvfs_result:
        looks.append(path)
        return real(path)

    monkeypatch.setattr(os, "statvfs", counted)
    clock = FakeClock()
    room = FreeSpaceCheck(tmp_path / "mail.db", 1, clock)
    for _ in range(5):
        await room.check()
    assert len(looks) == 1
    clock.advance(2)
    await room.check()
    assert len(looks) == 2


async def test_a_folder_that_was_moved_away_says_nothing_about_the_disk(tmp_path: Path) -> None:
    """The check of the file refuses the mail, with the reason; this is no fault of the program."""
    folder, away, clock = tmp_path / "data", tmp_path / "away", FakeClock()
    folder.mkdir()
    room = FreeSpaceCheck(folder / "mail.db", 1 << 62, clock)
    folder.rename(away)
    for _ in range(2):
        await room.check()
        clock.advance(2)
    away.rename(folder)
    with pytest.raises(StorageFull):
        await room.check()
