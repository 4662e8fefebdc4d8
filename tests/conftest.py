"""Settings of hypothesis, of the interpreter and of temporary folders for all tests."""

import gc
import os
import sys
from pathlib import Path

from hypothesis import settings

# Even if the user's environment forbids it: otherwise each worker compiles every module of the tests in every run.
sys.dont_write_bytecode = False
# Collecting the tests creates hundreds of thousands of objects that live until the end. The collector would traverse
# them again and again, also during the tests.
gc.disable()

# Temporary folders are in memory if there is enough: each commit on SQLite waits for a disk, 2 ms or more. The folders
# of passed tests are removed (`tmp_path_retention_policy`).
_MEMORY = Path("/dev/shm")
_MIN_FREE_BYTES = 4 << 30


def _is_usable(folder: Path) -> bool:
    """Whether the folder has space, and programs in it can be executed."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize >= _MIN_FREE_BYTES and not status.f_flag & os.ST_NOEXEC


if _is_usable(_MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


# An example has no time limit: on a busy machine, any may exceed it.
settings.register_profile("default", deadline=None)
# A longer run, of one or two modules: `pytest --hypothesis-profile=long --timeout=0 tests/unit/smtp/test_lines.py`
settings.register_profile("long", max_examples=200_000, deadline=None, database=None)
