"""`/api/docs`: the API page. It is rendered once in a process; only the URL of its examples depends on the request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from api.compression import CompressedOnce
from api.dashboard.page_headers import set_page_headers
from api.examples import KEY, URL
from api.middleware.addresses import is_https
from api.nouns import NOUNS
from api.openapi import common_errors
from api.reference import Reference
from api.route import Route
from api.schema.errors import ERRORS
from config.values import Network
from router.network import is_loopback

# The form of a Host field (RFC 9110 section 7.2) that needs no escaping in HTML or in a quoted text of a shell.
_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_KEY_EXAMPLE = "er_YOUR_KEY"
MAX_CACHED_PAGES = 4  # one for each URL of this installation; each takes about 500 kB


class DocsPage:
    """The aiohttp handler of the page.

    Args:
        document_json: Returns the OpenAPI document.
        render: Renders a template of the dashboard.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        document_json: Callable[[], str],
        render: Callable[[str, Mapping[str, Any]], bytes],
        *,
        public_url: str,
        trusted_proxies: Sequence[Network],
    ) -> None:
        self._routes = routes
        self._document_json = document_json
        self._render = render
        self._public_url = public_url
        self._trusted_proxies = trusted_proxies
        self._build_page = lru_cache(MAX_CACHED_PAGES)(self._build_page_for)

    async def serve(self, request: web.Request) -> web.Response:
        url = example_url(request, self._public_url, self._trusted_proxies)
        response = self._build_page(url).response(request, "text/html", "utf-8")
        set_page_headers(response)
        return response

    def _build_page_for(self, url: str) -> CompressedOnce:
        return CompressedOnce(escape(url).encode().join(self._parts))

    @cached_property
    def _parts(self) -> list[bytes]:
        """The page, split at the places of the URL."""
        reference = Reference(json.loads(self._document_json()), self._routes)
        context = {
            "title": "API",
            "nouns": NOUNS,
            "calls": reference.calls,
            "errors": ERRORS,
            "common_errors": common_errors(),
            "url": URL,
        }
        return self._render("api_docs.html", context).replace(KEY.encode(), _KEY_EXAMPLE.encode()).split(URL.encode())


def example_url(request: web.Request, public_url: str, trusted_proxies: Sequence[Network]) -> str:
    """Returns the URL of this installation for the reader.

    This is `public_url` unless that is a loopback URL, as links in notifications. Then it is the URL of the request
    if the Host field is well-formed.
    """
    host = request.headers.get("Host", "")
    if not is_loopback(urlsplit(public_url).hostname or "") or not _HOST.fullmatch(host):
        return public_url.replace("'", "%27")  # ends a quoted text of a shell
    return f"{'https' if is_https(request, trusted_proxies) else 'http'}://{host}"
