"""What bash sends for a line, and what it must insert."""

import pytest
from click.shell_completion import CompletionItem

from emailrouter.cli.bash_completion import BashCompletion
from emailrouter.cli.commands import cli


@pytest.mark.parametrize(
    ("line", "args", "incomplete"),
    [
        ("emailrouter ", [], ""),
        ("emailrouter ali", [], "ali"),
        ("emailrouter alias show ", ["alias", "show"], ""),
        ("emailrouter alias show support@ex", ["alias", "show"], "support@ex"),
        (r"emailrouter integration test General\ su", ["integration", "test"], "General su"),
        ("emailrouter integration test 'General ", ["integration", "test"], "General "),
    ],
)
def test_words_of_a_line(monkeypatch: pytest.MonkeyPatch, line: str, args: list[str], incomplete: str) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert BashCompletion(cli, {}, "emailrouter", "X").get_completion_args() == (args, incomplete)


@pytest.mark.parametrize(
    ("line", "value", "inserted"),
    [
        ("emailrouter alias show sup", "support@example.org", "support@example.org"),
        ("emailrouter alias show support@ex", "support@example.org", "example.org"),
        ("emailrouter alias list --domain=ex", "example.org", "example.org"),
        ("emailrouter alias show ", "*@example.org", r"\*@example.org"),
        ("emailrouter integration test Gen", "General (old)", r"General\ \(old\)"),
        ("emailrouter integration test 'Gen", "General (old)", "General (old)"),
    ],
)
def test_inserted_text(monkeypatch: pytest.MonkeyPatch, line: str, value: str, inserted: str) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_WORDBREAKS", " \t\n\"'@><=;|&(:")
    item = CompletionItem(value)
    assert BashCompletion(cli, {}, "emailrouter", "X").format_completion(item) == f"plain,{inserted}"
