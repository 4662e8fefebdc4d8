"""The descriptions and examples of the calls, copied from docs/api.md, whose commands are tested.

`python -m api.examples` updates `examples.json`, which is part of the package.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

DOCUMENT = Path("docs/api.md")
COPY = Path("api/examples.json")

# The parts of commands that a reader replaces: the URL of the installation and the API key.
URL, KEY = "{url}", "{key}"
_CALL = re.compile(r"^### (\w+) /api(\S*)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_ANSWER = re.compile(r"```json\n(.*?)```", re.DOTALL)
_ROLE = re.compile(r"Role:\s+(\w+)\.\s*")
_LINK = re.compile(r"\s\(\[[^]]+\]\([^)]+\)\)|\[([^]]+)\]\([^)]+\)")
_VARIABLES = {
    "URL": URL,
    "KEY": KEY,
    "SESSION": "b9b7f1e0a86a4f6fa3b1e8c2d4f60718",
    "WEBHOOK_URL": "https://hooks.slack.com/services/T000/B000/XXXX",
    "EMAIL": "ada@example.com",
    "PASSWORD": "a long passphrase",
}
_IDS = {
    "DOMAIN": "dom",
    "INTEGRATION": "int",
    "ALIAS": "alias",
    "TICKET": "ticket",
    "MESSAGE": "msg",
    "DELIVERY": "dlv",
    "REPLY": "rpl",
    "TAG": "tag",
    "TEMPLATE": "tpl",
    "CANNED_RESPONSE": "can",
    "NOTE": "evt",
    "USER": "user",
    "ME": "user",
    "KEY_ID": "key",
}


@cache
def examples() -> Mapping[str, Mapping[str, Any]]:
    """By method and path (`POST /domains`): `description` and `curl`, and `request` and `answer` if there are any."""
    loaded: dict[str, dict[str, Any]] = json.loads((resources.files("api") / COPY.name).read_text(encoding="utf-8"))
    return loaded


def parse_document(text: str) -> dict[str, dict[str, Any]]:
    examples_by_call: dict[str, dict[str, Any]] = {}
    for call in _CALL.finditer(text):
        command, answer = _COMMAND.search(call[3]), _ANSWER.search(call[3])
        arguments = shlex.split(_substitute(command[1].replace("\\\n", " "), text)) if command else []
        example = examples_by_call[f"{call[1]} {call[2]}"] = {
            "description": _description(call[3].partition("```")[0]),
            "curl": _format_command(arguments),
        }
        if "-d" in arguments:
            example["request"] = json.loads(arguments[arguments.index("-d") + 1])
        if answer:
            example["answer"] = json.loads(answer[1])
    return examples_by_call


def _description(prose: str) -> str:
    """Returns the paragraphs without the role, which the route declares, and without links to other documents."""
    plain = _LINK.sub(lambda link: link[1] or "", _ROLE.sub("", prose))
    paragraphs = (" ".join(paragraph.split()) for paragraph in plain.split("\n\n"))
    return "\n\n".join(filter(None, paragraphs))


def _format_command(arguments: list[str]) -> str:
    """Returns the command with one line for each header field and for the body."""
    text = ""
    for argument in arguments:
        separator = " \\\n  " if argument in ("-H", "-d", "-F") else " "
        text += (separator if text else "") + shlex.quote(argument)
    return text


def _substitute(command: str, text: str) -> str:
    """Replaces each `$NAME` with the first id of its type in `text`, or with a fixed value."""

    def value(variable: re.Match[str]) -> str:
        kind = _IDS.get(variable[1])
        first_id = re.search(rf'"({kind}_[0-9a-z]{{26}})"', text) if kind else None
        return first_id[1] if first_id else _VARIABLES.get(variable[1], variable[1])

    return re.sub(r"\$([A-Z_]+)", value, command)


def main() -> None:
    """Updates `examples.json`. Works only in a source checkout."""
    parsed = parse_document(DOCUMENT.read_text(encoding="utf-8"))
    COPY.write_text(json.dumps(parsed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
