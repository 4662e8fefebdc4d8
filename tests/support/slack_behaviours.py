"""How the Slack stand-in can answer a request, and what it records of one. Values only."""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FixedResponse:
    """Answer with exactly this."""

    status: int = 200
    body: str | bytes = "ok"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Hang:
    """Do not answer until `release()` (then `200 ok`), the client's close, or the stand-in's stop."""

    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


@dataclass(frozen=True)
class SlowResponse:
    """Answer `body` in pieces of `per_chunk` bytes, `seconds` before each piece."""

    seconds: float
    per_chunk: int = 1
    body: bytes = b"ok"


@dataclass(frozen=True)
class Reset:
    """Reset the TCP connection without an answer."""


@dataclass(frozen=True)
class PartialResponse:
    """Announce 100 bytes, send some, and close the connection."""


@dataclass(frozen=True)
class LargeResponse:
    """Answer 200 with a chunked body of `nbytes` bytes."""

    nbytes: int


@dataclass(frozen=True)
class RedirectResponse:
    to: str
    status: int = 302


Behaviour = FixedResponse | Hang | SlowResponse | Reset | PartialResponse | LargeResponse | RedirectResponse


@dataclass
class Post:
    """A received request; `status` is that of its complete answer, else None."""

    method: str
    path: str
    headers: dict[str, str]
    payload: Any  # the decoded JSON; None if it is not JSON
    raw: bytes
    at: float  # time of the event loop, in seconds
    status: int | None = None
    answer: str = ""

    @property
    def text(self) -> str:
        """The plain-text fallback of the message, or ""."""
        return str(self.payload.get("text", "")) if isinstance(self.payload, dict) else ""
