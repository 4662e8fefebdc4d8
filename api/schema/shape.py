"""Base classes and field types of all models, and validation of requests.

Request bodies have strict types. Unknown fields and parameters are rejected. The use cases enforce length limits; the
models only document them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from api.schema.descriptions import add_descriptions
from router.admin.paging import DEFAULT_LIMIT, MAX_LIMIT
from router.admin.validation import MAX_NAME_LENGTH
from router.choice import Choice
from router.errors import ErrorCode, Refused
from router.filters import ME, Criterion, ListFilter
from router.model import Micros

_LAST = 253402300799  # 9999-12-31T23:59:59Z


def iso(at: Micros) -> str:
    """Formats microseconds since the epoch as `2030-01-01T12:00:00Z`."""
    time = datetime.fromtimestamp(min(max(at // 1_000_000, 0), _LAST), UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    Micros,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2030-01-01T12:00:00Z"]}),
]
JsonObject = Annotated[dict[str, Any], BeforeValidator(json.loads, json_schema_input_type=dict[str, Any])]
# Durations, from microseconds.
Seconds = Annotated[int, BeforeValidator(lambda duration: duration // 10**6, json_schema_input_type=int)]
Milliseconds = Annotated[int, BeforeValidator(lambda duration: duration // 1000, json_schema_input_type=int)]
# The field is omitted on the last page.
NextCursor = Annotated[
    str | None,
    Field(exclude_if=lambda cursor: cursor is None),
    WithJsonSchema({"type": "string", "description": "The `cursor` of the next page; absent on the last page."}),
]


class _CamelCaseModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        add_descriptions(cls, handler.resolve_ref_schema(schema))
        return schema


class Answer(_CamelCaseModel):
    """Base of responses: built with snake_case names, serialised in camelCase."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(serialization_alias=to_camel),
        from_attributes=True,
        validate_by_name=True,
        serialize_by_alias=True,
    )

    @property
    def is_secret(self) -> bool:
        """Whether the answer contains a secret, which must be neither stored nor compressed."""
        return False

    @classmethod
    def from_model(cls, *parts: object, **values: object) -> Self:
        """Builds the answer from the attributes of objects.

        A field has the attribute of its name, or of its `validation_alias`. `values` take precedence, then earlier
        parts.
        """
        if len(parts) == 1 and not values:
            return cls.model_validate(parts[0])
        return cls.model_validate(_Attributes(SimpleNamespace(**values), *parts))

    def to_json(self) -> str:
        """JSON text, as stored for idempotent requests."""
        return self.model_dump_json(by_alias=True)

    def to_json_bytes(self) -> bytes:
        """JSON bytes, without an intermediate string."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True)


class _Attributes:
    """The attributes of several objects. The first object that has an attribute provides it."""

    def __init__(self, *parts: object) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> object:
        part = next((part for part in self._parts if hasattr(part, name)), None)
        return getattr(part, name)


class Body(_CamelCaseModel):
    """Base of request bodies. `codes` maps invalid fields to error codes other than `invalid_request`."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)
    codes: ClassVar[Mapping[str, ErrorCode]] = {}


class EmptyBody(Body):
    """A body without fields."""


class QueryParameters(_CamelCaseModel):
    """Base of query strings. For `codes`, see `Body`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    codes: ClassVar[Mapping[str, ErrorCode]] = {}


class NoQuery(QueryParameters):
    """A query string without parameters."""


def _parse_int(value: object) -> object:
    """Parses ASCII digits only. `int` also accepts signs, spaces and underscores."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    raise ValueError("must be an integer")


def _parse_bool(value: object) -> object:
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("must be true or false")


def line(max_length: int) -> Any:
    """Describes a text whose maximum length applies after its normalisation. The use case validates the text."""
    text = f"At most {max_length} characters; surrounding white space is removed."
    return Field(description=text, json_schema_extra={"minLength": 1})


# These limits appear only in the OpenAPI document. The use cases have their own checks and error codes.
Name = Annotated[str, line(MAX_NAME_LENGTH)]
Address = Annotated[str, Field(json_schema_extra={"minLength": 3, "maxLength": 254})]
Password = Annotated[
    str,
    Field(
        description="8 to 1,024 characters. Common passwords and the parts of the email address are rejected.",
        json_schema_extra={"minLength": 8, "maxLength": 1024},
    ),
]
Id = Annotated[str, Field(json_schema_extra={"pattern": "^[a-z]+_[0-9a-z]{26}$"})]


def documented(choice: Choice[Any]) -> Any:
    """Lists the accepted texts of a choice in the OpenAPI document. The use case parses the text."""
    return Field(json_schema_extra={"enum": list(choice.accepted)})


IntParameter = Annotated[int, BeforeValidator(_parse_int)]
BoolParameter = Annotated[bool, BeforeValidator(_parse_bool)]


class PageParameters(QueryParameters):
    """Parameters of lists that are returned in pages."""

    limit: IntParameter = Field(
        default=DEFAULT_LIMIT,
        description="Maximum number of items to return.",
        json_schema_extra={"minimum": 1, "maximum": MAX_LIMIT},
    )
    cursor: str | None = Field(default=None, description="`nextCursor` of the previous page.")


def _describe_criterion(criterion: Criterion) -> str:
    """Returns the help of a filter. The command line, which has no authenticated user, shows it without `ME`."""
    return f"{criterion.help} `{ME}` is the authenticated user." if criterion.refers_to == "user" else criterion.help


P = TypeVar("P", bound=PageParameters)


def filter_parameters(
    name: str, description: str, list_filter: type[ListFilter], base: type[P], *, without: Collection[str] = ()
) -> type[P]:
    """Adds the criteria of a filter, except those in `without`, to the other parameters of a list."""
    criteria: Any = {
        field: (
            str | None,
            Field(
                default=None,
                description=_describe_criterion(criterion),
                json_schema_extra=None if criterion.choice is None else {"enum": list(criterion.choice.accepted)},
            ),
        )
        for field, criterion in list_filter.criteria().items()
        if field not in without
    }
    return create_model(name, __base__=base, __doc__=description, **criteria)


M = TypeVar("M", Body, QueryParameters)


def validate(model: type[M], values: Mapping[str, Any]) -> M:
    """Validates values as the model. Raises `Refused` for the first invalid field."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    names = [part for part in first["loc"] if isinstance(part, str)]
    code = model.codes.get(names[0], "invalid_request") if names else "invalid_request"
    name = ".".join(names)
    short_name = name if len(name) <= 50 else name[:50] + "..."
    indices = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
    raise Refused(code, _describe(first["type"], short_name + indices, first["msg"]), name[:200] or None)


def _describe(kind: str, name: str, message: str) -> str:
    match kind:
        case "missing":
            return f"{name} is required"
        case "extra_forbidden":
            return f"{name} is not a known field"
        case "string_type" | "string_sub_type":
            return f"{name} must be a string"
        case "list_type":
            return f"{name} must be a list of strings"
        case "bool_type":
            return f"{name} must be true or false"
        case "dict_type":
            return f"{name} must be an object"
        case "value_error":
            return f"{name} {message.removeprefix('Value error, ')}"
        case _:
            return f"{name}: {message}"
