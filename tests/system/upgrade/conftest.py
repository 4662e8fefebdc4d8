"""Fixtures of the recorded installations."""

import pytest

from tests.system.upgrade.recording import Recording, list_recordings, read_recording


@pytest.fixture(params=list_recordings(), ids=lambda file: file.stem)
def recording(request: pytest.FixtureRequest) -> Recording:
    return read_recording(request.param)
