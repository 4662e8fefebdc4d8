"""The files in `static/`, read once: served under a name with their digest in it, so that caches may keep them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Assets:
    """Each file by its name (`app.css`) and by its path (`/static/app.0123456789ab.css`)."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        for file in sorted(FOLDER.iterdir()):
            content = file.read_bytes()
            path = f"{PREFIX}/{file.stem}.{hashlib.sha256(content).hexdigest()[:12]}{file.suffix}"
            self._paths[file.name] = path
            self._files[path] = (content, _TYPES[file.suffix])

    def path(self, name: str) -> str:
        """Where a file is to be had; KeyError for one that there is not."""
        return self._paths[name]

    async def serve(self, request: web.Request) -> web.Response:
        """The aiohttp handler of `/static/{name}`; 404 for a digest that is not today's."""
        found = self._files.get(request.path)
        if found is None:
            raise web.HTTPNotFound
        content, media = found
        response = web.Response(body=content, content_type=media, charset=None if "svg" in media else "utf-8")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        # An SVG that is opened by itself is a document too.
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        )
        return response
