"""Some of Slack's rules for a message to an incoming webhook.

The rules for blocks are from the Block Kit reference. Lengths are counted in code points here.
"""

from collections.abc import Iterator
from typing import Any

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_TEXT = 3000
MAX_FIELD = 2000
MAX_BUTTON_TEXT = 75
MAX_URL = 3000
MAX_BLOCK_ID = 255
MAX_ATTACHMENTS = 100

_KNOWN_BLOCKS = {
    "actions",
    "context",
    "divider",
    "header",
    "image",
    "markdown",
    "rich_text",
    "section",
    "video",
}
_KNOWN_RICH = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}


def rejection_reason(payload: Any) -> str | None:
    """Returns the body of Slack's 400 response, such as `no_text`, or None for a valid message."""
    if not isinstance(payload, dict):
        return "invalid_payload"
    blocks, text, attachments = (payload.get(key) for key in ("blocks", "text", "attachments"))
    if text is not None and not isinstance(text, str):
        return "invalid_payload"
    if not text and not blocks and not attachments:
        return "no_text"
    if attachments is not None and (not isinstance(attachments, list) or len(attachments) > MAX_ATTACHMENTS):
        return "too_many_attachments"
    if blocks is not None and any(True for _ in block_errors(blocks)):
        return "invalid_blocks"
    return None


def block_errors(blocks: Any) -> Iterator[str]:
    if not isinstance(blocks, list):
        yield "blocks is not a list"
        return
    if len(blocks) > MAX_BLOCKS:
        yield f"{len(blocks)} blocks, {MAX_BLOCKS} allowed"
    ids: set[str] = set()
    for index, block in enumerate(blocks):
        where = f"blocks[{index}]"
        if not isinstance(block, dict) or block.get("type") not in _KNOWN_BLOCKS:
            yield f"{where} has no known type"
            continue
        block_id = block.get("block_id")
        if block_id is not None:
            if not isinstance(block_id, str) or not 0 < len(block_id) <= MAX_BLOCK_ID or block_id in ids:
                yield f"{where}.block_id is too long, empty or used twice"
            ids.add(str(block_id))
        yield from _errors_of_block(block, where)


def _errors_of_block(block: dict[str, Any], where: str) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield from _text_errors(block.get("text"), f"{where}.text", MAX_HEADER, kinds=("plain_text",))
        case "section":
            yield from _section_errors(block, where)
        case "context":
            yield from _element_errors(block, where, 10)
        case "actions":
            yield from _element_errors(block, where, 25)
        case "rich_text":
            yield from _rich_text_errors(block, where)
        case _:
            pass  # a divider has no text; Email Router sends no images, videos or markdown


def _section_errors(block: dict[str, Any], where: str) -> Iterator[str]:
    text, fields = block.get("text"), block.get("fields")
    if text is None and not fields:
        yield f"{where} has neither text nor fields"
    if text is not None:
        yield from _text_errors(text, f"{where}.text", MAX_TEXT)
    if fields is None:
        return
    if not isinstance(fields, list) or not 1 <= len(fields) <= 10:
        yield f"{where}.fields is not a list of 1 to 10"
        return
    for index, item in enumerate(fields):
        yield from _text_errors(item, f"{where}.fields[{index}]", MAX_FIELD)


def _element_errors(block: dict[str, Any], where: str, limit: int) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= limit:
        yield f"{where}.elements is not a list of 1 to {limit}"
        return
    for index, element in enumerate(elements):
        here = f"{where}.elements[{index}]"
        kind = element.get("type") if isinstance(element, dict) else None
        if kind in ("plain_text", "mrkdwn") and block["type"] == "context":
            yield from _text_errors(element, here, MAX_TEXT)
        elif kind == "button" and block["type"] == "actions":
            yield from _text_errors(element.get("text"), f"{here}.text", MAX_BUTTON_TEXT, kinds=("plain_text",))
            if len(str(element.get("url", ""))) > MAX_URL:
                yield f"{here}.url is over {MAX_URL} characters"
        elif not (kind == "image" and block["type"] == "context"):
            yield f"{here} has a type that {block['type']} does not take: {kind!r}"


def _rich_text_errors(block: dict[str, Any], where: str) -> Iterator[str]:
    sections = block.get("elements")
    if not isinstance(sections, list) or not sections:
        yield f"{where}.elements is empty"
        return
    for index, section in enumerate(sections):
        here = f"{where}.elements[{index}]"
        if not isinstance(section, dict) or section.get("type") not in _KNOWN_RICH:
            yield f"{here} has no known type"
            continue
        elements = section.get("elements")
        if not isinstance(elements, list):
            yield f"{here}.elements is not a list"
            continue
        for number, element in enumerate(elements):
            if not isinstance(element, dict) or not isinstance(element.get("type"), str):
                yield f"{here}.elements[{number}] has no type"
            elif element["type"] == "text" and not element.get("text"):
                yield f"{here}.elements[{number}].text is empty"
            elif element["type"] == "link" and not element.get("url"):
                yield f"{here}.elements[{number}].url is empty"


def _text_errors(
    value: Any, where: str, max_length: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") not in kinds or not isinstance(value.get("text"), str):
        yield f"{where} is not a text object of {' or '.join(kinds)}"
    elif not value["text"]:
        yield f"{where} is empty"
    elif len(value["text"]) > max_length:
        yield f"{where} has {len(value['text'])} characters, {max_length} allowed"
