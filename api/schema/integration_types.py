"""The OpenAPI schemas of integrations for each type, derived from the settings that the type declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from api.schema.integrations import WEBHOOK_URL
from router.admin.routes.integrations import IntegrationType

Schema = dict[str, Any]


def add_type_schemas(schemas: dict[str, Schema], types: Iterable[IntegrationType]) -> None:
    """Replaces the general schemas of integrations by one for each type, chosen by `type`."""
    listed = list(types)
    for each in listed:
        prefix = _prefix(each)
        schemas[f"{prefix}Settings"] = _settings_schema(
            each, f"Settings of an integration of the type {each.label}.", optional=(WEBHOOK_URL,)
        )
        schemas[f"{prefix}PublicSettings"] = _settings_schema(
            each, f"Settings of an integration of the type {each.label} that are not secret.", secrets=False
        )
        schemas[f"{prefix}SettingChanges"] = _settings_schema(
            each,
            f"Settings to change of an integration of the type {each.label}.",
            optional=[field.name for field in each.fields],
        )
    _split_by_type(schemas, "IntegrationCreate", listed, _create_schema)
    _split_by_type(schemas, "IntegrationAnswer", listed, _answer_schema)
    changes = [_reference(f"{_prefix(each)}SettingChanges") for each in listed]
    general = schemas["IntegrationChange"]["properties"]
    general["settings"] = {"anyOf": [*changes, {"type": "null"}], "description": general["settings"]["description"]}


def _split_by_type(
    schemas: dict[str, Schema],
    name: str,
    types: list[IntegrationType],
    build: Callable[[Schema, IntegrationType], Schema],
) -> None:
    general = schemas[name]
    names = {each.kind: f"{_prefix(each)}{name}" for each in types}
    for each in types:
        schemas[names[each.kind]] = build(general, each) | {"title": names[each.kind]}
    schemas[name] = {
        "title": name,
        "description": general["description"],
        "oneOf": [_reference(variant) for variant in names.values()],
        "discriminator": {
            "propertyName": "type",
            "mapping": {kind: _reference(variant)["$ref"] for kind, variant in names.items()},
        },
    }


def _create_schema(general: Schema, each: IntegrationType) -> Schema:
    settings = _reference(f"{_prefix(each)}Settings")
    properties = _typed_properties(general, each, settings)
    required = list(general["required"])
    if WEBHOOK_URL not in (field.name for field in each.fields):
        del properties[WEBHOOK_URL]
    if any(field.required and field.name != WEBHOOK_URL for field in each.fields):
        required.append("settings")
    else:
        properties["settings"] = {"anyOf": [settings, {"type": "null"}]} | _description(properties["settings"])
    ordered = {name: properties[name] for name in ("type", "name")} | properties
    schema = general | {"properties": ordered, "required": required}
    if WEBHOOK_URL in properties:
        # Not `anyOf`, of which client generators make a type of its own.
        schema["if"] = {"not": {"required": [WEBHOOK_URL]}}
        schema["then"] = {"required": ["settings"], "properties": {"settings": {"required": [WEBHOOK_URL]}}}
    return schema


def _answer_schema(general: Schema, each: IntegrationType) -> Schema:
    return general | {"properties": _typed_properties(general, each, _reference(f"{_prefix(each)}PublicSettings"))}


def _typed_properties(general: Schema, each: IntegrationType, settings: Schema) -> Schema:
    properties: Schema = general["properties"]
    return properties | {
        "type": {"const": each.kind} | _description(properties["type"]),
        "settings": settings | _description(properties["settings"]),
    }


def _description(schema: Schema) -> Schema:
    return {"description": schema["description"]}


def _settings_schema(
    each: IntegrationType, description: str, *, secrets: bool = True, optional: Iterable[str] = ()
) -> Schema:
    fields = [field for field in each.fields if secrets or not field.secret]
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        # Answers omit the settings that are not set; requests may also contain null.
        "properties": {
            field.name: field.json_schema() | ({} if field.required or not secrets else {"type": ["string", "null"]})
            for field in fields
        },
        "required": [field.name for field in fields if field.required and field.name not in optional],
    }


def _prefix(each: IntegrationType) -> str:
    return each.kind.title().replace("_", "")


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
