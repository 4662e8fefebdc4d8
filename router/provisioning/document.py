"""A workspace's whole configuration as one TOML file: its form, read and written.

The file holds what a person decides (domains, integrations, aliases, blocked senders, users, the default
integration), never what happened (tickets, deliveries), and no secret: a webhook's URL is a reference, `env:NAME` or
`file:PATH`. A part that is missing is left as it is; one that is empty is empty. Pure.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from router.errors import Refused

MAX_BYTES = 16 * 1024 * 1024


def _validate_reference(value: str) -> str:
    kind, colon, name = value.partition(":")
    if kind not in ("env", "file") or not colon or not name:
        raise ValueError("must be a reference (env:NAME or file:PATH), not the secret itself")
    return value


Reference = Annotated[str, AfterValidator(_validate_reference)]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class WorkspaceEntry(_Section):
    """default_integration: as aliases name one; `""` is none. Missing keys leave what there is."""

    name: str | None = None
    default_integration: str | None = None
    timezone: str | None = None
    locale: str | None = None


class IntegrationEntry(_Section):
    """id: only where several integrations have one name; aliases name it by its id then."""

    id: str | None = None
    name: str
    type: str = "slack"
    webhook_url: Reference

    @property
    def ref(self) -> str:
        """What aliases call it."""
        return self.id or self.name


class AliasEntry(_Section):
    """integration: missing leaves an existing alias where it points."""

    address: str
    integration: str | None = None
    status: Literal["active", "disabled"] = "active"


class UserEntry(_Section):
    """A person, without password and keys. timezone: `""` is the workspace's, missing leaves it."""

    email: str
    name: str = ""
    role: Literal["admin", "agent", "viewer"] = "agent"
    disabled: bool = False
    timezone: str | None = None


class WorkspaceDocument(_Section):
    """The file. A part that is None is not in it.

    mx_managed_upstream: those of the domains before which another relay stands; all others of the workspace are not.
    """

    domains: list[str] | None = None
    mx_managed_upstream: list[str] | None = None
    blocked_senders: list[str] | None = None
    workspace: WorkspaceEntry = WorkspaceEntry()
    integrations: list[IntegrationEntry] | None = Field(default=None)
    aliases: list[AliasEntry] | None = None
    users: list[UserEntry] | None = None


class InvalidDocument(Refused):
    """The text is not a configuration of this form; the message says where and what is allowed."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_request", message)


def parse(text: str) -> WorkspaceDocument:
    """The file's text as a blueprint; raises `InvalidDocument`."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidDocument(f"invalid TOML: {error}") from None
    try:
        return WorkspaceDocument.model_validate(document)
    except ValidationError as error:
        # A misspelt key also shows as a missing one; its own line helps more.
        found = error.errors(include_url=False, include_input=False)
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = _format_location(first["loc"])
    match first["type"]:
        case "missing":
            said = "is missing"
        case "extra_forbidden":
            said = f"is not a known key{_suggestion(first['loc'])}"
        case _:
            said = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    raise InvalidDocument(f"{place} {said}")


def render(blueprint: WorkspaceDocument, *, head: str = "") -> str:
    """The text that `parse` takes back. head: lines for people, put in front as comments."""
    return "\n".join(_render_lines(blueprint, head)) + "\n"


def _render_lines(blueprint: WorkspaceDocument, head: str) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in head.splitlines())
    data = blueprint.model_dump(exclude_none=True)
    # Keys come before tables in TOML, so what is empty or a plain list is written first.
    for key, value in data.items():
        if isinstance(value, list) and (not value or not isinstance(value[0], dict)):
            yield from (
                ("", f"{key} = [", *(f"    {_render_value(entry)}," for entry in value), "]")
                if value
                else (
                    "",
                    f"{key} = []",
                )
            )
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from ("", f"[{key}]", *_render_pairs(value))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for entry in value:
                yield from ("", f"[[{key}]]", *_render_pairs(entry))


def _render_pairs(entry: dict[str, Any]) -> list[str]:
    return [f"{key} = {_render_value(value)}" for key, value in entry.items()]


def _render_value(value: object) -> str:
    """A text or true/false: JSON's form is TOML's, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _format_location(loc: tuple[int | str, ...]) -> str:
    """`aliases[2].address`, counted from 1 as people do."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "the file"


def _suggestion(loc: tuple[int | str, ...]) -> str:
    parts: dict[str, type[_Section]] = {
        "workspace": WorkspaceEntry,
        "integrations": IntegrationEntry,
        "aliases": AliasEntry,
        "users": UserEntry,
    }
    known = parts[str(loc[0])] if len(loc) > 1 and str(loc[0]) in parts else WorkspaceDocument
    near = difflib.get_close_matches(str(loc[-1]), known.model_fields, n=1)
    return f"; did you mean {near[0]}?" if near else f"; allowed keys: {', '.join(known.model_fields)}"
