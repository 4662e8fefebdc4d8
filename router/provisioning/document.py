"""The workspace document: the configuration of a workspace as a TOML file.

The document never contains a secret: a secret setting is a reference, `env:NAME` or `file:PATH`. A missing section
leaves the objects of its kind unchanged; an empty section stands for no objects. Pure.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError, create_model

from router.enumerations import AliasStatus, CheckAction, Role
from router.provisioning.entry import EntryModel, InvalidDocument
from router.provisioning.sections import SECTIONS

MAX_BYTES = 16 * 1024 * 1024


def validate_reference(value: str) -> str:
    """Raises ValueError if the value is not a reference."""
    kind, colon, name = value.partition(":")
    if kind not in ("env", "file") or not colon or not name:
        raise ValueError("must be a reference (env:NAME or file:PATH), not the secret itself")
    return value


Reference = Annotated[str, AfterValidator(validate_reference)]


class SenderChecksDefinition(EntryModel):
    """The sender checks of the workspace or of an alias, complete.

    A setting that is missing has its default in the workspace, and that of the workspace for an alias.
    """

    on_fail: CheckAction | None = None
    on_spam: CheckAction | None = None
    spam_score: float | None = None


class WorkspaceDefinition(EntryModel):
    """The settings of the workspace. A field that is None keeps the current value.

    `default_integration` is a name or id; `""` removes the default integration.
    """

    name: str | None = None
    default_integration: str | None = None
    timezone: str | None = None
    locale: str | None = None
    sender_checks: SenderChecksDefinition | None = None


class IntegrationDefinition(EntryModel):
    """An integration. An `id` distinguishes integrations with the same name; aliases then refer to the id.

    `settings` contains all settings by their keys (`SettingField.key`); secret ones are references. `webhook_url` is
    an older place of this setting. Without a `type`, a new integration has the default type.
    """

    id: str | None = None
    name: str
    type: str | None = None
    settings: dict[str, str] = Field(default_factory=dict)
    webhook_url: Reference | None = None

    @property
    def ref(self) -> str:
        return self.id or self.name

    @property
    def all_settings(self) -> dict[str, tuple[str, str]]:
        """The place in this entry and the text of each setting by its key."""
        older = {} if self.webhook_url is None else {"webhook_url": ("webhook_url", self.webhook_url)}
        return older | {key: (f"settings.{key}", text) for key, text in self.settings.items()}


class SendingDefinition(EntryModel):
    """Whether replies are sent from a domain, and the smarthost of the domain. The DKIM keys are not exported.

    With `""` as `smarthost`, the domain uses that of the installation. Without a password that is set, an existing
    smarthost with the same user and host keeps its own.
    """

    domain: str
    enabled: bool = True
    smarthost: str = ""
    smarthost_password: Reference | None = None


class AliasDefinition(EntryModel):
    """An alias. A field that is None keeps the current value of an existing alias; `""` removes it.

    `acknowledge` is the name of a template.
    """

    address: str
    integration: str | None = None
    status: AliasStatus = "active"
    forwarded_from: str | None = None
    sender_checks: SenderChecksDefinition | None = None
    sender_name: str | None = None
    signature: str | None = None
    reply_to_token: bool | None = None
    acknowledge: str | None = None


class UserDefinition(EntryModel):
    """A user, without password and keys.

    With `""` as `timezone`, the user has the time zone of the workspace; None keeps the current value.
    """

    email: str
    name: str = ""
    role: Role = "agent"
    disabled: bool = False
    timezone: str | None = None


class WorkspaceDocument(EntryModel):
    """The contents of the TOML file, without the lists of `SECTIONS`. A list that is missing is None.

    `mx_managed_upstream` lists the domains whose mail another relay receives. If present, it replaces the current list.
    """

    domains: list[str] | None = None
    mx_managed_upstream: list[str] | None = None
    workspace: WorkspaceDefinition = WorkspaceDefinition()
    sending: list[SendingDefinition] | None = None
    integrations: list[IntegrationDefinition] | None = Field(default=None)
    aliases: list[AliasDefinition] | None = None
    users: list[UserDefinition] | None = None


_section_fields: dict[str, Any] = {section.key: (list[section.entry_type] | None, None) for section in SECTIONS}  # type: ignore[name-defined]  # a type known at run time
CompleteDocument: type[WorkspaceDocument] = create_model(
    "WorkspaceDocument", __base__=WorkspaceDocument, **_section_fields
)


def parse(text: str) -> WorkspaceDocument:
    """Parses a document. Raises `InvalidDocument`."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidDocument(f"invalid TOML: {error}") from None
    try:
        return CompleteDocument.model_validate(document)
    except ValidationError as error:
        # A misspelled required key causes two errors. The error about the unknown key is more helpful.
        errors = error.errors(include_url=False, include_input=False)
        first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    location = _format_location(first["loc"])
    match first["type"]:
        case "missing":
            problem = "is missing"
        case "extra_forbidden":
            problem = f"is not a known key{_suggestion(first['loc'])}"
        case _:
            problem = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    raise InvalidDocument(f"{location} {problem}")


def render(document: WorkspaceDocument, *, head: str = "") -> str:
    """Renders a document as TOML. The lines of `head` become a comment at the top."""
    return "\n".join(_render_lines(document, head)) + "\n"


def _render_lines(document: WorkspaceDocument, head: str) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in head.splitlines())
    data = document.model_dump(exclude_none=True)
    # In TOML, keys precede tables.
    for key, value in data.items():
        if isinstance(value, list) and not _is_table_list(value):
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
        elif _is_table_list(value):
            for entry in value:
                yield from ("", f"[[{key}]]", *_render_pairs(entry))


def _is_table_list(value: object) -> bool:
    """Whether a value is rendered as tables. A list with texts has its tables inline."""
    return isinstance(value, list) and value != [] and all(isinstance(entry, dict) for entry in value)


def _render_pairs(entry: dict[str, Any]) -> list[str]:
    return [f"{key} = {_render_value(value)}" for key, value in entry.items()]


def _render_value(value: object) -> str:
    """Renders a string, a boolean or an inline table. In TOML, unlike in JSON, DEL must be escaped."""
    if isinstance(value, dict):
        return f"{{ {', '.join(_render_pairs(value))} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _format_location(loc: tuple[int | str, ...]) -> str:
    """Formats a location, for example as `aliases[2].address`. Numbers in the text start at 1."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "the file"


def _suggestion(loc: tuple[int | str, ...]) -> str:
    sections: dict[str, Any] = {
        "workspace": WorkspaceDefinition,
        "sending": SendingDefinition,
        "integrations": IntegrationDefinition,
        "aliases": AliasDefinition,
        "users": UserDefinition,
    } | {each.key: each.entry_type for each in SECTIONS if issubclass(each.entry_type, BaseModel)}
    section = sections[str(loc[0])] if len(loc) > 1 and str(loc[0]) in sections else CompleteDocument
    if loc[-2:-1] == ("sender_checks",):
        section = SenderChecksDefinition
    matches = difflib.get_close_matches(str(loc[-1]), section.model_fields, n=1)
    return f"; did you mean {matches[0]}?" if matches else f"; allowed keys: {', '.join(section.model_fields)}"
