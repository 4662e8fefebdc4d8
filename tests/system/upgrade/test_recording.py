"""A recording uses everything: each table, each column and each value of an enumeration that a row can have."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from router.dispatch.delivery_batch import Form
from router.enumerations import TicketEventType
from router.mail.automatic import Automatic
from router.store import migrate
from tests.system.upgrade.recorded_replies import FIRST_WITH_REPLIES
from tests.system.upgrade.recording import Recording, list_recordings, table_names

Column = tuple[str, str]  # table and name
UNRECORDED_TABLES: dict[str, str] = {}  # with the reason
UNRECORDED_COLUMNS: dict[Column, str] = {
    ("raw_chunks", "n"): "a second chunk needs a message of more than 256 KiB",
    ("upload_chunks", "n"): "a second chunk needs a file of more than 256 KiB",
}
UNRECORDED_VALUES: dict[Column, dict[str, str]] = {
    ("deliveries", "awaiting"): {"rules": "reserved: no version with this schema has rules"},
    ("deliveries", "target"): {"webhook": "reserved: no version with this schema sends events"},
    ("messages", "kind"): {
        "note": "reserved: notes are events",
        "form": "reserved: no version with this schema has forms",
    },
    ("replies", "actor_type"): {
        "mail": "no message sends a reply",
        "rule": "reserved: no version with this schema has rules",
        "slack": "reserved: no version with this schema receives events of Slack",
    },
    ("ticket_events", "actor_type"): {
        "rule": "reserved: no version with this schema has rules",
        "slack": "reserved: no version with this schema receives events of Slack",
    },
    ("ticket_events", "type"): {
        "ticket.created": "derived from the first message, not stored",
        "ticket.message_received": "derived from the message, not stored",
        "ticket.replied": "derived from the message, not stored",
    },
}
# The values of earlier versions, which reserve them for replies.
RESERVED_FOR_REPLIES: dict[Column, str] = {("deliveries", "target"): "smarthost", ("drafts", "kind"): "reply"}
# The values of columns without a CHECK constraint.
OTHER_VALUES: dict[Column, tuple[str, ...]] = {
    ("ticket_events", "type"): get_args(TicketEventType),
    ("deliveries", "via"): ("", "update", *get_args(Form)),
    ("attempts", "outcome"): ("open", "lost", "sent", "retry", "parked", "refused", "rejected"),
    ("messages", "automatic"): get_args(Automatic),
}
_TABLE = re.compile(r"(?:CREATE|ALTER) TABLE (\w+)")
_CHECK = re.compile(r"CHECK \((\w+) IN \(([^)]*)\)\)")
# Version 8 has twice the rows of version 1: each state of a reply needs several rows, and each domain its keys.
MAX_BYTES = 350_000


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no recordings"):
        list_recordings(tmp_path)


def test_every_table_is_recorded(recording: Recording) -> None:
    tables = set(table_names(migrate.load_migrations()[: recording.version]))
    assert recording.count_rows().keys() == tables - UNRECORDED_TABLES.keys()


def test_every_column_is_recorded(recording: Recording) -> None:
    unused = {
        column
        for column, values in _recorded_values(recording).items()
        if values <= {None, "", "[]", "{}", "null", "0"}
    }
    assert unused == {column for column in UNRECORDED_COLUMNS if column in _recorded_values(recording)}


def test_every_value_is_recorded(recording: Recording) -> None:
    """Values without a constraint are those of this program: if it has new ones, record its version again."""
    expected = dict(_constraints(recording.version))
    if recording.version == migrate.LATEST_VERSION:
        expected |= OTHER_VALUES
    recorded = _recorded_values(recording)
    missing = {column: set(values) - recorded[column] for column, values in expected.items()}
    unrecorded = {column: set(reasons) for column, reasons in UNRECORDED_VALUES.items()}
    if recording.version < FIRST_WITH_REPLIES:
        for column, value in RESERVED_FOR_REPLIES.items():
            unrecorded.setdefault(column, set()).add(value)
    assert {column: values for column, values in missing.items() if values} == {
        column: values for column, values in unrecorded.items() if column in expected
    }


def test_a_recording_is_small_and_has_no_paths(recording: Recording) -> None:
    text = recording.file.read_text(encoding="utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert re.findall(r'/(?:home|root|tmp|work|var|usr)/[^"]*', text) == []


def _recorded_values(recording: Recording) -> dict[Column, set[str | None]]:
    found: dict[Column, set[str | None]] = {}
    for table, row in recording.rows():
        for name, value in row.items():
            found.setdefault((table, name), set()).add(None if value is None else str(value))
    return found


def _constraints(version: int) -> Iterator[tuple[Column, tuple[str, ...]]]:
    """Yields the columns with a list of allowed values, and the values."""
    table = ""
    for migration in migrate.load_migrations()[:version]:
        for line in migration.text.splitlines():
            if begun := _TABLE.match(line):
                table = begun[1]
            if check := _CHECK.search(line):
                yield (table, check[1]), tuple(re.findall(r"'([^']*)'", check[2]))
