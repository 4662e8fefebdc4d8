"""The settings of an integration: their declaration by a channel, their values, and validation.

Every interface derives its names from one declaration: `threadId` in the REST API and in forms, `thread_id` in a
workspace document, `--thread-id` on the command line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from router.channels.webhook_url import MAX_URL_LENGTH, has_private_host, parse_webhook_url
from router.errors import ErrorCode, InvalidSetting
from router.model import Integration
from router.unicode_security import safe_line

_UPPER_CASE = re.compile(r"(?<!^)([A-Z])")
# Forms have fields with these names, or commands have such options and parameters.
_RESERVED_NAMES = frozenset({"name", "type", "kind", "integration", "workspace", "config", "json", "help"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """The declaration of one setting. Every value is a text.

    Attributes:
        name: The name in the REST API, in camelCase; not one of `_RESERVED_NAMES`.
        help: A sentence for users, as Markdown.
        format: `url` is a URL to post to (`parse_webhook_url`); `text` is one line.
        path_required: Whether a URL must have a path, as webhook URLs have.
        secret: Whether the value is stored encrypted and never returned.
        max_length: The maximum length of a text in characters.
        pattern: A regular expression that a complete value must match; "" for none. With private networks allowed, a
            URL with a private host need not match, so that it can be that of a stand-in for the service.
        allowed: What `pattern` allows, for errors: "must be ...".
        own_urls: A regular expression of complete URLs that other types of integrations refuse, because only this
            service has them; "" for `pattern`. Any other URL is foreign (`find_foreign_host`).
        invalid_code: The error code of an invalid value.
    """

    name: str
    label: str
    help: str
    format: Literal["url", "text"] = "text"
    secret: bool = False
    required: bool = True
    path_required: bool = True
    max_length: int = 200
    pattern: str = ""
    allowed: str = ""
    own_urls: str = ""
    invalid_code: ErrorCode = "invalid_request"

    def __post_init__(self) -> None:
        if self.name in _RESERVED_NAMES:
            raise ValueError(f"a setting must not have the name {self.name}")

    @property
    def noun(self) -> str:
        """The label within a sentence, such as `webhook URL`."""
        return self.label[0].lower() + self.label[1:]

    @property
    def key(self) -> str:
        """The name in a workspace document, such as `thread_id`."""
        return _UPPER_CASE.sub(r"_\1", self.name).lower()

    @property
    def option(self) -> str:
        """The option of the command line, such as `--thread-id`."""
        return f"--{self.key.replace('_', '-')}"

    def parse(self, value: object, *, allow_private: bool) -> str:
        """Returns the normalised value.

        Raises:
            InvalidSetting: The value is missing or invalid.
        """
        if not isinstance(value, str):
            raise self._invalid(f"{self.label} must be a string")
        text = value.strip()
        if not text:
            raise self._invalid(f"{self.label} is required" if self.required else f"{self.label} must not be empty")
        if self.format == "url":
            try:
                text = parse_webhook_url(text, allow_private=allow_private, path_required=self.path_required)
            except ValueError as error:
                raise self._invalid(f"Invalid {self.noun}: {error}") from None
        elif len(value) > self.max_length:
            raise self._invalid(f"{self.label} must not be longer than {self.max_length} characters")
        elif _CONTROLS.search(text) or safe_line(text) != text:
            raise self._invalid(f"{self.label} must not contain control or invisible characters")
        is_stand_in = allow_private and self.format == "url" and has_private_host(text)
        if self.pattern and not is_stand_in and not re.fullmatch(self.pattern, text):
            raise self._invalid(f"{self.label} must be {self.allowed}")
        return text

    def is_own_url(self, text: str) -> bool:
        """Whether this is declared as a URL that only the service of this setting has."""
        pattern = self.own_urls or self.pattern
        return self.format == "url" and bool(pattern) and re.fullmatch(pattern, text) is not None

    def find_foreign_host(self, value: object) -> str | None:
        """Returns the host of a URL that is not one of the service of this setting.

        None for a URL of the service, for an invalid value, and if the setting does not declare the service's URLs.
        """
        if self.format != "url" or not (self.own_urls or self.pattern) or value is None:
            return None
        try:
            url = self.parse(value, allow_private=True)
        except InvalidSetting:
            return None
        return None if self.is_own_url(url) else urlsplit(url).hostname

    def is_set(self, integration: Integration) -> bool:
        """Whether this setting has a value. That of a secret is not read."""
        return self.required or self.name in json.loads(integration.public_settings)

    def json_schema(self) -> dict[str, Any]:
        """Returns the JSON schema of a value, which is not stricter than `parse`."""
        schema: dict[str, Any] = {"type": "string", "title": self.label, "description": self.help, "minLength": 1}
        if self.format == "url":  # the limit of the length excludes surrounding white space
            return schema | {"format": "uri"}
        schema["maxLength"] = self.max_length
        if self.pattern:
            schema["pattern"] = rf"^\s*(?:{self.pattern})\s*$"
        return schema

    def _invalid(self, message: str) -> InvalidSetting:
        return InvalidSetting(self.invalid_code, message, self.name)


WEBHOOK_URL = SettingField(
    name="webhookUrl",
    label="Webhook URL",
    help="Stored encrypted and never shown again, because anyone with the URL can post to the channel.",
    format="url",
    secret=True,
    max_length=MAX_URL_LENGTH,
    invalid_code="invalid_webhook_url",
)


class Settings(dict[str, str]):
    """Validated settings by name, without optional settings that are not set. The texts of the values are hidden."""

    def __repr__(self) -> str:
        return f"Settings({', '.join(self)})"

    __str__ = __repr__


def parse_settings(
    fields: Iterable[SettingField], values: Mapping[str, Any], *, kind: str, allow_private: bool
) -> Settings:
    """Validates the values of the fields. An optional setting that is None is not set.

    Raises:
        InvalidSetting: A setting is unknown, missing or invalid.
    """
    known = {field.name: field for field in fields}
    unknown = next((name for name in values if name not in known), None)
    if unknown is not None:
        message = f"{unknown[:50]} is not a setting of {kind}; its settings are: {', '.join(known)}"
        raise InvalidSetting("invalid_request", message, unknown[:200])
    return Settings(
        {
            name: field.parse("" if values.get(name) is None else values[name], allow_private=allow_private)
            for name, field in known.items()
            if field.required or values.get(name) is not None
        }
    )
