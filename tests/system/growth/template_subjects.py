"""Growth-test subjects for texts with placeholders, whose values strangers write."""

from __future__ import annotations

import json
from contextlib import suppress

from router.errors import Refused
from router.mail.compose.template_html import answer_request
from router.model import Template
from router.replies import placeholders
from router.replies.templates import MAX_TEXT_LENGTH, check_template, render_template
from tests.system.growth.subject import PLAIN, Subject, decode_text

_BRACES = (b"{", b"}", b"{{", b"{name}", b"{name|", b"{subject}", b"|", b"{x}")
_TAGS = (b"<p>", b"</p>", b"<div data-editable>", b'<a href="{link}">', b"<br>", b"&", b"\n", b"{name}", b"<b>")


def render_text(data: bytes) -> None:
    text = decode_text(data)
    with suppress(Refused):
        placeholders.validate(text, "body")
    placeholders.render(text, dict.fromkeys(placeholders.PLACEHOLDERS, text), html=True)


def render_html(data: bytes) -> None:
    body = json.loads(answer_request(decode_text(data[:MAX_TEXT_LENGTH]).encode(), 1))
    template = Template("", "", "", "", body or "", "editable_html", 0, 0)
    with suppress(Refused):
        check_template(template)
    render_template(template, {"name": "x" * 100}, text="a\n\nb")


SUBJECTS = (
    Subject("placeholders: a text", render_text, MAX_TEXT_LENGTH, (*PLAIN, _BRACES), quick=_BRACES),
    Subject("templates: HTML", render_html, MAX_TEXT_LENGTH, (*PLAIN, _TAGS), base=8 << 20, quick=_TAGS),
)
