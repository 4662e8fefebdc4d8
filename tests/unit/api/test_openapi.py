"""The OpenAPI document describes everything in it, and names what generated clients name."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from api import openapi
from api.nouns import NOUNS
from api.resources import ROUTES
from api.schema.errors import ERRORS
from api.schema.shape import Answer, Time
from router.channels import CHANNELS

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"


@cache
def document() -> dict[str, Any]:
    types = tuple(CHANNELS.values())
    found: dict[str, Any] = json.loads(
        openapi.document_json(ROUTES, types, public_url="https://tickets.example", version="1.0")
    )
    return found


def undescribed(schemas: dict[str, Any]) -> list[str]:
    parts = dict(schemas)
    for name, schema in schemas.items():
        parts |= {f"{name}.{field}": value for field, value in schema.get("properties", {}).items()}
    return [name for name, part in parts.items() if not part.get("description", "").endswith(".")]


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        yield from ((f"{method} {path}", operation) for method, operation in methods.items())


def test_every_schema_and_property_is_described() -> None:
    assert undescribed(document()["components"]["schemas"]) == []


def test_every_operation_and_parameter_is_described() -> None:
    found = {name: operation["description"] for name, operation in operations()}
    found |= {
        f"{name} {parameter['name']}": parameter.get("description", "")
        for name, operation in operations()
        for parameter in operation["parameters"]
    }
    assert [name for name, text in found.items() if not text.endswith(".")] == []


class _Parent(Answer):
    """The parent."""

    since: Time
    """First
    text.
    """
    plain: str


class _Child(_Parent):
    """The child."""

    since: Time
    """Second text."""
    ticket_id: str
    """Own text."""


def test_text_below_a_field_is_its_description() -> None:
    for model, texts in (
        (_Parent, {"since": "First text.", "plain": None}),
        (_Child, {"since": "Second text.", "plain": None, "ticketId": "Own text."}),
    ):
        schema = model.model_json_schema(mode="serialization")
        assert {name: field.get("description") for name, field in schema["properties"].items()} == texts
        assert undescribed({"M": schema}) == ["M.plain"]


def test_operation_ids_are_unique_names() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(set(ids)) == len(ids) == len(ROUTES)
    assert [each for each in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+|sign(In|Out)", each)] == []
    assert {"claimTicket", "listTickets", "createDomain", "setTicketStatus"} <= set(ids)


def test_each_enumeration_is_one_named_schema() -> None:
    schemas = document()["components"]["schemas"]
    named = {name: schema["enum"] for name, schema in schemas.items() if "enum" in schema}
    assert named["TicketStatus"] == ["open", "in_progress", "waiting", "resolved"]
    assert json.dumps(document()).count('"enum"') == len(named)


def test_each_group_of_calls_is_a_noun() -> None:
    assert [tag["name"] for tag in document()["tags"]] == list(NOUNS)
    assert {route.tag for route in ROUTES} == set(NOUNS)
    parameters = {(route.tag, name) for route in ROUTES for name in re.findall(r"{(\w+)}", route.path)}
    assert parameters == {(tag, name) for tag, noun in NOUNS.items() for name in noun.parameters}


def test_errors_of_the_document_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \| (.*) \| (.*) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(str(error.status), code, error.meaning, error.action) for code, error in ERRORS.items()]


def test_roles_in_the_document_are_those_of_the_routes() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for route in ROUTES:
        prose = text.partition(f"### {route.method} /api{route.path}\n")[2].partition("```")[0]
        assert re.findall(r"Role:\s(\w+)\.", prose) == ([route.role] if route.role else []), route.operation_id
