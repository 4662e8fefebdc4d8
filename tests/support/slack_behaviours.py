"""The words of the Slack stand-in: how it can answer a request, and what it remembers of one.

Values only. They are imported from `tests.support.slack`, which carries them out.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Answer with exactly this."""

    status: int = 200
    body: str | bytes = "ok"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Hang:
    """Answer nothing until `release()` (then `200 ok`), the client's leaving or the stand-in's end."""

    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


@dataclass(frozen=True)
class Slow:
    """Answer `body` in pieces of `per_chunk` octets, `seconds` before each piece."""

    seconds: float
    per_chunk: int = 1
    body: bytes = b"ok"


@dataclass(frozen=True)
class Reset:
    """Close the connection with a TCP reset, without an answer."""


@dataclass(frozen=True)
class Half:
    """Promise 100 octets, send some, and close the connection."""


@dataclass(frozen=True)
class Huge:
    """Answer 200 with `octets` octets, whose number is not told beforehand (chunked)."""

    octets: int


@dataclass(frozen=True)
class Redirect:
    """Answer with a redirect."""

    to: str
    status: int = 302


Behaviour = Answer | Hang | Slow | Reset | Half | Huge | Redirect


@dataclass
class Post:
    """One request as it came in; `status` is what it was answered, None while there was no whole answer."""

    method: str
    path: str
    headers: dict[str, str]
    payload: Any  # the decoded JSON, None when it was not JSON
    raw: bytes
    at: float  # the loop's clock, seconds
    status: int | None = None
    answer: str = ""

    @property
    def text(self) -> str:
        """The message's plain-text fallback, "" where it has none."""
        return str(self.payload.get("text", "")) if isinstance(self.payload, dict) else ""
