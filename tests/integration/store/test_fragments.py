"""The columns of a model are listed in router/model alone."""

import asyncio
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from router import model
from router.model import TicketEvent
from router.store import migrate
from router.store.database import model_from_row
from router.store.fragments import column_names, expand, model_values
from tests.support.stores import sqlite_database

EVENT = TicketEvent("evt_1", "ticket_1", "ws_1", 3, 7, "ticket.note_added", "system", None, None, "{}", "Operator")
COLUMNS = "id, ticket_id, workspace_id, sequence, at, type, actor_type, actor_id, user_id, detail"
MAX_LISTED = 5  # consecutive columns; some statements need a few columns in the order of the model
# A statement that inserts a row with defaults lists the columns that it sets.
OMITTED = re.compile(r"INSERT INTO (\w+)\s+\{rows:(\w+) -([^+}]*)")
INSERTED = re.compile(r"INSERT INTO \w+ \([^()]*\)")


def test_a_model_becomes_its_columns() -> None:
    assert expand("SELECT {TicketEvent}", postgres=False) == f"SELECT {COLUMNS}"
    assert expand("SELECT {TicketMessage:tm}", postgres=True).startswith("SELECT tm.ticket_id, tm.message_id, ")


def test_a_joined_column_belongs_to_another_table() -> None:
    assert "domain" not in column_names(model.Alias)
    assert "domain" in {field.name for field in fields(model.Alias)}


def test_rows_are_arrays_on_postgresql_only() -> None:
    text = "INSERT INTO raw_chunks {rows:message_id TEXT, n BIGINT}"
    assert expand(text, postgres=False) == "INSERT INTO raw_chunks (message_id, n) VALUES (:message_id, :n)"
    assert expand(text, postgres=True) == (
        "INSERT INTO raw_chunks (message_id, n) SELECT * FROM unnest(CAST(:message_id AS TEXT[]), CAST(:n AS BIGINT[]))"
    )


def test_types_come_from_the_annotations_of_the_model() -> None:
    text = expand("{rows:Ticket + extra BIGINT}", postgres=True)
    for cast in (":number AS BIGINT[]", ":status AS TEXT[]", ":claimed_at AS BIGINT[]", ":alias_id AS TEXT[]"):
        assert f"CAST({cast})" in text
    assert text.endswith("CAST(:extra AS BIGINT[]))")


def test_a_column_can_be_left_to_the_table() -> None:
    text = expand("INSERT INTO ticket_events {rows:TicketEvent - user_id, detail + extra BIGINT}", postgres=False)
    assert text.partition(" VALUES ")[0] == f"INSERT INTO ticket_events ({COLUMNS}, extra)".replace(
        ", user_id, detail", ""
    )
    with pytest.raises(ValueError, match="TicketEvent has no column nonsense"):
        expand("{rows:TicketEvent - nonsense}", postgres=True)


def test_the_table_has_the_defaults_of_the_model(tmp_path: Path) -> None:
    found = [
        (table, cls, name.strip())
        for file in (resources.files("router.store") / "queries").iterdir()
        for table, cls, omitted in OMITTED.findall(file.read_text(encoding="utf-8"))
        for name in omitted.split(",")
    ]
    assert found
    asyncio.run(create_database(tmp_path / "defaults.db"))
    with closing(sqlite3.connect(tmp_path / "defaults.db")) as connection:
        for table, cls, name in found:
            default = next(each.default for each in fields(getattr(model, cls)) if each.name == name)
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
            stored = next(column[4] for column in columns if column[1] == name)  # the text of the default
            assert stored == (None if default is None else repr(default)), (table, name)


async def create_database(path: Path) -> None:
    database = sqlite_database(path)
    await database.open()
    await migrate.migrate(database)
    await database.close()


def test_choices_are_the_enumerations_of_a_ticket() -> None:
    assert expand("SELECT {choices:t}, t.id", postgres=True) == "SELECT t.status, t.priority, t.id"


def test_values_are_one_row_on_both_databases() -> None:
    text = "INSERT INTO ticket_events {values:TicketEvent}"
    assert expand(text, postgres=True) == expand(text, postgres=False)
    assert expand(text, postgres=True).startswith(f"INSERT INTO ticket_events ({COLUMNS}) VALUES (:id, :ticket_id")


def test_the_values_of_a_model_are_named_like_its_columns() -> None:
    assert model_values(EVENT) == {
        "id": "evt_1",
        "ticket_id": "ticket_1",
        "workspace_id": "ws_1",
        "sequence": 3,
        "at": 7,
        "type": "ticket.note_added",
        "actor_type": "system",
        "actor_id": None,
        "user_id": None,
        "detail": "{}",
    }


def test_an_unknown_model_is_an_error() -> None:
    with pytest.raises(ValueError, match="no model Nonsense"):
        expand("SELECT {Nonsense}", postgres=False)


def test_no_query_lists_the_columns_that_it_reads() -> None:
    models: list[Any] = [cls for cls in vars(model).values() if isinstance(cls, type) and is_dataclass(cls)]
    found = []
    for file in (resources.files("router.store") / "queries").iterdir():
        text = re.sub(r"\w+\.(?=\w)", "", INSERTED.sub("", OMITTED.sub("", file.read_text(encoding="utf-8"))))
        for cls in models:
            names = column_names(cls)
            for start in range(len(names) - MAX_LISTED):
                listed = r",\s+".join(names[start : start + MAX_LISTED + 1])
                if re.search(rf"\b{listed}\b", text):
                    found.append((file.name, cls.__name__, names[start]))
    assert found == []


@dataclass(frozen=True)
class Shelf:
    """A model with a value from rows of another table."""

    id: str
    books: tuple[str, ...] = field(default=(), metadata={"related": True})


def test_a_related_field_is_neither_a_column_nor_read_from_the_row() -> None:
    assert column_names(Shelf) == ("id",)
    assert model_values(Shelf("a", ("b",))) == {"id": "a"}
    assert model_from_row(Shelf, {"id": "a"}).books == ()
