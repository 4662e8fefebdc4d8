"""Security headers of every response.

They forbid caching, MIME sniffing and loading by other sites, and reveal no version numbers. A response
that needs another Cache-Control or Content-Security-Policy has it before `set_headers` runs.
"""

from __future__ import annotations

from aiohttp import web

_NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"
# One year (OWASP ASVS 3.4.1). No includeSubDomains: subdomains may belong to other services.
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

    An aiohttp signal handler, connected if `public_url` is HTTPS. Responses over plain HTTP get the field too:
    a proxy may terminate TLS without reporting it. Browsers ignore the field over plain HTTP (RFC 6797
    section 8.1).
    """
    response.headers["Strict-Transport-Security"] = _HSTS
