"""The OpenAPI 3.1 document, generated from the route table and its models."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.cookies import cookie_name
from api.examples import examples
from api.nouns import NOUNS
from api.route import Route
from api.schema.enumerations import refer_to_enumerations
from api.schema.errors import STATUS, Error
from api.schema.integration_types import add_type_schemas
from api.schema.shape import EmptyBody
from router.admin.routes.integrations import IntegrationType
from router.enumerations import ROLE
from router.errors import ErrorCode

_PARAMETER = re.compile(r"{([a-z]+)}")
_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = """Receives mail for your domains, creates tickets and posts them to integrations.

Send the API key as `Authorization: Bearer er_...`. Most lists are newest first; `nextCursor` is present when there
are more items. `POST` calls that create something accept an `Idempotency-Key`. All errors have the same schema.
"""


def document(
    routes: Iterable[Route], types: Iterable[IntegrationType], *, public_url: str, version: str
) -> dict[str, Any]:
    listed = list(routes)
    references, schemas = _schemas(listed)
    add_type_schemas(schemas, types)
    paths: dict[str, dict[str, Any]] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    found = {
        "openapi": "3.1.0",
        "info": {"title": "Email Router", "version": version or "0", "description": _DESCRIPTION},
        "servers": [{"url": f"{public_url}/api"}, {"url": f"{public_url}/v1"}],
        "security": [{"key": []}, {"session": []}],
        "tags": [{"name": tag, "description": noun.description} for tag, noun in NOUNS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "API key (er_...)"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie_name(public_url)},
            },
            "headers": _headers(),
        },
    }
    refer_to_enumerations(found)
    return found


@functools.cache
def document_json(
    routes: tuple[Route, ...], types: tuple[IntegrationType, ...], *, public_url: str, version: str
) -> str:
    """The document as JSON. Cached, because the same arguments give the same document."""
    return json.dumps(document(routes, types, public_url=public_url, version=version), ensure_ascii=False)


def _schemas(routes: list[Route]) -> tuple[Mapping[tuple[type[Any], JsonSchemaMode], Any], dict[str, Any]]:
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Error, "serialization")]
    for route in routes:
        if route.body is not EmptyBody:
            models.append((route.body, "validation"))
        if route.answer is not None:
            models.append((route.answer, "serialization"))
    references, definitions = models_json_schema(list(dict.fromkeys(models)), by_alias=True, ref_template=_REFERENCE)
    return references, {name: _without_null_defaults(shape) for name, shape in definitions["$defs"].items()}


def _without_null_defaults(shape: dict[str, Any]) -> dict[str, Any]:
    """Removes null defaults, which only mark omitted fields."""
    fields = {
        name: {key: value for key, value in field.items() if (key, value) != ("default", None)}
        for name, field in shape.get("properties", {}).items()
    }
    return shape | {"properties": fields} if fields else shape


def _operation(route: Route, schemas: Mapping[tuple[type[Any], JsonSchemaMode], Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "description": description_of(route),
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            **_success(route, schemas),
            **{str(status): _failure(codes, schemas) for status, codes in errors_of(route).items()},
        },
    }
    if route.role is None:
        operation["security"] = []
    if route.creates:
        operation["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key with the same request within 24 hours returns the same response.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
            }
        )
    if content := _request_content(route, schemas):
        required = route.body is EmptyBody or any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _request_content(route: Route, schemas: Mapping[tuple[type[Any], JsonSchemaMode], Any]) -> dict[str, Any]:
    """Returns the media types of the request with their schemas."""
    content: dict[str, Any] = {}
    if route.body is not EmptyBody:
        content["application/json"] = {"schema": schemas[route.body, "validation"]} | _example(route, "request")
    if route.form is not None:
        file: dict[str, Any] = {"type": "string", "format": "binary", "description": "Content of the file."}
        if route.form.max_files > 1:
            file = {"type": "array", "items": file, "maxItems": route.form.max_files, "description": "Files to attach."}
        properties = {"file": file}
        if route.form.body_part:
            properties[route.form.body_part] = schemas[route.body, "validation"]
        required = [route.form.body_part or "file"]
        schema = {"type": "object", "properties": properties, "required": required}
        content["multipart/form-data"] = {"schema": schema}
    return content


def description_of(route: Route) -> str:
    """Returns what the call does and which role it needs, in Markdown."""
    role = f"Requires the role `{route.role}`" if route.role else "Needs no authentication"
    higher = "" if route.role in (None, ROLE.values[0]) else " or a higher one"
    return f"{examples()[f'{route.method} {route.path}']['description']}\n\n{role}{higher}."


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": NOUNS[route.tag].parameters[name],
            "schema": {"type": "string"},
        }
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    schema = route.query.model_json_schema(by_alias=True)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _parameter_schema(shape),
            **({"description": shape["description"]} if "description" in shape else {}),
        }
        for name, shape in schema.get("properties", {}).items()
    ]


def _parameter_schema(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a query parameter. Null is removed, because a query string cannot express it."""
    schema = {name: value for name, value in shape.items() if name not in ("title", "description", "default")}
    choices = [choice for choice in schema.pop("anyOf", ()) if choice.get("type") != "null"]
    if shape.get("default") is not None:
        schema["default"] = shape["default"]
    return {**(choices[0] if choices else {}), **schema}


