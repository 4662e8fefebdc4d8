"""Builds the document that shows the sanitised HTML of a message in its frame (docs/decisions/0039-message-frames.md).

`build_document` is pure. The caller decides which images the document may contain. The alternative text replaces every
other image, which then takes no space.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from html import escape, unescape
from urllib.parse import urlsplit

from router.mail.html_design import color_use, has_layout, is_pixel, split_style_sheet
from router.mail.html_sanitizer import REMOTE

# Maximum characters of the data URIs in a document, because the HTML may show the same image thousands of times.
MAX_DATA_URI_LENGTH = 12_000_000
_IMAGE = re.compile(r"<img\b[^<>]*>")
_SOURCE = re.compile(r' src="([^"]*)"')
_ALTERNATIVE_TEXT = re.compile(r' alt="([^"]*)"')
MAX_ALTERNATIVE_LENGTH = 100
# Browsers also accept hosts that are escaped, not ASCII or numbers such as `0x7f.1`, and `\` instead of `/`.
_PLAIN_HOST = re.compile(r"https?://([\w.-]+)(?::\d*)?(?:[/?#]|\Z)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"\d+|0x[\da-f]*", re.ASCII)
_IP_ADDRESS = re.compile(r"(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})", re.ASCII)
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)
# The colours of the dashboard (`static/app`) apply to messages without colours of their own. In dark mode, the
# colours of other messages are inverted, but not those of pictures, of dark messages and of messages with own rules.
# The alternative text of an image has its own colours, because its background may be that of the image.
_STYLE = """
html,body{height:auto!important;min-height:0!important;margin:0!important}
body{display:flow-root;font:14px/1.5 system-ui,sans-serif;overflow-wrap:break-word;background:#fff;color:#1a1a1a}
#er-message{overflow-x:auto}
:where(#er-message)>:first-child{margin-top:0}
.er-text #er-message{padding:4px 0}
.er-page.er-text #er-message{padding:16px}
a{color:#2450b8}
img,table{max-width:100%}
img{object-fit:contain}
.er-image{display:inline-block;padding:0 6px;border:1px solid #8a8f98;border-radius:3px;background:#fff;color:#3d434c;
font:13px/1.5 system-ui,sans-serif;text-align:start}
.er-none,.er-light{color-scheme:light dark}
@media(prefers-color-scheme:dark){
.er-none body{background:#191e27;color:#e6e9ef}
.er-none a{color:#9dbbff}
.er-light{filter:invert(.88) hue-rotate(180deg)}
.er-light body{background:none}
.er-light img{filter:invert(1) hue-rotate(180deg)}
}
"""


def image_type(data: bytes) -> str | None:
    """Returns the type of a raster image by its signature, None for other data. SVG can contain scripts."""
    return next((name for pattern, name in _SIGNATURES if pattern.match(data)), None)


def embedded_ids(html: str) -> list[str]:
    """Returns the distinct content ids of the images in sanitised HTML, in order."""
    sources = (_source(match[0]) for match in _IMAGE.finditer(html))
    return list(dict.fromkeys(source[4:] for source in sources if source[:4].lower() == "cid:"))


def data_uri(data: bytes, content_type: str) -> str:
    return f"data:{content_type};base64,{base64.b64encode(data).decode()}"


def build_document(
    html: str, images: Mapping[str, str], *, remote: bool = False, own_host: str = "", is_page: bool = False
) -> str:
    """Returns the complete document, for a frame or for a page of its own.

    Args:
        html: Sanitised HTML.
        images: Data URIs by content id.
        remote: Whether remote images are loaded.
        own_host: The host of the dashboard. Images on this host are never loaded: the request would contain cookies.
    """
    sheet, body = split_style_sheet(html)
    classes = f"er-{color_use(html)} {'er-layout' if has_layout(html) else 'er-text'}{' er-page' if is_page else ''}"
    body = _IMAGE.sub(_image_resolver(images, remote=remote, own_host=own_host), body)
    return (
        f'<!doctype html><html lang="en" class="{classes}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>Message</title><base target="_blank"><style>{_STYLE}</style><style>{sheet}</style></head>'
        f'<body><div id="er-message" dir="auto">{body}</div></body></html>'
    )


def _image_resolver(images: Mapping[str, str], *, remote: bool, own_host: str) -> Callable[[re.Match[str]], str]:
    characters_left = MAX_DATA_URI_LENGTH

    def resolve(match: re.Match[str]) -> str:
        nonlocal characters_left
        tag = match[0]
        source = _source(tag)
        target = ""
        if source[:4].lower() == "cid:":
            target = images.get(source[4:], "")
            target = target if len(target) <= characters_left else ""
            characters_left -= len(target)
        elif remote and source.startswith(REMOTE) and not is_pixel(tag):
            target = source.removeprefix(REMOTE)
            target = "" if _is_host(target, own_host) else target
        return _SOURCE.sub(lambda _: f' src="{escape(target)}"', tag, count=1) if target else _alternative_text(tag)

    return resolve


def _alternative_text(tag: str) -> str:
    found = _ALTERNATIVE_TEXT.search(tag)
    text = unescape(found[1]).strip()[:MAX_ALTERNATIVE_LENGTH] if found else ""
    return f'<span class="er-image">{escape(text)}</span>' if text else ""


def _source(tag: str) -> str:
    found = _SOURCE.search(tag)
    return unescape(found[1]) if found else ""


def _is_host(url: str, host: str) -> bool:
    """Whether a URL is on the host, on any port: cookies do not depend on the port.

    URLs count as such if browsers and this function could disagree on their host.
    """
    found = _PLAIN_HOST.match(url)
    if found is None:
        return True
    name = found[1].rstrip(".").lower()
    if _NUMBER.fullmatch(name.rpartition(".")[2]) and not _IP_ADDRESS.fullmatch(name):
        return True
    try:
        return name == (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return True
