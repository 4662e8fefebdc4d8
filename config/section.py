"""The base class of the configuration sections, and the types of their keys."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator

from config import values
from config.secret import Secret
from config.values import Network

Integer = Annotated[int, Field(strict=True)]  # otherwise pydantic would convert true to 1 and "5" to 5
Boolean = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _to_text(value: object) -> object:
    """Converts a value, or each entry of a tuple, with `str`, which masks secrets. None is unchanged."""
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    return value if value is None else str(value)


AS_TEXT = PlainSerializer(_to_text, when_used="json")

PositiveDuration = Annotated[timedelta, BeforeValidator(values.parse_positive_duration)]
NonNegativeDuration = Annotated[timedelta, BeforeValidator(values.parse_duration)]
RetentionPeriod = Annotated[timedelta | None, BeforeValidator(values.parse_retention)]
Hostname = Annotated[str, BeforeValidator(values.parse_hostname)]
PathField = Annotated[Path, BeforeValidator(values.parse_path)]
NetworkField = Annotated[Network, PlainValidator(values.parse_network), AS_TEXT]
PasswordText = Annotated[Secret, PlainValidator(Secret.parse_password), AS_TEXT]
SecretText = Annotated[Secret, PlainValidator(Secret.parse), AS_TEXT]


class Section(BaseModel):
    """A table of settings: frozen, without unknown keys, and with values hidden in pydantic's errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
