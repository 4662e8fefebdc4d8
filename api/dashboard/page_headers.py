"""Security headers of pages and of message contents.

With these headers, browsers load nothing from other hosts and run no inline script.
"""

from __future__ import annotations

from aiohttp import web

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# For the contents of a message. Its HTML runs no script and loads nothing from a server, even if the sanitiser missed
# something. Inline styles are allowed, because the sanitiser keeps the sender's look.
_MESSAGE_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox"
_MESSAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def set_page_headers(response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    # With `no-referrer`, browsers send `Origin: null` with the dashboard's own forms. Over plain HTTP, where
    # Sec-Fetch-Site is missing, these forms would look like forms of another site.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"


def set_message_headers(response: web.StreamResponse, *, is_framed: bool = False, loads_images: bool = False) -> None:
    """Sets the headers of a part of a message.

    Args:
        is_framed: Whether the script of the page around a frame may read the height of the content.
        loads_images: Whether images of other servers are loaded. Requests for them contain no referrer.
    """
    sandbox = f"{_MESSAGE_SANDBOX} allow-same-origin" if is_framed else _MESSAGE_SANDBOX
    images = "img-src data: https: http:" if loads_images else "img-src data:"
    response.headers["Content-Security-Policy"] = f"{sandbox}; {images}; {_MESSAGE_POLICY}"
    response.headers["Referrer-Policy"] = "no-referrer"
