"""Arguments and output of commands: URLs, which may contain secrets, are not reported; objects are shown as text."""

import click
import pytest

from emailrouter.cli import console
from emailrouter.cli.context import display_value


def test_extra_url_is_redacted() -> None:
    command = console.Command("add", params=[click.Argument(["name"])])
    assert command.make_context("add", ["support"]).params["name"] == "support"
    with pytest.raises(click.UsageError) as refused:
        command.make_context("add", ["support", "https://hooks.example/T0/secret", "more"])
    assert refused.value.message == "unexpected extra arguments: *** more"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (["a", "b, c", "d"], 'a, "b, c", d'),
        ({"added": ["VIP"], "removed": ["a,b"]}, 'added: VIP, removed: "a,b"'),
        ({"type": "system", "id": None, "name": "Operator"}, "type: system, name: Operator"),
        ({"hint": "x", "settings": {"threadId": None, "username": "Desk"}}, "hint: x, threadId: none, username: Desk"),
        ({"ok": False, "secrets": ["webhookUrl"], "status": 404}, "ok: no, secrets: webhookUrl, status: 404"),
    ],
)
def test_values_in_cells(value: object, shown: str) -> None:
    assert display_value(value) == shown
