"""Declares the keys of the configuration: `setting` and `computed_setting` declare a key, `Setting` describes it.

A fixed default is in its TOML form and is validated like other values, so the sample file shows the default that
applies.
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
    """Declares a key with a fixed default. Returns Any, as pydantic's `Field` does.

    Args:
        default: The default in its TOML form.
        description: The text for the sample file and the documentation.
        gt: The exclusive minimum of a number.
        literals: Strings that are allowed instead of a list.
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
    """Declares a key whose default is computed, or that has no default.

    Args:
        description: The text for the sample file and the documentation.
        default_text: The default in words.
        example: An example in its TOML form.
        is_file: Whether the value is the path of a file. If so, the path of a credential, or the path in a `_FILE`
            variable, is the value.
    """
    metadata: dict[str, Any] = {"sample": example, "default_text": default_text, "secret": secret, "is_file": is_file}
    return Field(default_factory=factory, validate_default=True, description=description, json_schema_extra=metadata)


def no_default() -> None:
    """The `factory` argument of `computed_setting` for a key without a default."""


@dataclass(frozen=True)
class Setting:
    """One key of the configuration, without a value.

    Attributes:
        sample: The default in its TOML form, or an example if `default_text` is set.
        default_text: The default in words; None if the default is fixed.
        literals: Strings that are allowed instead of a list.
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
        """The name in messages, documentation and systemd credentials, such as `smtp.listen`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable, such as `EMAILROUTER_SMTP__LISTEN`."""
        return f"{ENVIRONMENT_PREFIX}{self.section}__{self.key}".upper()
