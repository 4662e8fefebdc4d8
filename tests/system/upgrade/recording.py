"""A recording: every row of an installation of one schema version, as lines of JSON.

The first line has the schema version, the SHA-256 of each of its migrations, and the credentials of the installation.
Each further line is a row: `{"table": ..., "row": {...}}`; bytes are `{"base64": ...}`. The rows are the same for both
databases.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from router.store.migrate import Migration
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support import seeds

FOLDER = Path(__file__).parent
Row = dict[str, object]


@dataclass(frozen=True)
class Recording:
    """The facts of the first line, and the file."""

    version: int
    hashes: list[str]
    secret_key: str
    api_key: str
    email: str
    password: str
    file: Path

    def rows(self) -> Iterator[tuple[str, Row]]:
        with self.file.open(encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                entry = json.loads(line, object_hook=_decode)
                yield entry["table"], entry["row"]

    def count_rows(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for table, _ in self.rows():
            counts[table] = counts.get(table, 0) + 1
        return counts


def read_recording(file: Path) -> Recording:
    with file.open(encoding="utf-8") as lines:
        return Recording(**json.loads(next(lines)), file=file)


def list_recordings(folder: Path = FOLDER) -> list[Path]:
    """Raises an error if there are none, because the tests would otherwise be skipped."""
    recordings = sorted(folder.glob("version-*.jsonl"))
    assert recordings, f"no recordings in {folder}"
    return recordings


def read_latest() -> Recording:
    return max(map(read_recording, list_recordings()), key=lambda recording: recording.version)


def hash_migrations(migrations: Sequence[Migration]) -> list[str]:
    return [hashlib.sha256(migration.text.encode()).hexdigest() for migration in migrations]


def table_names(migrations: Sequence[Migration]) -> list[str]:
    """Returns the tables in the order of their creation, so that referenced rows are inserted first."""
    return [name for each in migrations for name in re.findall(r"^CREATE TABLE (\w+)", each.text, re.MULTILINE)]


async def record_rows(database: SqliteDatabase | PostgresDatabase, recording: Recording, tables: Sequence[str]) -> None:
    facts = asdict(recording)
    del facts["file"]
    with recording.file.open("w", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")
        for table in tables:
            for row in await seeds.execute(database, f"SELECT * FROM {table}"):
                entry = {"table": table, "row": row}
                file.write(json.dumps(entry, ensure_ascii=False, default=_encode) + "\n")


async def load_rows(database: SqliteDatabase | PostgresDatabase, recording: Recording) -> None:
    """Inserts the recorded rows into the empty tables of the recorded schema, in place of rows of its migrations."""
    for table in recording.count_rows():
        await seeds.execute(database, f"DELETE FROM {table}")
    for table, row in recording.rows():
        values = ", ".join(f":{name}" for name in row)
        await seeds.execute(database, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})", **row)


def _encode(value: object) -> dict[str, str]:
    assert isinstance(value, bytes)
    return {"base64": base64.b64encode(value).decode()}


def _decode(value: Row) -> object:
    return base64.b64decode(str(value["base64"])) if value.keys() == {"base64"} else value
