"""Assertions for every Slack payload: Slack's rules, slack-sdk's models, and the rules of Email Router."""

from collections.abc import Iterator
from typing import Any

from slack_sdk.models.blocks import Block

from router.channels import slack_message
from router.channels.contract import Payload
from router.channels.untrusted_text import utf16_length
from tests.support.slack_rules import block_errors, rejection_reason


def assert_slack_accepts(payload: dict[str, Any]) -> None:
    blocks = payload.get("blocks", [])
    found = list(block_errors(blocks))
    assert not found, found
    for block in blocks:
        parsed = Block.parse(block)
        assert parsed is not None, block
        parsed.validate_json()


def iter_objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from iter_objects(inner)


def iter_strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from iter_strings(inner)


def assert_valid_payload(payload: Payload, links: tuple[str | None, ...]) -> None:
    """Asserts the rules for every payload of Email Router. links: the only URLs that it may link to."""
    assert rejection_reason(payload) is None
    assert list(block_errors(payload.get("blocks", []))) == []
    for block in payload.get("blocks", []):
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
        assert parsed.to_dict() == block  # slack-sdk knows every field
    assert slack_message.payload_size(payload) <= slack_message.MAX_PAYLOAD_BYTES
    assert slack_message.count_characters(payload.get("blocks", [])) <= slack_message.MAX_CHARACTERS
    for part in iter_objects(payload.get("blocks", [])):
        kind = part.get("type")
        assert kind in {
            None,
            "header",
            "plain_text",
            "rich_text",
            "rich_text_list",
            "rich_text_quote",
            "rich_text_section",
            "text",
            "link",
        }  # in particular no mrkdwn, user, usergroup, channel, broadcast or emoji
        if kind == "link":
            assert part["url"] in links
        if isinstance(part.get("text"), str):
            assert 0 < utf16_length(part["text"]) <= 3000
    for text in iter_strings(payload):
        assert not set(text) & set("\x00\x1b\r\u202e\u2066\ufeff")
        text.encode()  # raises for lone surrogates
    _assert_text_has_no_markup(payload, links)


def _assert_text_has_no_markup(payload: Payload, links: tuple[str | None, ...]) -> None:
    assert (payload["mrkdwn"], payload["parse"], payload["link_names"]) == (False, "none", False)
    assert (payload["unfurl_links"], payload["unfurl_media"]) == (False, False)
    text = payload["text"]
    assert 0 < utf16_length(text) <= 3000
    for link in links:
        text = text.removesuffix(f"<{link}>")
    assert "<" not in text
    assert ">" not in text
    for name in ("@channel", "@here", "@everyone"):
        assert name not in text.lower()
    for piece in text.split("&")[1:]:
        assert piece.startswith(("amp;", "lt;", "gt;")), piece
