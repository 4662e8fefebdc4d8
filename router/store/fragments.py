"""Expands references to the models in SQL texts, so that only `router/model` lists the columns of a model.

- `{Ticket}` becomes the columns of `Ticket`: `id, workspace_id, ...`; `{Ticket:t}` becomes `t.id, t.workspace_id, ...`.
- `{choices:t}` becomes the enumerations of the ticket `t` (`TICKET_CHOICES`): `t.status, ...`.
- `INSERT INTO audit {values:AuditEntry}` inserts one row: `(id, ...) VALUES (:id, ...)`.
- `INSERT INTO tickets {rows:Ticket}` inserts many rows in a statement generator (`router.store.database`). SQLite
  executes the statement once for each row; on PostgreSQL, it has an array for each column.
  `{rows:Message + aliases BIGINT}` adds columns, `{rows:message_id TEXT, n BIGINT}` lists columns without a model.
  `{rows:Ticket - status, priority}` leaves columns to the defaults of the table, which is faster on PostgreSQL: asyncpg
  checks the type of each value of an array.
- `UPDATE tickets SET {set:Ticket} updated_at = :now` also sets the columns that have a parameter: `status = :status, `.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, get_args, get_type_hints

from router import model
from router.enumerations import TICKET_CHOICES

_COLUMNS = re.compile(r"\{([A-Z]\w*)(?::(\w+))?\}")
_ROWS = re.compile(r"\{(rows|values):([^{}]*)\}")
_ROW_COLUMNS = re.compile(r"([A-Z]\w*)(?:\s*-([^+]+))?(?:\s*\+(.+))?", re.DOTALL)
_CHOICES = re.compile(r"\{choices:(\w+)\}")
_SET = re.compile(r"\{set:(\w+)\}")
# Not set by `{set:Model}`: the columns of WHERE, and the one that the statement sets itself.
_NOT_SET = {"id", "workspace_id", "updated_at"}
_SQL_TYPES = {str: "TEXT", int: "BIGINT", bytes: "BYTEA"}


def expand(text: str, *, postgres: bool) -> str:
    """Expands all references. Raises ValueError for an unknown model, or an unknown column of `{rows:...}`."""
    text = _ROWS.sub(lambda match: _row_source(match.group(2), arrays=postgres and match.group(1) == "rows"), text)
    text = _CHOICES.sub(lambda match: ", ".join(f"{match.group(1)}.{choice.name}" for choice in TICKET_CHOICES), text)
    text = _SET.sub(lambda match: _assignments(match.group(1)), text)
    return _COLUMNS.sub(lambda match: _column_list(match.group(1), match.group(2)), text)


@cache
def column_names(cls: Any) -> tuple[str, ...]:
    """Returns the names of the columns that a table of the model has."""
    return tuple(field.name for field in _stored_fields(cls))


def model_values(instance: Any) -> dict[str, object]:
    """Returns the values of a model by column, for the parameters of a statement."""
    cls: Any = type(instance)
    return dict(zip(column_names(cls), _getter(cls)(instance), strict=True))


@cache
def _getter(cls: Any) -> attrgetter[tuple[object, ...]]:
    return attrgetter(*column_names(cls))


def _stored_fields(cls: Any) -> Iterator[Field[Any]]:
    return (field for field in fields(cls) if not field.metadata.get("joined") and not field.metadata.get("related"))


def _column_list(name: str, alias: str | None) -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column for column in column_names(_find_model(name)))


def _assignments(name: str) -> str:
    columns = (column for column in column_names(_find_model(name)) if column not in _NOT_SET)
    return "".join(f"{{if has {column}: {column} = :{column},}}" for column in columns)


def _row_source(definition: str, *, arrays: bool) -> str:
    columns = dict(_parse_columns(definition))
    names = ", ".join(columns)
    if not arrays:
        return f"({names}) VALUES ({', '.join(f':{name}' for name in columns)})"
    casts = ", ".join(f"CAST(:{name} AS {sql_type}[])" for name, sql_type in columns.items())
    return f"({names}) SELECT * FROM unnest({casts})"


def _parse_columns(definition: str) -> Iterator[tuple[str, str]]:
    """Yields (name, SQL type) pairs."""
    match = _ROW_COLUMNS.fullmatch(definition.strip())
    model_name, omitted, added = match.groups() if match else (None, None, definition)
    if model_name:
        types = dict(_column_types(_find_model(model_name)))
        for name in omitted.split(",") if omitted else ():
            if types.pop(name.strip(), None) is None:
                raise ValueError(f"{{rows:{definition}}}: {model_name} has no column {name.strip()}")
        yield from types.items()
    for column in added.split(",") if added else ():
        name, sql_type = column.split()
        yield name, sql_type


@cache
def _column_types(cls: Any) -> Mapping[str, str]:
    """Returns the SQL type of each column by name. Optional values and literals have the type of their values."""
    hints = get_type_hints(cls)
    return {name: _sql_type(hints[name]) for name in column_names(cls)}


def _sql_type(hint: Any) -> str:
    if hint in _SQL_TYPES:
        return _SQL_TYPES[hint]
    member = next(each for each in get_args(hint) if each is not type(None))
    return _SQL_TYPES[type(member)] if isinstance(member, str | int) else _sql_type(member)


def _find_model(name: str) -> Any:
    cls = getattr(model, name, None)
    if not is_dataclass(cls):
        raise ValueError(f"{{{name}}}: router/model has no model {name}")
    return cls
