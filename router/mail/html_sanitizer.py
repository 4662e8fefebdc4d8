"""Sanitises the HTML of messages.

`sanitize_html` keeps the look of a message (`router.mail.html_presentation`) and images of the message itself (`cid:`).
It removes everything that executes code, submits data or loads remote content. The address of a remote image gets the
prefix `REMOTE`, so that no program loads it. The function never raises, truncates long HTML and rejects complex HTML.
Only the worker process (`router.contents.worker`) may load the sanitiser (`nh3`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from router.mail import html_growth
from router.mail.decode import clean_text
from router.mail.html_presentation import safe_style
from router.mail.html_style import canonical_style

MAX_HTML_LENGTH = 524288
MAX_TAGS = 50_000
MAX_REFERENCES = 150_000  # character references, such as `&nbsp;`
# For each character of this pattern, the sanitiser scans the text up to the next tag. The cost of a text is the number
# of such characters times the length of the text; short texts are ignored.
_ESCAPED = re.compile("[&\u0080-\u00bf]")
MAX_ESCAPING_COST, _SHORT_TEXT_LENGTH = 1_000_000_000, 4096
# Sanitised HTML can be longer than its input: links get attributes, and elements may be reopened.
MAX_SANITIZED_LENGTH = 2 * MAX_HTML_LENGTH


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _name_set(
    "a abbr address area article aside b bdi blockquote br caption center cite code col colgroup dd del details dfn "
    "div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre "
    "q s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
)
_DROPPED_WITH_CONTENT = _name_set(
    "script style title head template noscript object applet audio video canvas svg math select"
)
_CELL = {"align", "valign", "colspan", "rowspan", "width", "height", "bgcolor", "nowrap"}
_ROW = {"align", "valign", "height", "bgcolor"}
ATTRIBUTES: dict[str, set[str]] = {
    "*": {"dir", "lang", "title", "style", "hidden", "class", "id"},
    "a": {"href"},
    "area": {"href", "alt"},
    "img": {"src", "alt", "width", "height", "align", "border", "hspace", "vspace"},
    "td": _CELL,
    "th": _CELL,
    "tr": _ROW,
    "tbody": _ROW,
    "thead": _ROW,
    "tfoot": _ROW,
    "table": {"align", "border", "cellpadding", "cellspacing", "width", "height", "bgcolor"},
    "col": {"width"},
    "hr": {"align", "color", "size", "width"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value", "type"},
    "font": {"color", "face", "size"},
    **{name: {"align"} for name in _name_set("div p h1 h2 h3 h4 h5 h6 caption")},
}
_STYLING_ATTRIBUTES = frozenset({"class", "id"})
REMOTE = "remote:"
"""The prefix of the address of a remote image. It is a scheme that no program loads."""
# URL schemes that links may have.
LINK_SCHEMES = _name_set("http https mailto tel ftp ftps sftp sms sip sips xmpp irc ircs callto geo news nntp webcal")


def sanitize_html(html: str, *, is_styled: bool = True) -> str | None:
    """Returns safe HTML, None if `html` is too complex. Hidden elements are kept.

    Without `is_styled`, the style is reduced to what changes the text, so that the result is shorter.
    """
    attribute_filter = filter_attribute if is_styled else filter_text_attribute
    return sanitize_with(html, attribute_filter, LINK_SCHEMES | {"cid"}, link_rel="noopener noreferrer nofollow")


def sanitize_with(
    html: str,
    attribute_filter: Callable[[str, str, str], str | None],
    url_schemes: frozenset[str],
    *,
    link_rel: str | None,
    attributes: frozenset[str] = frozenset(),
    keeps_relative: bool = False,
) -> str | None:
    """Returns HTML with the allowed elements and attributes, None if `html` is too complex.

    Args:
        attribute_filter: Takes the names of an element and an allowed attribute, and the value of the attribute.
            Returns the new value, None to drop the attribute.
        url_schemes: Those of all absolute URLs that are kept.
        attributes: Further attributes that all elements may have.
        keeps_relative: Whether relative URLs are kept.
    """
    import nh3  # noqa: PLC0415 - only the worker process loads it

    html = clean_text(html[:MAX_HTML_LENGTH])
    if not html.strip():
        return ""
    if _is_too_complex(html):
        return None
    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes=ATTRIBUTES | {"*": ATTRIBUTES["*"] | attributes},
        attribute_filter=attribute_filter,
        url_schemes=set(url_schemes),
        url_relative="pass_through" if keeps_relative else "deny",
        link_rel=link_rel,
    )


def truncate_html(clean: str, limit: int) -> str:
    """Truncates sanitised HTML to `limit` characters or less, but not inside a tag or a character reference."""
    if len(clean) <= limit:
        return clean
    truncated = clean[:limit]
    tag, reference = truncated.rfind("<"), truncated.rfind("&")
    if tag > truncated.rfind(">"):
        return truncated[:tag]
    return truncated[:reference] if reference > truncated.rfind(";") else truncated


def filter_attribute(tag: str, name: str, value: str) -> str | None:
    """Returns the sanitised value of an allowed attribute, None to drop the attribute."""
    if name == "style":
        return safe_style(value) or None
    if name == "src":
        value = value.strip()
        if value[:4].lower() == "cid:":
            return value
        return f"{REMOTE}{value}" if value[:8].lower().startswith(("https://", "http://")) else None
    if name == "title" and tag == "a":
        return None  # a tooltip could show a false target
    return value


def filter_text_attribute(tag: str, name: str, value: str) -> str | None:
    """Returns the result of `filter_attribute` without styles that do not change the text."""
    if name == "style":
        return canonical_style(value) or None
    return None if name in _STYLING_ATTRIBUTES else filter_attribute(tag, name, value)


def _is_too_complex(html: str) -> bool:
    if html.count("<") > MAX_TAGS or html.count("&") > MAX_REFERENCES:
        return True
    texts = (text for text in html.split("<") if len(text) > _SHORT_TEXT_LENGTH)
    if sum((len(text) - len(_ESCAPED.sub("", text))) * len(text) for text in texts) > MAX_ESCAPING_COST:
        return True
    return html_growth.is_too_complex(html)
