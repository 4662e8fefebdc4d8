"""Compresses responses with gzip, if their declaration allows it and the client accepts it.

The size of a compressed response reveals whether a text of a stranger occurs in it (BREACH). So a response is not
compressed unless it is marked, which pages and answers with secrets never are, nor if another site caused the request.
"""

from __future__ import annotations

import gzip

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.middleware.permission import is_from_own_page, url_origin

MIN_BYTES = 1_000  # a smaller response fits in one packet
MAX_BYTES = 4_000_000  # a larger body takes more than 0.1 s; only images in HTML are so large, and hardly get smaller
# Larger bodies are compressed in a thread. 16 kB take less than 0.5 ms, little more than changing threads.
EXECUTOR_BYTES = 16_384

COMPRESSIBLE = web.ResponseKey("compressible", bool)


def response(body: bytes, content_type: str, *, charset: str | None = None, status: int = 200) -> web.Response:
    """Returns a response that is compressed once it is marked with `COMPRESSIBLE`."""
    return web.Response(
        body=body, content_type=content_type, charset=charset, status=status, zlib_executor_size=EXECUTOR_BYTES
    )


class CompressedOnce:
    """A body without secrets that many responses contain. It is compressed when it is built."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._gzipped = gzip.compress(body, mtime=0) if len(body) >= MIN_BYTES else b""

    def response(self, request: web.Request, content_type: str, charset: str | None = None) -> web.Response:
        is_compressed = bool(self._gzipped) and accepts_gzip(request)
        built = response(self._gzipped if is_compressed else self.body, content_type, charset=charset)
        if is_compressed:
            built.headers["Content-Encoding"] = "gzip"
        if self._gzipped:
            built.headers["Vary"] = "Accept-Encoding"
        return built


def compression(public_url: str) -> Middleware:
    """Builds the middleware, which compresses marked responses. It never compresses streams."""
    origin = url_origin(public_url)

    @web.middleware
    async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if isinstance(answer, web.Response) and answer.get(COMPRESSIBLE) and isinstance(answer.body, bytes):
            answer.headers["Vary"] = "Accept-Encoding"
            has_right_size = MIN_BYTES <= len(answer.body) <= MAX_BYTES
            if has_right_size and accepts_gzip(request) and is_from_own_page(request, origin):
                answer.enable_compression(web.ContentCoding.gzip)
        return answer

    return compress


def accepts_gzip(request: web.Request) -> bool:
    """Whether Accept-Encoding allows gzip (RFC 9110 section 12.5.3). A missing field counts as no."""
    weights: dict[str, bool] = {}
    for item in ",".join(request.headers.getall("Accept-Encoding", ())).split(","):
        coding, *parameters = (part.strip().lower() for part in item.split(";"))
        weights[coding] = not any(_is_zero_weight(parameter) for parameter in parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def _is_zero_weight(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and not value.strip().strip("0.")
