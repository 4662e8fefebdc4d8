"""From a request's octets to a JSON object: bounded in size and depth, and strict about what JSON leaves open.

Refused: what is not UTF-8, not an object, nested too deep, has a field twice, numbers that are not finite or too
large to mean anything, NUL and lone surrogates in any text. An empty body is an empty object.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from aiohttp import web

from router.errors import Refused

MAX_DEPTH = 20
_MAX_DIGITS = 18  # more than any number of ours, and within 64 bits
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


async def read(request: web.Request, limit: int) -> bytes:
    """The body; raises `Refused` for more than `limit` octets, and for a body in a form that is not read."""
    declared = request.content_length
    if declared is not None and declared > limit:
        raise _too_large(limit)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused("unsupported_media_type", "Content-Encoding is not supported: send the body as it is")
    octets = bytearray()
    async for piece in request.content.iter_any():
        octets += piece
        if len(octets) > limit:
            raise _too_large(limit)
    return bytes(octets)


def decode(octets: bytes, content_type: str, charset: str | None) -> dict[str, Any]:
    """The JSON object of a body. content_type, charset: what the request says of it, looked at when there is one."""
    if not octets:
        return {}
    if content_type != "application/json":
        raise Refused("unsupported_media_type", "Content-Type must be application/json")
    if charset is not None and charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Refused("unsupported_media_type", "JSON must be in UTF-8")
    _check_depth(octets)
    try:
        decoded = json.loads(
            octets.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_not_a_number,
            parse_int=_whole,
            parse_float=_number,
        )
    except UnicodeDecodeError:
        raise Refused("invalid_request", "The body is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused(
            "invalid_request", f"The body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(decoded, dict):
        raise Refused("invalid_request", "The body must be a JSON object")
    check_texts(decoded)
    return decoded


def _check_depth(octets: bytes) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", octets)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise _too_deep()


def check_texts(decoded: dict[str, Any]) -> None:
    """Raises `Refused` for a text, at any depth, that no database can keep."""
    waiting: list[Any] = [decoded]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += found.keys()
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
        elif isinstance(found, str) and _UNSTORABLE.search(found):
            raise Refused("invalid_request", "A text has NUL or half of a surrogate pair in it")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add() returns None, which is the point
        raise Refused("invalid_request", f"{twice[:50]} is there twice", _UNSTORABLE.sub("", twice[:200]))
    return found


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise Refused("invalid_request", "A number is too large")
    return int(digits)


def _number(text: str) -> float:
    number = float(text) if len(text) <= 100 else math.inf
    if not math.isfinite(number):
        raise Refused("invalid_request", "A number is too large or too long")
    return number


def _not_a_number(_: str) -> float:
    raise Refused("invalid_request", "NaN and Infinity are not JSON")


def _too_large(limit: int) -> Refused:
    return Refused("payload_too_large", f"The body is larger than {limit} octets")


def _too_deep() -> Refused:
    return Refused("invalid_request", f"The body is nested deeper than {MAX_DEPTH} levels")
