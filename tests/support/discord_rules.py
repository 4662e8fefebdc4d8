"""Discord's rules for the body of a webhook message, and a check for active markup.

The limits are those of Discord's API reference; surrounding whitespace counts here. The syntax is that of the section
"Message Formatting" of the reference and of Discord's Markdown guide.
"""

import re
from collections.abc import Iterator
from typing import Any

from router.channels import discord_message
from router.channels.contract import Payload
from tests.support.payloads import iter_strings

_LIMITS = {"title": 256, "description": 4096, "name": 256, "value": 1024}
MAX_SUM = 6000
_KEYS = {"content", "embeds", "allowed_mentions", "flags", "username", "avatar_url", "thread_name"}
_EMBED_KEYS = {"title", "url", "description", "fields", "footer"}

# An escape sequence, and what Email Router itself formats: bold labels, the quotation of the text, links to tickets.
_ESCAPE_SEQUENCE = re.compile(r"\\[!-/:-@\[-`{-~]\u200b?")
_OWN_MARKUP = (
    re.compile(r"^\*\*[^*\n]+\*\*", re.MULTILINE),
    re.compile(r"^>>> ", re.MULTILINE),
    re.compile(r"^- (\[#\d+\]\(<https?://[^<>\s]*>\)|#\d+)", re.MULTILINE),
    re.compile(r"(?<=: )<https?://[^<>\s]*>$", re.MULTILINE),
)
# A client shows a box for an invite or a gift without a scheme, too.
_ACTIVE = re.compile(
    r"[*_~`|<>@\[\]\\]|^\s*(#{1,3}|-#|[-*]|\d+\.)\s|\w+://|:\w+:|discord(?:app)?\.(?:gg|gift|new|com)/",
    re.MULTILINE | re.ASCII | re.IGNORECASE,
)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def body_errors(body: Any) -> Iterator[str]:
    """Yields what Discord answers with 400 and the code 50035 or 50006."""
    if not isinstance(body, dict):
        yield "the body is not an object"
        return
    if unknown := set(body) - _KEYS:
        yield f"unknown: {sorted(unknown)}"
    content, embeds = body.get("content", ""), body.get("embeds", [])
    if not content.strip() and not embeds:
        yield "50006: empty message"
    if utf16_length(content) > 2000:
        yield f"content has {utf16_length(content)} characters"
    if len(embeds) > 10:
        yield "too many embeds"
    if not 1 <= len(body.get("username", "x")) <= 80 or not 1 <= len(body.get("thread_name", "x").strip()) <= 100:
        yield "username or thread_name is too long or empty"
    if sum(utf16_length(text) for embed in embeds for text in _embed_texts(embed)) > MAX_SUM:
        yield "the sum of the embeds is too large"
    for embed in embeds:
        yield from _embed_errors(embed)


def _embed_errors(embed: dict[str, Any]) -> Iterator[str]:
    if unknown := set(embed) - _EMBED_KEYS:
        yield f"unknown in an embed: {sorted(unknown)}"
    fields = embed.get("fields", [])
    if len(fields) > 25:
        yield "too many fields"
    if utf16_length(embed.get("footer", {}).get("text", "")) > 2048:
        yield "footer is too long"
    for part in (embed, *fields):
        for key, limit in _LIMITS.items():
            if key in part and not 0 < utf16_length(part[key]) <= limit:
                yield f"{key} has {utf16_length(part[key])} characters"
            if key in part and not part[key].strip():
                yield f"{key} is blank"


def _embed_texts(embed: dict[str, Any]) -> Iterator[str]:
    for part in (embed, embed.get("footer", {}), *embed.get("fields", [])):
        yield from (part[key] for key in (*_LIMITS, "text") if key in part)


def active_markup(text: str) -> list[str]:
    """Returns the pieces of text that a client formats, links or completes, except the markup of Email Router."""
    text = _ESCAPE_SEQUENCE.sub("\u00b7", text)
    for pattern in _OWN_MARKUP:
        text = pattern.sub("", text)
    return [match[0] for match in _ACTIVE.finditer(text)]


def assert_valid_payload(payload: Payload, links: tuple[str | None, ...] = ()) -> None:
    """Asserts the rules for every payload of Email Router. links: the only URLs that it may link to."""
    assert list(body_errors(payload)) == []
    assert payload["allowed_mentions"] == {"parse": []}
    for embed in payload["embeds"]:
        assert embed.get("url") in (None, *links)
    for text in iter_strings({**payload, "embeds": [{**embed, "url": ""} for embed in payload["embeds"]]}):
        assert active_markup(text) == []
        assert not set(text) & set("\x00\x1b\r\u202e\u2066\ufeff")
        text.encode()  # raises for lone surrogates
    assert 0 < utf16_length(discord_message.thread_name(payload)) <= 100
