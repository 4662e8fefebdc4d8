"""Fixtures of the recorded installations."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.store import migrate
from tests.support.installation import Installation, closed_store
from tests.system.upgrade.recording import Recording, list_recordings, load_rows, read_latest, read_recording


@pytest.fixture(params=list_recordings(), ids=lambda file: file.stem)
def recording(request: pytest.FixtureRequest) -> Recording:
    return read_recording(request.param)


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[Installation]:
    """The installation of the latest recording; its workspace is Acme."""
    recording = read_latest()
    store = closed_store(f"sqlite:///{tmp_path / 'recorded.db'}")
    installation = Installation(store, {"server.secret_key": recording.secret_key})
    async with installation.open_database():
        await migrate.migrate(installation.database)
        await load_rows(installation.database, recording)
        (row,) = await installation.execute("SELECT id FROM workspaces WHERE name = 'Acme'")
        installation.workspace_id = str(row["id"])
        yield installation
