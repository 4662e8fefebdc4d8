"""Configuration errors. Each message is one line that says where the error is, and what is wrong or allowed.

A message never contains a secret, the login part of a URL or the content of a secret file.
"""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from config.schema import SETTINGS, MxHost
from config.secret import MASK, redact
from config.setting import Setting

# In characters. Longer values would push the text about what is allowed out of view.
_MAX_DISPLAY_LENGTH = 80

_BY_NAME = {setting.name: setting for setting in SETTINGS}

# Message templates by pydantic error type. The error's context has the values for the placeholders.
_ALLOWED_BY_TYPE = {
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "missing": "is required",
    "model_type": 'must be a table like {{"host": "mx1.example.com", "priority": 10}}',
    "string_type": "must be a string",
    "too_short": "must have at least {min_length} entry",
    "tuple_type": "must be a list",
}


class ConfigError(Exception):
    """The configuration is invalid. The message is the line to print; the exit code is 2."""


@dataclass(frozen=True)
class SourceValue:
    """A value from a file, variable or credential, before validation.

    Attributes:
        hidden: Whether the value is the content of a credential or `_FILE`, which errors must not show.
    """

    value: object = field(repr=False)
    origin: str
    hidden: bool = False


def invalid_value_error(setting: Setting, source: SourceValue, allowed: str) -> ConfigError:
    return ConfigError(f"{source.origin}: {setting.name} = {_display_value(setting, source, source.value)}: {allowed}")


def unknown_setting_error(origin: str, name: str, nearest: str) -> ConfigError:
    return ConfigError(f"{one_line(origin)}: {one_line(name)} is not a setting; did you mean {nearest}?")


def nearest_setting(name: str) -> str:
    section, _, key = name.rpartition(".")
    own = {setting.key: setting.name for setting in SETTINGS if setting.section == section}
    if close := difflib.get_close_matches(key, own, 1, 0.6):
        return own[close[0]]
    if same := [setting.name for setting in SETTINGS if setting.key == key]:
        return nearest_name(name, same)
    return nearest_name(name, _BY_NAME)


def nearest_name(name: str, candidates: Iterable[str]) -> str:
    """Returns the most similar candidate. `candidates` must not be empty."""
    return difflib.get_close_matches(name, list(candidates), 1, 0.0)[0]


def first_validation_error(error: ValidationError, sources: dict[str, SourceValue]) -> ConfigError:
    """Converts the first error of a failed validation.

    `sources` contains the values before validation, with keys like `smtp.listen`.
    """
    first = error.errors(include_url=False)[0]
    location = first["loc"]
    cause = first.get("ctx", {}).get("error")
    if len(location) == 1:
        # Two keys of a section conflict. The message of the section's validator names both keys.
        origins = [source.origin for name, source in sources.items() if name.startswith(f"{location[0]}.")]
        return ConfigError(f"{one_line(', '.join(dict.fromkeys(origins)))}: {one_line(str(cause))}")
    setting = _BY_NAME[f"{location[0]}.{location[1]}"]
    source = sources[setting.name]
    suffix = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location[2:])
    name = f"{setting.name}{suffix}"
    if first["type"] == "extra_forbidden":
        # Only MX hosts are tables inside a section, so the unknown key belongs to one.
        table, _, inner = name.rpartition(".")
        return unknown_setting_error(source.origin, name, f"{table}.{nearest_name(inner, MxHost.model_fields)}")
    value = "" if first["type"] == "missing" else f" = {_display_value(setting, source, first['input'])}"
    template = _ALLOWED_BY_TYPE.get(first["type"])
    allowed = str(cause) if cause else template.format(**first.get("ctx", {})) if template else first["msg"]
    return ConfigError(f"{one_line(source.origin)}: {one_line(name)}{value}: {one_line(allowed)}")


def one_line(text: str) -> str:
    """Escapes every character that could end the line or move the cursor."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _display_value(setting: Setting, source: SourceValue, value: object) -> str:
    if source.hidden:
        return MASK
    if setting.secret:
        return json.dumps(redact(value)) if setting.name == "database.url" else MASK
    text = json.dumps(value, ensure_ascii=False, default=str)
    # The end of a login in a URL is ambiguous, so mask up to the last @.
    text = one_line(re.sub(r"://.*@", f"://{MASK}@", text, flags=re.DOTALL))
    return text if len(text) <= _MAX_DISPLAY_LENGTH else f"{text[:_MAX_DISPLAY_LENGTH]}..."
