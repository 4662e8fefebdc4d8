"""The headers of every response: not cached, not sniffed, no versions."""

from __future__ import annotations

from aiohttp import web


def dress(response: web.StreamResponse) -> None:
    """Also for the response to what is no HTTP request."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "EmailRouter"
