"""Reads request bodies and decodes JSON objects, with limits on size, depth, and the number of arrays and objects.

Rejects input that JSON parsers interpret differently (RFC 8259) or that databases cannot store. An empty body is
decoded as an empty object.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from aiohttp import HttpVersion11, web

from router.errors import Refused

MAX_DEPTH = 20
# Maximum number of arrays and objects, which take more memory than their text. Brackets in strings count too, so the
# limit exceeds the 20,000 characters of the longest note.
MAX_CONTAINERS = 30_000
SMALL_BODY_BYTES = 4096
# In characters. aiohttp parses a Content-Type in quadratic time.
_MAX_CONTENT_TYPE = 200
_CHARSET = re.compile(r";[ \t]*charset=\"?([^\";\s]*)", re.IGNORECASE)
# Any number of 18 digits fits in 64 bits.
_MAX_DIGITS = 18
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def effective_limit(declared: int | None, cap: int, *, small: bool) -> int:
    """Returns the maximum body size of a route in bytes.

    Args:
        declared: The maximum that the route declares, if any.
        cap: The maximum for all routes.
        small: Whether the default is small, because the route needs no authentication or takes no body.
    """
    if declared is None:
        declared = SMALL_BODY_BYTES if small else cap
    return min(declared, cap)


async def read(request: web.Request, limit: int) -> bytes:
    """Reads the body. Raises `Refused` if it exceeds `limit` bytes or has a content coding.

    Sends `100 Continue` to a client that expects it.
    """
    declared = request.content_length
    if declared is not None and declared > limit:
        raise _too_large_error(limit)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused("unsupported_media_type", "Content-Encoding is not supported: send the request body unencoded")
    await send_continue(request)
    content = bytearray()
    async for chunk in request.content.iter_any():
        if len(content) + len(chunk) > limit:
            raise _too_large_error(limit)
        content += chunk
    return bytes(content)


async def send_continue(request: web.Request) -> None:
    """Sends `100 Continue` to a client that expects it."""
    if "Expect" in request.headers and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # a value above 0 means that the response has started


def content_type(request: web.Request) -> tuple[str, str]:
    header = request.headers.get("Content-Type", "")
    if len(header) > _MAX_CONTENT_TYPE:
        raise Refused("unsupported_media_type", f"Content-Type must be at most {_MAX_CONTENT_TYPE} characters long")
    charset = _CHARSET.search(header)
    return header.partition(";")[0].strip().lower(), charset[1].lower() if charset else ""


def decode(content: bytes, media_type: str, charset: str) -> dict[str, Any]:
    """Decodes a JSON object. An empty body needs no media type."""
    if not content:
        return {}
    if media_type != "application/json":
        raise Refused("unsupported_media_type", "Content-Type must be application/json")
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Refused("unsupported_media_type", "JSON must be encoded in UTF-8")
    if content.count(b"[") + content.count(b"{") > MAX_CONTAINERS:
        raise Refused("invalid_request", f"Request body must have at most {MAX_CONTAINERS} arrays and objects")
    try:
        decoded = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_build_object,
            parse_constant=_reject_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except UnicodeDecodeError:
        raise Refused("invalid_request", "Request body is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused(
            "invalid_request",
            f"Request body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}",
        ) from None
    except RecursionError:  # the JSON decoder raises it before the C stack overflows
        raise _too_deep_error() from None
    _check_values([decoded])
    if not isinstance(decoded, dict):
        raise Refused("invalid_request", "Request body must be a JSON object")
    return decoded


def check_storable(values: dict[str, str]) -> None:
    _check_values([values])


def _check_values(level: list[Any]) -> None:
    depth = 0
    while level:
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                if _UNSTORABLE.search(value):
                    raise Refused("invalid_request", "Text must not contain NUL characters or unpaired surrogates")
            elif isinstance(value, dict | list):
                if depth == MAX_DEPTH:
                    raise _too_deep_error()
                if isinstance(value, dict):
                    below += value.keys()
                    below += value.values()
                else:
                    below += value
        level, depth = below, depth + 1


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        seen: set[str] = set()
        duplicate = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add() returns None, which is falsy
        raise Refused(
            "invalid_request", f"{duplicate[:50]} is given more than once", _UNSTORABLE.sub("", duplicate[:200])
        )
    return decoded


def _parse_int(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise Refused("invalid_request", f"Number must have at most {_MAX_DIGITS} digits")
    return int(digits)


def _parse_float(text: str) -> float:
    number = float(text) if len(text) <= 100 else math.inf
    if not math.isfinite(number):
        raise Refused("invalid_request", "Number is too large or too long")
    return number


def _reject_constant(_: str) -> float:
    raise Refused("invalid_request", "NaN and Infinity are not valid JSON")


def _too_large_error(limit: int) -> Refused:
    return Refused("payload_too_large", f"Request body must be at most {limit} bytes")


def _too_deep_error() -> Refused:
    return Refused("invalid_request", f"Request body must be nested at most {MAX_DEPTH} levels deep")
