"""Serves static files under paths that contain a digest of the content, so that cached copies are never outdated."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import web

from api.compression import CompressedOnce

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static"
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Assets:
    """The files in `static/`, with URL paths such as `/static/app.0123456789ab.css`."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}
        self._files: dict[str, tuple[CompressedOnce, str]] = {}
        for name, content in read_files().items():
            stem, _, suffix = name.rpartition(".")
            path = f"{PREFIX}/{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
            self._paths[name] = path
            self._files[path] = (CompressedOnce(content), _TYPES[suffix])

    def path(self, name: str) -> str:
        return self._paths[name]

    async def serve(self, request: web.Request) -> web.Response:
        asset = self._files.get(request.path)
        if asset is None:
            raise web.HTTPNotFound
        content, media = asset
        response = content.response(request, media, None if "svg" in media else "utf-8")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        # Browsers open an SVG file as a document, in which scripts could run.
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        )
        return response


def read_files() -> dict[str, bytes]:
    """Returns the files by name. The stylesheets of a folder are one file with its name, in the order of theirs."""
    found = {}
    for entry in sorted(FOLDER.iterdir()):
        if entry.is_dir():
            found[f"{entry.name}.css"] = b"\n".join(part.read_bytes() for part in sorted(entry.glob("*.css")))
        else:
            found[entry.name] = entry.read_bytes()
    return found
