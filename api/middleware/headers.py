"""Security headers of every response.

They forbid caching, MIME sniffing, and loading by pages of other sites. A response may have its own Cache-Control or
Content-Security-Policy.
"""

from __future__ import annotations

from aiohttp import web

_NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"
# One year (OWASP ASVS 5.0, 3.4.1). Without `includeSubDomains`, because subdomains may belong to other services.
_HSTS = "max-age=31536000"


def set_headers(response: web.StreamResponse) -> None:
    """Sets the headers, also on responses to malformed requests."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Content-Security-Policy", _NO_CONTENT)
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "EmailRouter"


async def set_strict_transport(_: web.Request, response: web.StreamResponse) -> None:
    """Sets Strict-Transport-Security (RFC 6797).

    Responses over plain HTTP also contain the field, because a proxy may terminate TLS without reporting it. Browsers
    ignore the field in responses over plain HTTP (RFC 6797 section 8.1).
    """
    response.headers["Strict-Transport-Security"] = _HSTS
