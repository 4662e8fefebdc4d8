"""Reads a SQLite file without the right to change it. For single queries of short-lived processes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from router.store.catalog import Catalog
from router.store.database import Row

# SQLite calls the handler that checks the time limit after this number of instructions.
_INSTRUCTIONS = 10_000


def read_rows(path: Path, catalog: Catalog, query: str, values: dict[str, object], *, seconds: float) -> Sequence[Row]:
    """Raises `sqlite3.Error` if the file cannot be read within `seconds`. Never creates the file."""
    deadline = time.monotonic() + seconds
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=seconds)) as connection:
        connection.row_factory = sqlite3.Row
        connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _INSTRUCTIONS)
        rows: Sequence[Row] = connection.execute(catalog.select(query, values).sqlite, values).fetchall()
        return rows
