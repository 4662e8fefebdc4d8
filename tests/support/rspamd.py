"""A stand-in for rspamd: it answers `/checkv2` in rspamd's format, unless a test sets a behaviour."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from aiohttp import web

from tests.support.behaviours import FixedResponse, Post
from tests.support.webhook_stand_in import WebhookStandIn

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"  # every spam filter knows this text
PATH = "/checkv2"
_HEADERS = {"Server": "rspamd/3.4", "Content-Type": "application/json"}


class RspamdStandIn(WebhookStandIn):
    """Answers that messages with `GTUBE` are spam and others are not.

    Args:
        password: The password that it requires, if any.
        date: The field `Date` of its answers, the current time by default.
    """

    def __init__(self, *, password: str | None = None, date: str | None = None, **options: Any) -> None:
        super().__init__(max_body=32 * 1024 * 1024, **options)
        self.connections: set[tuple[str, int]] = set()  # the addresses of clients
        self._password = password
        self._headers = _HEADERS | ({} if date is None else {"Date": date})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def path(self, name: str = "general") -> str:
        del name
        return PATH

    def answer(self, post: Post) -> FixedResponse:
        if self._password is not None and post.headers.get("Password") != self._password:
            return FixedResponse(401, '{"error":"Unauthorized"}', self._headers)
        if post.path != PATH:
            return FixedResponse(500, '{"error":"invalid command"}', self._headers)
        if GTUBE in post.raw:
            return self.verdict(15.0, "reject", {"GTUBE": 0.0}, is_skipped=True)
        return self.verdict(0.9, "no action", {"MIME_GOOD": -0.1, "AUTH_NA": 1.0, "ARC_NA": 0.0})

    def verdict(
        self, score: float, action: str, symbols: Mapping[str, float], *, is_skipped: bool = False
    ) -> FixedResponse:
        return FixedResponse(200, make_body(score, action, symbols, is_skipped=is_skipped), self._headers)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:
            self.connections.add(request.transport.get_extra_info("peername"))
        return await super()._handle(request)


def make_body(
    score: object, action: object, symbols: Mapping[str, float] = MappingProxyType({}), *, is_skipped: bool = False
) -> str:
    """Returns the body of a response of rspamd 3.4 to `/checkv2`."""
    return json.dumps(
        {
            "is_skipped": is_skipped,
            "score": score,
            "required_score": 15.0,
            "action": action,
            "symbols": {
                name: {"name": name, "score": value, "metric_score": value, "description": f"about {name}"}
                for name, value in symbols.items()
            },
            "messages": {},
            "message-id": "x@example.org",
            "time_real": 0.02,
            "milter": {"remove_headers": {"X-Spam": 0}},
        }
    )
