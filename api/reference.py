"""The contents of the API page: the calls of the OpenAPI document by noun, with the fields of their schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from api.examples import examples
from api.nouns import NOUNS
from api.openapi import description_of, own_errors_of
from api.route import Route
from router.errors import ErrorCode

Schema = Mapping[str, Any]
_SCHEMAS = "#/components/schemas/"
_TEXT_TYPES = {"date-time": "time", "date": "date", "uri": "URL", "binary": "bytes"}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a property.

    Attributes:
        type: For readers, such as `list of objects, or null`.
        limits: Default and limits as texts, such as `at most 200`.
        values: The allowed values, if they are listed.
        variants: The fields of the object or of the objects of the list.
    """

    name: str
    type: str
    description: str
    is_required: bool
    limits: tuple[str, ...]
    values: tuple[str, ...]
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """The fields of an object. `name` tells it apart if there are several."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class CallReference:
    """What the page shows of a call.

    Attributes:
        errors: The statuses and codes, without those of every call.
        curl: The example, with placeholders for the URL and the key (`api.examples`).
    """

    route: Route
    description: tuple[str, ...]
    parameters: tuple[Field, ...]
    body: tuple[Variant, ...]
    answer: tuple[Variant, ...]
    errors: tuple[tuple[int, ErrorCode], ...]
    curl: str
    example: str


class Reference:
    """Reads an OpenAPI document."""

    def __init__(self, document: Schema, routes: Iterable[Route]) -> None:
        self._document = document
        self._routes = tuple(routes)

    @cached_property
    def calls(self) -> dict[str, list[CallReference]]:
        """The calls by tag, in the order of `NOUNS`. Calls of the whole collection precede those of an object."""
        routes = sorted(self._routes, key=lambda route: route.path.count("/"))
        return {tag: [self._call(route) for route in routes if route.tag == tag] for tag in NOUNS}

    def _call(self, route: Route) -> CallReference:
        operation = self._document["paths"][route.path][route.method.lower()]
        example = examples()[f"{route.method} {route.path}"]
        answer = example.get("answer")
        return CallReference(
            route=route,
            description=tuple(description_of(route).split("\n\n")),
            parameters=tuple(self._parameter(parameter) for parameter in operation["parameters"]),
            body=self._content(operation.get("requestBody")),
            answer=self._content(operation["responses"][str(route.status)]),
            errors=tuple(own_errors_of(route)),
            curl=example["curl"],
            example="" if answer is None else json.dumps(answer, indent=2, ensure_ascii=False),
        )

    def _parameter(self, parameter: Schema) -> Field:
        schema = {**parameter["schema"], "description": parameter["description"]}
        return self._field(parameter["name"], schema, is_required=parameter["required"])

    def _content(self, message: Schema | None) -> tuple[Variant, ...]:
        contents = (message or {}).get("content", {})
        content = contents.get("application/json") or contents.get("multipart/form-data")
        return () if content is None else self._variants(content["schema"])

    def _variants(self, schema: Schema) -> tuple[Variant, ...]:
        """Returns the objects that the schema allows, also as items of a list; none for other types."""
        found = tuple(self._objects(schema))
        return tuple(Variant(name if len(found) > 1 else "", tuple(self._properties(each))) for name, each in found)

    def _objects(self, schema: Schema, name: str = "") -> Iterator[tuple[str, Schema]]:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_SCHEMAS)
            schema = self._resolve(schema)
        for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
            yield from self._objects(choice)
        if "items" in schema:
            yield from self._objects(schema["items"])
        if "properties" in schema:
            kind = schema["properties"].get("type", {}).get("const")
            yield f"Type {kind}" if kind else name, schema

    def _properties(self, schema: Schema) -> Iterator[Field]:
        required = schema.get("required", ())
        for name, each in schema["properties"].items():
            yield self._field(name, each, is_required=name in required)

    def _field(self, name: str, schema: Schema, *, is_required: bool) -> Field:
        choices = [self._resolve(choice) for choice in (schema, *schema.get("anyOf", ()))]
        return Field(
            name=name,
            type=self._type(schema),
            description=schema["description"],
            is_required=is_required,
            limits=tuple(limit for choice in choices for limit in _limits(choice)),
            values=next((tuple(choice["enum"]) for choice in choices if "enum" in choice), ()),
            variants=self._variants(schema),
        )

    def _type(self, schema: Schema) -> str:
        schema = self._resolve(schema)
        choices = [self._type(choice) for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]
        if choices:
            return ", or ".join(dict.fromkeys(choices))
        if "const" in schema:
            return f'"{schema["const"]}"'
        types = schema.get("type", "object")
        if isinstance(types, list):
            return ", or ".join(types)
        if types == "array":
            return f"list of {self._type(schema['items'])}s"
        return _TEXT_TYPES.get(schema.get("format", ""), str(types))

    def _resolve(self, schema: Schema) -> Schema:
        """Replaces a reference by the schema that it names. What is beside the reference takes precedence."""
        if "$ref" not in schema:
            return schema
        return {**self._document["components"]["schemas"][schema["$ref"].removeprefix(_SCHEMAS)], **schema}


def _limits(schema: Schema) -> Iterator[str]:
    if "default" in schema:
        yield f"default {json.dumps(schema['default'])}"
    if "minimum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema:
        shortest = f"{schema['minLength']} to" if schema.get("minLength") else "at most"
        yield f"{shortest} {schema['maxLength']} characters"
