"""The base class of the sections of the configuration, and the types of their keys. Reads nothing."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator

from config import values
from config.secret import Secret
from config.values import Network

Count = Annotated[int, Field(strict=True)]  # strict: rejects true for 1, and "5" for 5
Flag = Annotated[bool, Field(strict=True)]
Rate = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _printed(value: object) -> object:
    """The text of a value in a JSON dump: `***` for a secret."""
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    return value if value is None else str(value)


PRINTED = PlainSerializer(_printed, when_used="json")

Duration = Annotated[timedelta, BeforeValidator(values.parse_positive_duration)]
DurationOrZero = Annotated[timedelta, BeforeValidator(values.parse_duration)]
KeepFor = Annotated[timedelta | None, BeforeValidator(values.parse_retention)]
Hostname = Annotated[str, BeforeValidator(values.parse_hostname)]
PathName = Annotated[Path, BeforeValidator(values.parse_path)]
NetworkName = Annotated[Network, PlainValidator(values.parse_network), PRINTED]
HiddenText = Annotated[Secret, PlainValidator(Secret.parse), PRINTED]


class Section(BaseModel):
    """The base of every section: frozen, closed to unknown keys; errors of pydantic do not quote values."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
