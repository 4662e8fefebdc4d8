"""Behaviours of stand-ins for services with webhooks, and the record of a request."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDictProxy


@dataclass(frozen=True)
class FixedResponse:
    """Answers with this status, body and headers."""

    status: int = 200
    body: str | bytes = "ok"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Hang:
    """Answers `200 ok` only after `release()`."""

    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


@dataclass(frozen=True)
class SlowResponse:
    """Answers with `body` in pieces of `per_chunk` bytes, and waits `seconds` before each piece."""

    seconds: float
    per_chunk: int = 1
    body: bytes = b"ok"


@dataclass(frozen=True)
class Reset:
    """Resets the TCP connection without an answer."""


@dataclass(frozen=True)
class PartialResponse:
    """Announces a body of 100 bytes, sends one byte, and closes the connection."""


@dataclass(frozen=True)
class LargeResponse:
    """Answers 200 with a chunked body of `nbytes` bytes."""

    nbytes: int


@dataclass(frozen=True)
class RedirectResponse:
    to: str
    status: int = 302


Behaviour = FixedResponse | Hang | SlowResponse | Reset | PartialResponse | LargeResponse | RedirectResponse


@dataclass
class Post:
    """A received request and its answer. `status` stays None for behaviours that send no complete answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: CIMultiDictProxy[str]
    payload: Any  # the decoded body; None if it is not JSON
    raw: bytes
    at: float  # event-loop time of the request, in seconds
    status: int | None = None
    answer: str = ""

    @property
    def text(self) -> str:
        """The plain-text fallback of the message, or ""."""
        return str(self.payload.get("text", "")) if isinstance(self.payload, dict) else ""
