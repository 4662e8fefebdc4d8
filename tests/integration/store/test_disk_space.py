"""Messages are rejected while the free disk space is below the reserve."""

import os
from pathlib import Path

import pytest

from router.errors import StorageFull
from router.store.disk_space import FreeSpaceCheck
from tests.support.clock import FakeClock


async def test_mail_is_rejected_only_below_the_limit(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    free = found.f_bavail * found.f_frsize
    clock = FakeClock()
    await FreeSpaceCheck(tmp_path / "mail.db", free // 2, clock).check()
    await FreeSpaceCheck(tmp_path / "mail.db", 0, clock).check()
    with pytest.raises(StorageFull, match="MB free, but"):
        await FreeSpaceCheck(tmp_path / "mail.db", free * 10, clock).check()


@pytest.fixture
def checked_folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The arguments of each call of `os.statvfs`, which still returns the real values."""
    folders: list[Path] = []
    real = os.statvfs

    def recording_statvfs(path: Path) -> os.statvfs_result:
        folders.append(path)
        return real(path)

    monkeypatch.setattr(os, "statvfs", recording_statvfs)
    return folders


async def test_the_disk_is_checked_at_intervals(tmp_path: Path, checked_folders: list[Path]) -> None:
    clock = FakeClock()
    free_space = FreeSpaceCheck(tmp_path / "mail.db", 1, clock)
    for _ in range(5):
        await free_space.check()
    assert len(checked_folders) == 1
    clock.advance(2)
    await free_space.check()
    assert len(checked_folders) == 2


async def test_a_moved_directory_does_not_count_as_a_full_disk(tmp_path: Path) -> None:
    """`DatabaseFile.check` rejects the message instead, with the correct reason."""
    folder, away, clock = tmp_path / "data", tmp_path / "away", FakeClock()
    folder.mkdir()
    free_space = FreeSpaceCheck(folder / "mail.db", 1 << 62, clock)
    folder.rename(away)
    for _ in range(2):
        await free_space.check()
        clock.advance(2)
    away.rename(folder)
    with pytest.raises(StorageFull):
        await free_space.check()


async def test_the_disk_of_the_file_behind_a_link_is_checked(tmp_path: Path, checked_folders: list[Path]) -> None:
    """SQLite writes the database and its `-wal` file to the resolved path."""
    (tmp_path / "other").mkdir()
    (tmp_path / "mail.db").symlink_to(tmp_path / "other" / "mail.db")
    await FreeSpaceCheck(tmp_path / "mail.db", 1, FakeClock()).check()
    assert checked_folders == [(tmp_path / "other").resolve()]
