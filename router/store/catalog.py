"""Loads the named queries of `queries/*.sql`. Most queries have one text for both databases.

A file contains queries in this form:

    -- name: domain_by_id
    -- One domain of a workspace.
    SELECT {Domain} FROM domains WHERE id = :id AND workspace_id = :workspace_id;

`{Domain}` stands for the columns of the model `Domain` (`fragments`), and `{if ...}` for an optional part (`variants`).
A block `-- fragment: NAME` is text that queries and later fragments include as `{NAME}`. For PostgreSQL, named
parameters (`:id`) become `$1`, `$2`, ... A block `/*sqlite ... */` applies to SQLite only. A file `NAME.pg.sql` has
separate PostgreSQL texts for the queries that need them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import compress

from router.store.fragments import expand
from router.store.variants import Condition, find_conditions, select_parts

_NAME_LINE = re.compile(r"^-- (name|fragment): ([a-z0-9_]+)\s*$", re.MULTILINE)
_FRAGMENT = re.compile(r"\{([a-z_]+)\}")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z][a-z0-9_]*)")
_RETURNS_ROWS = re.compile(r"^\s*(?:SELECT|VALUES|WITH|PRAGMA)\b|\bRETURNING\b", re.IGNORECASE)
_ARRAY_PARAMETER = re.compile(r"CAST\(:\w+ AS \w+\[\]\)")
_COMMENT = re.compile(r"--[^\n]*")
_SQLITE_BLOCK = re.compile(r"/\*sqlite\b(.*?)\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One statement, with named parameters for SQLite and numbered parameters for PostgreSQL.

    Attributes:
        parameters: The names in the order of the numbers.
        takes_arrays: Whether the PostgreSQL text has an array for each parameter, with a value for each of many rows.
    """

    name: str
    sqlite: str
    postgres: str
    parameters: tuple[str, ...]
    returns_rows: bool
    takes_arrays: bool

    def bind_one(self, values: Mapping[str, object]) -> list[object]:
        """Returns the parameters of the PostgreSQL text for the values of one row."""
        return [[values[name]] if self.takes_arrays else values[name] for name in self.parameters]

    def bind_many(self, rows: Sequence[Mapping[str, object]]) -> list[list[object]]:
        """Returns the parameters of each execution of the PostgreSQL text, together for all rows."""
        if self.takes_arrays:
            return [[[row[name] for row in rows] for name in self.parameters]]
        return [[row[name] for name in self.parameters] for row in rows]


@dataclass(frozen=True, slots=True)
class VariableQuery:
    """A statement with optional parts. The variants are built when they are first needed."""

    name: str
    sqlite: str
    postgres: str
    conditions: tuple[Condition, ...]
    _built: dict[tuple[bool, ...], NamedQuery] = field(default_factory=dict, compare=False)

    def select(self, values: Mapping[str, object]) -> NamedQuery:
        held = tuple([condition.holds(values) for condition in self.conditions])
        variant = self._built.get(held)
        if variant is None:
            holding = frozenset(compress(self.conditions, held))
            variant = build_query(self.name, select_parts(self.sqlite, holding), select_parts(self.postgres, holding))
            self._built[held] = variant
        return variant


class Catalog:
    """All queries by name."""

    def __init__(self, queries: Mapping[str, NamedQuery | VariableQuery]) -> None:
        self._queries = dict(queries)

    def __getitem__(self, name: str) -> NamedQuery:
        """Returns a query. If it has optional parts, returns the variant without values."""
        return self.select(name, {})

    def select(self, name: str, values: Mapping[str, object]) -> NamedQuery:
        """Returns the variant of a query for the values of its parameters."""
        try:
            query = self._queries[name]
        except KeyError:
            raise KeyError(f"no query named {name!r} in router/store/queries") from None
        return query if isinstance(query, NamedQuery) else query.select(values)

    def conditions(self, name: str) -> tuple[Condition, ...]:
        """Returns the conditions of the optional parts of a query."""
        query = self._queries[name]
        return () if isinstance(query, NamedQuery) else query.conditions

    def __iter__(self) -> Iterator[NamedQuery | VariableQuery]:
        return iter(self._queries.values())

    def names(self) -> frozenset[str]:
        return frozenset(self._queries)


@functools.cache
def load_catalog() -> Catalog:
    """Loads all queries. Raises ValueError if a file is invalid."""
    shared: dict[str, str] = {}
    postgres: dict[str, str] = {}
    fragments: dict[str, str] = {}
    folder = resources.files("router.store") / "queries"
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        for kind, name, text in _parse_file(file.name, file.read_text(encoding="utf-8")):
            known = fragments if kind == "fragment" else postgres if file.name.endswith(".pg.sql") else shared
            if name in known:
                raise ValueError(f"{file.name}: query {name} is defined twice")
            known[name] = _include(text, fragments) if kind == "fragment" else text
    orphans = postgres.keys() - shared.keys()
    if orphans:
        raise ValueError(f"queries in .pg.sql files without a shared text: {', '.join(sorted(orphans))}")
    return Catalog({name: _build(name, text, postgres.get(name, text), fragments) for name, text in shared.items()})


def _build(name: str, sqlite: str, postgres: str, fragments: Mapping[str, str]) -> NamedQuery | VariableQuery:
    sqlite = expand(_SQLITE_BLOCK.sub(r"\1", _include(sqlite, fragments)), postgres=False)
    postgres = expand(_SQLITE_BLOCK.sub("", _include(postgres, fragments)), postgres=True)
    conditions = tuple(dict.fromkeys([*find_conditions(sqlite), *find_conditions(postgres)]))
    if conditions:
        return VariableQuery(name, sqlite, postgres, conditions)
    return build_query(name, select_parts(sqlite, frozenset()), select_parts(postgres, frozenset()))


def _include(text: str, fragments: Mapping[str, str]) -> str:
    return _FRAGMENT.sub(lambda match: fragments[match[1]], text)


def _parse_file(file: str, text: str) -> list[tuple[str, str, str]]:
    """Returns the kind (`name` or `fragment`), name and text of each block."""
    headers = list(_NAME_LINE.finditer(text))
    queries: list[tuple[str, str, str]] = []
    for header, next_header in zip(headers, [*headers[1:], None], strict=True):
        block = text[header.end() : next_header.start() if next_header else len(text)].strip()
        comment = block.splitlines()[0].removeprefix("--").strip() if block.startswith("--") else ""
        statement = _COMMENT.sub("", block).strip().rstrip(";").strip()
        if not statement or not (comment or file.endswith(".pg.sql")):
            raise ValueError(f"{file}: {header[2]} needs a comment (`-- ...`) and a statement")
        queries.append((header[1], header[2], statement))
    return queries


def build_query(name: str, sqlite: str, postgres: str) -> NamedQuery:
    """Raises ValueError when the parameters of the two texts differ."""
    parameters = tuple(dict.fromkeys(_PARAMETER.findall(postgres)))
    if set(parameters) != set(_PARAMETER.findall(sqlite)):
        raise ValueError(f"query {name}: the SQLite and PostgreSQL texts take different parameters")
    returns = _RETURNS_ROWS.search(sqlite) is not None
    numbers = {parameter: f"${n}" for n, parameter in enumerate(parameters, start=1)}
    numbered = _PARAMETER.sub(lambda match: numbers[match.group(1)], postgres)
    takes_arrays = _ARRAY_PARAMETER.search(postgres) is not None
    return NamedQuery(name, sqlite, numbered, parameters, returns, takes_arrays)
