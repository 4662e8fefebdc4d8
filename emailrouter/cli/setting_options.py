"""Options for the settings of integrations, derived from the fields that the channels declare.

A secret field `webhookUrl` has the options `--webhook-url -` and `--webhook-url-file PATH`, and a prompt if it is
required; any other field `threadId` has the option `--thread-id TEXT`. An empty text removes an optional setting.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from emailrouter.cli.context import read_secret
from router.channels import CHANNELS
from router.channels.channel import Channel
from router.channels.settings import SettingField
from router.errors import InvalidSetting, Refused

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class GivenSettings:
    """The values of the options by option, without those that were not given."""

    _values: Mapping[str, Any]

    def __bool__(self) -> bool:
        return bool(self._values)

    def check_type(self, channel: Channel) -> None:
        """Raises `click.UsageError` if an option does not belong to this type."""
        known = [option for field in channel.fields for option in _options(field)]
        unknown = next((option for option in self._values if option not in known), None)
        if unknown is not None:
            raise click.UsageError(f"{unknown} is not an option of the type {channel.kind}: use {_enumerate(known)}")

    def read(self) -> dict[str, str | None]:
        """Returns the given settings by name; None for an empty text. Reads secrets from standard input or files."""
        return self._read_fields(_fields(), is_new=False)

    def read_new(self, channel: Channel) -> dict[str, str | None]:
        """Returns the settings of a new integration, and prompts for the required secrets that are not given.

        Raises:
            click.UsageError: An option does not belong to the type, or a required one is missing.
        """
        self.check_type(channel)
        return self._read_fields(channel.fields, is_new=True)

    def _read_fields(self, fields: Iterable[SettingField], *, is_new: bool) -> dict[str, str | None]:
        texts = ((field, self._read_field(field, is_new=is_new)) for field in fields)
        return {field.name: text or None for field, text in texts if text is not None}

    def _read_field(self, field: SettingField, *, is_new: bool) -> str | None:
        """Returns None if the field is not given."""
        is_missing = is_new and field.required
        given = [self._values.get(option) for option in _options(field)]
        if not is_missing and given == [None] * len(given):
            return None
        if field.secret:
            value, file = given
            if not field.required and given == ["", None]:
                return ""
            return read_secret(value, file, prompt=field.label, option=field.option)
        if given[0] is None:
            raise click.UsageError(f"{field.option} is missing")
        return str(given[0])


def setting_options(function: F) -> F:
    """Adds the options of all channels. The command receives them as `given`."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        given = {option: kwargs.pop(_parameter(option)) for option in options}
        return function(
            *args,
            given=GivenSettings({option: value for option, value in given.items() if value is not None}),
            **kwargs,
        )

    options = [option for field in _fields() for option in _options(field)]
    for field in reversed(_fields()):
        for decorate in reversed(_click_options(field)):
            decorate(command)
    return cast(F, command)


@contextmanager
def options_in_errors() -> Iterator[None]:
    """Makes errors of settings contain the option instead of the field of the REST API."""
    try:
        yield
    except InvalidSetting as error:
        option = next((field.option for field in _fields() if field.name == error.field), error.field)
        raise Refused(error.code, error.message, option) from None


def option_names() -> str:
    """Returns the options of all channels as a list in a sentence, after `--name`."""
    return _enumerate(["--name", *(option for field in _fields() for option in _options(field))])


def _fields() -> list[SettingField]:
    """Returns the fields of all channels. Channels may share a field, whose options then exist once."""
    return list({field.name: field for channel in CHANNELS.values() for field in channel.fields}.values())


def _options(field: SettingField) -> list[str]:
    return [field.option, f"{field.option}-file"] if field.secret else [field.option]


def _click_options(field: SettingField) -> list[Callable[[Any], Any]]:
    types = [kind for kind, channel in CHANNELS.items() if field.name in (each.name for each in channel.fields)]
    only = "" if len(types) == len(CHANNELS) else f" Only for {', '.join(types)}."
    empty = "" if field.required else " An empty text removes it."
    if not field.secret:
        return [click.option(field.option, metavar="TEXT", help=f"{field.label}: {field.help}{empty}{only}")]
    use = f"Use `-` to read the {field.noun} from standard input."
    return [
        click.option(field.option, metavar="-", help=f"{use}{empty}{only}"),
        click.option(
            f"{field.option}-file",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help=f"Read the {field.noun} from a file.{only}",
        ),
    ]


def _parameter(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _enumerate(options: list[str]) -> str:
    return " or ".join([", ".join(options[:-1]), options[-1]]) if options[1:] else options[0]
