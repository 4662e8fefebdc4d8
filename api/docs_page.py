"""`/api/docs`: a plain HTML page that describes all calls."""

from __future__ import annotations

import functools
import json
from html import escape

from aiohttp import web

from api.examples import examples
from api.openapi import errors_of
from api.route import Route
from api.schema.shape import EmptyBody, NoQuery

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}
details{margin:.5rem 0;border:1px solid #ddd;border-radius:.4rem;padding:.4rem .8rem}
summary{cursor:pointer}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f5f5f5;padding:.6rem;overflow:auto;border-radius:.3rem}
.m{display:inline-block;min-width:4.5rem;font-weight:600}.r{color:#666;font-size:.85em}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}details{border-color:#444}}
"""
_INTRODUCTION = """<p>The API is served under <code>/api</code>; <code>/v1</code> is an alias. Send your API key as
<code>Authorization: Bearer er_...</code>. Responses are JSON; times are in UTC. Most lists are newest first; all accept
<code>limit</code> (1 to 200) and <code>cursor</code>, and return <code>nextCursor</code> when there are more items.
Errors have the form <code>{"error": {"code": "invalid_domain", "message": "..."}}</code>.
OpenAPI document: <a href="openapi.json">openapi.json</a>.</p>"""


@functools.cache
def render(routes: tuple[Route, ...]) -> str:
    """Renders the page. Cached, because the same routes give the same page."""
    by_tag: dict[str, list[Route]] = {}
    for route in routes:
        by_tag.setdefault(route.tag, []).append(route)
    sections = "".join(
        f"<h2>{escape(tag)}</h2>" + "".join(_render_call(route) for route in tagged) for tag, tagged in by_tag.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Email Router API</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><h1>Email Router API</h1>{_INTRODUCTION}{sections}</body></html>"
    )


def make_response(page: str) -> web.Response:
    """Builds the response with a Content-Security-Policy that forbids scripts and external resources."""
    return web.Response(
        text=page,
        content_type="text/html",
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
    )


def _render_call(route: Route) -> str:
    parts = [
        f'<summary><span class="m">{route.method}</span> <code>/api{escape(route.path)}</code> '
        f"{escape(route.summary)}</summary>",
        f'<p class="r">Role: {route.role or "none"}. Status: {route.status}.</p>',
    ]
    if route.query is not NoQuery:
        parts.append(_render_model("Parameters", route.query.model_json_schema(by_alias=True)))
    if route.body is not EmptyBody:
        parts.append(_render_model("Request", route.body.model_json_schema(by_alias=True)))
        parts.append(_render_example(route, "request"))
    if route.answer is not None:
        parts.append(_render_model("Response", route.answer.model_json_schema(by_alias=True, mode="serialization")))
        parts.append(_render_example(route, "answer"))
    codes = ", ".join(f"<code>{code}</code>" for group in errors_of(route).values() for code in group)
    parts.append(f'<p class="r">Errors: {codes}</p>')
    return f"<details>{''.join(parts)}</details>"


def _render_example(route: Route, part: str) -> str:
    example = examples().get(f"{route.method} {route.path}", {})
    return f"<pre>{escape(json.dumps(example[part], indent=2, ensure_ascii=False))}</pre>" if part in example else ""


def _render_model(title: str, schema: dict[str, object]) -> str:
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        return ""
    fields = ", ".join(f"<code>{escape(name)}</code>" for name in properties)
    return f"<p>{title}: {fields}</p>"
