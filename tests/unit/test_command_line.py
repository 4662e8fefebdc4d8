"""Unexpected arguments are reported without URLs, which may contain secrets."""

import click
import pytest

from emailrouter.cli import console


def test_extra_url_is_redacted() -> None:
    command = console.Command("add", params=[click.Argument(["name"])])
    assert command.make_context("add", ["support"]).params["name"] == "support"
    with pytest.raises(click.UsageError) as refused:
        command.make_context("add", ["support", "https://hooks.example/T0/secret", "more"])
    assert refused.value.message == "unexpected extra arguments: *** more"
