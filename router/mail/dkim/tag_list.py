"""Reads tag=value lists (RFC 6376 section 3.2), strictly and in linear time."""

from __future__ import annotations

import base64
import binascii
import re

# Real lists have about ten, and records of keys a few. Bounds the time that unknown tags cost on the event loop.
MAX_TAGS = 100

_WSP = b" \t\r\n"
_SPEC = re.compile(rb"([A-Za-z][A-Za-z0-9_]*)[ \t]*=(.*)", re.DOTALL)
# Controls. Bytes over 0x7F are UTF-8 in internationalized mail (RFC 8616) and checked by decoding.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_SPACE = re.compile(r"[ \t]+")


class TagListError(ValueError):
    """A tag list or the value of a tag is malformed. The text is the reason, in our own words."""


def parse_tags(data: bytes) -> dict[str, str]:
    """Returns the values by tag, in their order, without white space around them.

    Raises:
        TagListError: The list does not have the syntax of section 3.2, has too many tags, or has a tag twice.
    """
    data = data.replace(b"\r\n", b"")
    if _FORBIDDEN.search(data):
        raise TagListError("the tag list contains a control character")
    if data.count(b";") > MAX_TAGS:
        raise TagListError(f"the tag list has more than {MAX_TAGS} tags")
    specs = data.split(b";")
    if not specs[-1].strip(_WSP):
        specs.pop()
    tags: dict[str, str] = {}
    for spec in specs:
        match = _SPEC.fullmatch(spec.strip(_WSP))
        if match is None:
            raise TagListError("the tag list is malformed")
        name = match[1].decode("ascii")
        if name in tags:
            raise TagListError("the tag list has a tag twice")
        try:
            tags[name] = match[2].strip(_WSP).decode()
        except UnicodeDecodeError:
            raise TagListError("the tag list is not valid UTF-8") from None
    return tags


def parse_colon_list(value: str) -> list[str]:
    """Returns the elements of a list such as `h=`, without white space around them."""
    return [element.strip(" \t") for element in value.split(":")]


def decode_base64(value: str, tag: str) -> bytes:
    """Decodes a value that may contain white space.

    Raises:
        TagListError: The value is not Base64.
    """
    try:
        return base64.b64decode(_SPACE.sub("", value), validate=True)
    except (binascii.Error, ValueError):
        raise TagListError(f"{tag}= is not Base64") from None
