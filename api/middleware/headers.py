"""The headers of every response: not cached, not sniffed, no versions, nothing for a page of another site.

A page, an asset or a download that needs another Content-Security-Policy sets its own before.
"""

from __future__ import annotations

from aiohttp import web

_NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"
# A year, as OWASP ASVS 3.4.1 asks. Other names below the host are not ours to decide: no includeSubDomains.
_HSTS = "max-age=31536000"


def set_headers(response: web.StreamResponse) -> None:
    """Also for the response to what is no HTTP request."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Content-Security-Policy", _NO_CONTENT)
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "EmailRouter"


async def set_strict_transport(_: web.Request, response: web.StreamResponse) -> None:
    """A signal of aiohttp: RFC 6797, where people reach us by https.

    Also where this request came in plain HTTP: a proxy may end TLS without saying so, and browsers ignore the field
    there (RFC 6797 section 8.1).
    """
    response.headers["Strict-Transport-Security"] = _HSTS
