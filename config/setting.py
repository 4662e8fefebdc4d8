"""How one key is declared, and how the other modules see it: `setting` and `derived` write, `Setting` reads.

Promise: a key's type, default, prose and way of writing stand in one place, its line in the schema.
Defaults are in the form a person would write in TOML and go through the same validation, so the sample
cannot differ from them. Called by the schema (declaring), and by load, sources and reference (reading).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

from pydantic import Field
from pydantic.fields import FieldInfo

ENVIRONMENT_PREFIX = "EMAILROUTER_"


def setting(
    default: Any,
    prose: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    words: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """A key with a fixed default, in its TOML form.

    `ge`, `gt`: the bounds of a number. `words`: texts allowed beside a list. `secret`: never shown.

    Returns Any, as pydantic's own `Field` does: the value stands in for the attribute's default.
    """
    facts: dict[str, Any] = {"sample": default, "words": list(words), "secret": secret}
    return Field(default, validate_default=True, description=prose, ge=ge, gt=gt, json_schema_extra=facts)


def derived(
    factory: Callable[..., object],
    prose: str,
    *,
    otherwise: str,
    example: object,
    secret: bool = False,
    is_file: bool = False,
) -> Any:
    """A key whose default is not the same on every machine, or is none at all; `otherwise` says it in words.

    `secret`: never shown. `is_file`: the value is a file's path, so a systemd credential is that file itself.
    """
    facts: dict[str, Any] = {"sample": example, "otherwise": otherwise, "secret": secret, "is_file": is_file}
    return Field(default_factory=factory, validate_default=True, description=prose, json_schema_extra=facts)


def nothing() -> None:
    """The default of a key that is simply not given."""


@dataclass(frozen=True)
class Setting:
    """What can be said about one key without a value for it.

    `sample` is the default in its TOML form or, where `otherwise` describes the default in words, an example.
    Its type is also how the key is written: a text, a number, true/false, or a list (JSON in the environment).
    """

    section: str
    key: str
    prose: str
    sample: object
    otherwise: str | None
    words: tuple[str, ...]
    secret: bool
    is_file: bool

    @classmethod
    def read(cls, section: str, key: str, field: FieldInfo) -> Self:
        facts = cast("dict[str, Any]", field.json_schema_extra)
        return cls(
            section=section,
            key=key,
            prose=field.description or "",
            sample=facts["sample"],
            otherwise=facts.get("otherwise"),
            words=tuple(facts.get("words", ())),
            secret=facts.get("secret", False),
            is_file=facts.get("is_file", False),
        )

    @property
    def name(self) -> str:
        """As messages, documentation and systemd credentials write it: `smtp.listen`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """Its environment variable: `EMAILROUTER_SMTP__LISTEN`."""
        return f"{ENVIRONMENT_PREFIX}{self.section}__{self.key}".upper()
