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
    description: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    literals: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """A key with a fixed default, in its TOML form.

    `ge`, `gt`: the bounds of a number. `literals`: texts allowed beside a list. `secret`: never shown.

    Returns Any, as pydantic's own `Field` does: the value stands in for the attribute's default.
    """
    metadata: dict[str, Any] = {"sample": default, "literals": list(literals), "secret": secret}
    return Field(default, validate_default=True, description=description, ge=ge, gt=gt, json_schema_extra=metadata)


def computed_setting(
    factory: Callable[..., object],
    description: str,
    *,
    default_text: str,
    example: object,
    secret: bool = False,
    is_file: bool = False,
) -> Any:
    """A key whose default is not the same on every machine, or is none at all; `default_text` says it in words.

    `secret`: never shown. `is_file`: the value is a file's path, so a systemd credential is that file itself.
    """
    metadata: dict[str, Any] = {"sample": example, "default_text": default_text, "secret": secret, "is_file": is_file}
    return Field(default_factory=factory, validate_default=True, description=description, json_schema_extra=metadata)


def no_default() -> None:
    """The default of a key that is simply not given."""


@dataclass(frozen=True)
class Setting:
    """What can be said about one key without a value for it.

    `sample` is the default in its TOML form or, where `default_text` describes the default in words, an example.
    Its type is also how the key is written: a text, a number, true/false, or a list (JSON in the environment).
    """

    section: str
    key: str
    description: str
    sample: object
    default_text: str | None
    literals: tuple[str, ...]
    secret: bool
    is_file: bool

    @classmethod
    def from_field(cls, section: str, key: str, field: FieldInfo) -> Self:
        metadata = cast("dict[str, Any]", field.json_schema_extra)
        return cls(
            section=section,
            key=key,
            description=field.description or "",
            sample=metadata["sample"],
            default_text=metadata.get("default_text"),
            literals=tuple(metadata.get("literals", ())),
            secret=metadata.get("secret", False),
            is_file=metadata.get("is_file", False),
        )

    @property
    def name(self) -> str:
        """As messages, documentation and systemd credentials write it: `smtp.listen`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """Its environment variable: `EMAILROUTER_SMTP__LISTEN`."""
        return f"{ENVIRONMENT_PREFIX}{self.section}__{self.key}".upper()
