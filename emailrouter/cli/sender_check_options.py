"""The sender checks of a workspace or of an alias: the options that change them, and how they are printed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from emailrouter.cli.context import Json
from router.checks.policy import PUBLIC_NAMES
from router.enumerations import CHECK_ACTION

F = TypeVar("F", bound=Callable[..., Any])


def sender_check_options(unset: str, effect: str) -> Callable[[F], F]:
    """Adds the options. The command receives the given ones as `sender_checks`, by field name of `CheckPolicy`.

    Args:
        unset: The value with which an option unsets its setting.
        effect: What this value does, for the help.
    """
    actions = click.Choice([*CHECK_ACTION.values, unset])
    options = (
        click.option("--on-fail", type=actions, help=f"What happens to a message if DMARC fails; {effect}."),
        click.option("--on-spam", type=actions, help=f"What happens to spam; {effect}."),
        click.option(
            "--spam-score",
            callback=lambda _, option, value: value if value in (None, unset) else click.FLOAT(value, option),
            metavar=f"NUMBER|{unset}",
            help=f"Score of rspamd from which a message is spam; {effect}.",
        ),
    )

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(*args: Any, **kwargs: Any) -> Any:
            given = {name: kwargs.pop(name) for name in PUBLIC_NAMES}
            changes = {name: None if value == unset else value for name, value in given.items() if value is not None}
            return function(*args, sender_checks=changes, **kwargs)

        for option in reversed(options):
            option(command)
        return cast("F", command)

    return decorate


def describe_checks(data: Json, unset: str) -> Json:
    """Returns the answer with its sender checks as text: only the settings that the options change.

    Args:
        unset: The text for settings that are null; alone, if all are.
    """
    checks = data["senderChecks"]
    settings = {name: checks[name] for name in PUBLIC_NAMES.values()}
    texts = [f"{name}: {unset if value is None else value}" for name, value in settings.items()]
    return {**data, "senderChecks": unset if set(settings.values()) == {None} else ", ".join(texts)}
