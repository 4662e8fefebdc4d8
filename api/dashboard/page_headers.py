"""The headers of every page: what a browser may load, run and send for it. Nothing from elsewhere, nothing inline."""

from __future__ import annotations

from aiohttp import web

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A mail's own HTML, in a frame of a page of ours: it runs nothing and reaches nothing, whatever the sanitiser missed.
# Links open a window of their own. Styles: only `display:none` on what a sender hid gets through the sanitiser.
_MESSAGE_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def set_page_headers(response: web.StreamResponse) -> None:
    """For pages of ours. Caching and nosniff are set for every answer (`api.middleware.headers.dress`)."""
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    # Not `no-referrer`: a browser then says `Origin: null` with our own forms, and where there is no Sec-Fetch-Site
    # (plain http to another host than localhost) they could not be told from those of a stranger's page.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"


def set_message_headers(response: web.StreamResponse) -> None:
    """For the HTML of a mail, which is shown in a frame."""
    response.headers["Content-Security-Policy"] = _MESSAGE_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
