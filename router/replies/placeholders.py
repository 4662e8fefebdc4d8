"""Placeholders in texts that users write: `{name}`, `{name|fallback}`, and `{{` for a literal brace. Pure.

    text        = *( literal / "{{" / placeholder )
    placeholder = "{" name [ "|" fallback ] "}"
    name        = one of `PLACEHOLDERS`, in lower case and without spaces
    fallback    = *( any character except "{" and "}" )
    literal     = any character except "{"

`validate` accepts exactly these texts, so that no placeholder with a typing error reaches a customer. In accepted texts
`render` replaces every placeholder in one pass: a value that looks like a placeholder stays as it is.
"""

from __future__ import annotations

import html as html_escapes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from router.errors import Refused
from router.unicode_security import safe_line

# What each placeholder stands for.
PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "name": "name of the customer; without one, the part of the address before the @",
        "email": "address of the customer",
        "subject": "subject of the ticket",
        "date": "day on which the mail was received",
        "agent": "name of the author of the answer",
        "ticket": "number of the ticket",
        "alias": "address that the customer wrote to",
        "link": "link to the ticket in the dashboard",
    }
)
# Together with the length of a text and of a value, this limits the length of a rendered text.
MAX_PLACEHOLDERS = 200
MAX_VALUE_LENGTH = 1000
# A literal brace, or a placeholder; without the closing brace, an invalid one.
_BRACES = re.compile(r"\{\{|\{([^{}]*)(\}?)")
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TAG_CHARACTERS = re.compile("[<>]")
_MAX_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text without placeholders. `missing` names those without a value and without a fallback, sorted."""

    text: str
    missing: tuple[str, ...] = ()


def validate(text: str, field: str | None = None, *, html: bool = False) -> None:
    """Raises `unknown_placeholder` if `render` would leave a brace that is not meant literally.

    Args:
        field: The field of the request that has the text.
        html: Whether the text is sanitised HTML. A fallback then must not contain tags.
    """
    count = 0
    for match in _BRACES.finditer(text):
        if match[1] is None:
            continue
        count += 1
        name = match[1].partition("|")[0]
        if not match[2] or name not in PLACEHOLDERS:
            raise Refused("unknown_placeholder", _describe(match, name, field), field)
        if html and _TAG_CHARACTERS.search(match[0]):
            raise Refused(
                "invalid_request",
                f"{field or 'The text'} must not have HTML elements in the fallback of {{{name}}}",
                field,
            )
    if count > MAX_PLACEHOLDERS:
        problem = f"{field or 'The text'} must not have more than {MAX_PLACEHOLDERS} placeholders"
        raise Refused("invalid_request", problem, field)


def render(text: str, values: Mapping[str, str], *, html: bool = False) -> Rendered:
    """Replaces the placeholders of a text that `validate` accepts. Never raises.

    Args:
        values: By name of the placeholder. A missing value is empty. Control characters and line breaks are removed.
        html: Whether the text is HTML. The values are then escaped; fallbacks are HTML, as they are part of the text.
    """
    missing = set()

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return "{"
        name, bar, fallback = match[1].partition("|")
        if not match[2] or name not in PLACEHOLDERS:
            return match[0]
        value = _clean(values.get(name, ""))
        if not value and bar:
            return fallback
        if not value and name == "name":
            value = _clean(values.get("email", "")).rpartition("@")[0]
        if not value:
            missing.add(name)
        return html_escapes.escape(value) if html else value

    rendered = _BRACES.sub(replace, text)
    return Rendered(rendered, tuple(sorted(missing)))


def _clean(value: str) -> str:
    return _LINE_BREAKS.sub(" ", safe_line(value[:MAX_VALUE_LENGTH])).strip()


def _describe(match: re.Match[str], name: str, field: str | None) -> str:
    shown = f"{match[0][:_MAX_SHOWN]}..." if len(match[0]) > _MAX_SHOWN else match[0]
    place = f'{field or "The text"} contains "{shown}"'
    if match[2] and name.strip().lower() in PLACEHOLDERS:
        return f"{place}: write {{{name.strip().lower()}}}, without spaces and in lower case"
    problem = ", which is not a placeholder" if match[2] else ' without a closing "}"'
    known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
    return f"{place}{problem}. Write {{{{ for a literal brace. Placeholders: {known}"