def _success(route: Route, schemas: Mapping[tuple[type[Any], JsonSchemaMode], Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": route.summary, "headers": _header_references(route)}
    if route.answer is not None:
        content = {"schema": schemas[route.answer, "serialization"]} | _example(route, "answer")
        response["content"] = {"application/json": content}
    elif route.media:
        response["content"] = {route.media: {"schema": {"type": "string", "format": "binary"}}}
    return {str(route.status): response}


def _example(route: Route, part: str) -> dict[str, Any]:
    example = examples().get(f"{route.method} {route.path}", {})
    return {"example": example[part]} if part in example else {}


# The errors of every call, and of every call that needs a user.
_COMMON_ERRORS: tuple[ErrorCode, ...] = (
    "invalid_request",
    "unsupported_media_type",
    "payload_too_large",
    "internal_error",
    "unavailable",
)
_USER_ERRORS: tuple[ErrorCode, ...] = ("unauthorized", "forbidden", "rate_limited")


def common_errors() -> list[tuple[int, ErrorCode]]:
    """Returns the statuses and codes that every call has, in order of status."""
    return sorted((STATUS[code], code) for code in (*_COMMON_ERRORS, *_USER_ERRORS))


def own_errors_of(route: Route) -> list[tuple[int, ErrorCode]]:
    """Returns the statuses and codes of a call without those of every call, unless they have another meaning in it."""
    common = {*_COMMON_ERRORS, *_USER_ERRORS} - {*route.errors}
    return [(status, code) for status, codes in errors_of(route).items() for code in codes if code not in common]


def errors_of(route: Route) -> dict[int, list[ErrorCode]]:
    codes: list[ErrorCode] = list(_COMMON_ERRORS)
    if route.role is not None:
        codes += _USER_ERRORS
    if "{" in route.path:
        codes += ["not_found"]
    if route.creates:
        codes += ["conflict", "idempotency_mismatch"]
    codes += route.errors
    by_status: dict[int, list[ErrorCode]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(STATUS[code], []).append(code)
    return dict(sorted(by_status.items()))


def _failure(codes: list[ErrorCode], schemas: Mapping[tuple[type[Any], JsonSchemaMode], Any]) -> dict[str, Any]:
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {"application/json": {"schema": schemas[Error, "serialization"]}},
    }


def _header_references(route: Route) -> dict[str, Any]:
    if route.role is None:
        return {}
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _headers()}


def _headers() -> dict[str, Any]:
    return {
        name: {"description": description, "schema": {"type": "integer"}}
        for name, description in {
            "X-RateLimit-Limit": "Number of requests that the limit allows.",
            "X-RateLimit-Remaining": "Number of requests that remain.",
            "X-RateLimit-Reset": "End of the window, in Unix seconds.",
        }.items()
    }
