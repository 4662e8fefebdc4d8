"""Enumerations: values, synonyms, labels and errors."""

import re
from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailrouter.cli.parameters import ChoiceType
from router import enumerations, local_time, model
from router.choice import Choice
from router.errors import Refused
from router.store import migrate

SIZE: Choice[str] = Choice("size", ("large", "very_small"), "invalid_status", {"big": "large"}, {"large": "XL"})
MODULES = (enumerations, local_time)
UNMODELLED_TABLES = {"drafts", "message_checks"}  # they have no model with the names of their columns
CHOICES = [value for module in MODULES for value in vars(module).values() if isinstance(value, Choice)]
_CHANGED = re.compile(r"ALTER TABLE (\w+) ADD CONSTRAINT \w+\s+CHECK \((\w+) IN \(([^)]*)\)\)")
_CHECK = re.compile(r"^ {4}(\w+) TEXT .*CHECK \(\1 IN \(([^)]*)\)\)", re.MULTILINE)


@given(st.text() | st.sampled_from((*SIZE.values, *SIZE.synonyms)))
def test_values_and_synonyms_are_parsed_to_values(text: str) -> None:
    expected = SIZE.synonyms.get(text, text)
    if expected in SIZE.values:
        assert SIZE.parse(text) == expected
        return
    with pytest.raises(Refused, match=r"^size must be one of: large, very_small$") as refused:
        SIZE.parse(text)
    assert (refused.value.code, refused.value.field) == ("invalid_status", "size")


@given(st.text() | st.sampled_from((*SIZE.values, *SIZE.synonyms)))
def test_the_type_of_an_option_accepts_the_same_texts(text: str) -> None:
    try:
        parsed = SIZE.parse(text)
    except Refused:
        with pytest.raises(click.BadParameter):
            ChoiceType(SIZE).convert(text, None, None)
    else:
        assert ChoiceType(SIZE).convert(text, None, None) == parsed


def test_labels() -> None:
    assert SIZE.options() == [("large", "XL"), ("very_small", "Very small")]
    assert SIZE.label("unknown") == "unknown"


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.name}: {', '.join(choice.values)}")
def test_declarations(choice: Choice[str]) -> None:
    assert len(set(choice.values)) == len(choice.values)
    assert set(choice.labels) <= set(choice.values)
    assert set(choice.synonyms.values()) <= set(choice.values)
    assert not set(choice.synonyms) & set(choice.values)


def test_the_schema_has_the_values_of_the_models() -> None:
    """The values of each CHECK constraint are those of the model's field."""
    checked: dict[tuple[str, str], set[str]] = {}
    for migration in migrate.load_migrations():
        for table, body in re.findall(r"^CREATE TABLE (\w+) \((.*?)^\)", migration.text, re.MULTILINE | re.DOTALL):
            checked |= {(table, column): _quoted(values) for column, values in _CHECK.findall(body)}
        checked |= {(table, column): _quoted(values) for table, column, values in _CHANGED.findall(migration.text)}
    checked = {key: values for key, values in checked.items() if key[0] not in UNMODELLED_TABLES}
    declared = {(_table(cls), name): values for cls in _models() for name, values in _literals(cls).items()}
    assert {key: declared.get(key) for key in checked} == checked
    assert len(checked) > 5


def _quoted(values: str) -> set[str]:
    return set(re.findall(r"'([^']*)'", values))


def _models() -> list[type]:
    return [cls for cls in vars(model).values() if isinstance(cls, type) and is_dataclass(cls)]


def _table(cls: type) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
    return {"alias": "aliases", "delivery": "deliveries", "ticket_reply": "replies"}.get(name, f"{name}s")


def _literals(cls: Any) -> dict[str, set[str]]:
    hints = get_type_hints(cls)
    found = {field.name: hints[field.name] for field in fields(cls)}
    return {name: set(get_args(hint)) for name, hint in found.items() if get_origin(hint) is Literal}
