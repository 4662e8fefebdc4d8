"""Builds the name in `From` from the pattern of an alias."""

from __future__ import annotations

import re

from router.mail.decode import clean_line
from router.unicode_text import normalize

DEFAULT_PATTERN = "{agent} ({workspace})"
PLACEHOLDERS = ("{agent}", "{workspace}")
MAX_NAME_LENGTH = 128  # characters
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# Characters with which a name can look like an address, in themselves or as a compatibility form such as U+FF20.
_ADDRESS_CHARACTERS = frozenset('@<>"\\')
# An encoded word (RFC 2047) that a program decodes a second time can contain an address.
_ENCODED_WORD = re.compile(r"=\?|\?=")


def check_pattern(pattern: str) -> None:
    """Raises ValueError, whose text is for display, if the pattern has an unknown placeholder or a line break."""
    for found in _PLACEHOLDER.findall(pattern):
        if found not in PLACEHOLDERS:
            raise ValueError(f"{found} is not known; allowed are {' and '.join(PLACEHOLDERS)}")
    if any(character in pattern for character in "\r\n\0"):
        raise ValueError("the sender name contains a line break or a NUL character")


def build_sender_name(pattern: str, agent: str, workspace: str) -> str:
    """Returns the name for `From`, or "".

    Args:
        pattern: A text with `{agent}` and `{workspace}`; "" for `DEFAULT_PATTERN`.
        agent: The name of the author, "" for a message that a program sends. Then a pattern with `{agent}` gives the
            name of the workspace.
    """
    pattern = pattern or DEFAULT_PATTERN
    if not agent and "{agent}" in pattern:
        pattern = "{workspace}"
    values = {"{agent}": _clean(agent), "{workspace}": _clean(workspace)}
    name = _PLACEHOLDER.sub(lambda match: values.get(match[0], ""), _clean(pattern))
    return clean_line(name, MAX_NAME_LENGTH)


def _clean(text: str) -> str:
    """Returns one line without deceptive characters and without those that make a name look like an address."""
    text = "".join(" " if _resembles_address(character) else character for character in text)
    return clean_line(_ENCODED_WORD.sub(" ", text), MAX_NAME_LENGTH)


def _resembles_address(character: str) -> bool:
    return not _ADDRESS_CHARACTERS.isdisjoint(character if character.isascii() else normalize("NFKC", character))
