"""Which form of a message is shown first, and the document of its HTML."""

import re

import pytest

from api.dashboard.message_display import MAX_QUOTED_LENGTH, build_display, prefers_html
from api.dashboard.message_frame import build_document, embedded_ids, image_type
from router.admin.tickets.timeline import MessageExcerpt
from router.model import Message


def excerpt(
    *, is_reply: bool = False, quoted_lines: int = 0, has_html: bool = True, layout: bool = True
) -> MessageExcerpt:
    message = Message(
        id="msg_1",
        workspace_id="ws_1",
        reverse_path="",
        helo="",
        peer="192.0.2.1",
        protocol="ESMTP",
        tls="",
        received_by="mx.example",
        size=1,
        received_at=0,
        rfc_message_id="",
        reference_ids='["<a@b.test>"]' if is_reply else "[]",
        from_address="",
        from_name="",
        subject="",
        sent_at=None,
        automatic="",
    )
    return MessageExcerpt(
        message=message,
        links=(),
        text="",
        is_full=True,
        is_truncated=False,
        quoted_lines=quoted_lines,
        has_html=has_html,
        has_layout=layout,
        has_remote_images=False,
        attachments=(),
        warnings=(),
        failed_recipients=(),
        reply_to=(),
        original_from=None,
    )


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (True, excerpt()),
        (True, excerpt(quoted_lines=3)),  # a signature
        (True, excerpt(is_reply=True)),
        (False, excerpt(is_reply=True, quoted_lines=3)),
        (False, excerpt(layout=False)),
        (False, excerpt(has_html=False)),
    ],
)
def test_html_is_shown_first(shown: bool, message: MessageExcerpt) -> None:
    assert prefers_html(message) is shown


def test_choices_apply_to_one_message() -> None:
    for query in ({"view": "text"}, {"view": "text", "message": "msg_2"}, {"view": "x", "message": "msg_1"}):
        assert build_display(excerpt(), query, "/t").shows_html
    talk = excerpt(layout=False)
    assert build_display(talk, {"view": "html", "message": "msg_1"}, "/t").shows_html
    assert build_display(talk, {"pictures": "msg_1"}, "/t").frame_url == "/t/messages/msg_1/html?fit=yes&pictures=yes"
    assert build_display(talk, {"q": "a&b", "note": "x"}, "/t").html_link == "/t?q=a%26b&view=html&message=msg_1#msg_1"
    quoted = build_display(excerpt(layout=False, quoted_lines=9), {}, "/t", "x" * (MAX_QUOTED_LENGTH + 1))
    assert (len(quoted.quoted), quoted.is_quoted_truncated, quoted.quoted_link) == (MAX_QUOTED_LENGTH, True, "")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\n\0\0\nWEBPVP8", "image/webp"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"\0\x89PNG\r\n\x1a\n", None),
        (b"", None),
    ],
)
def test_images_are_recognised_by_their_bytes(data: bytes, name: str | None) -> None:
    assert image_type(data) == name


def shown_sources(html: str, *, host: str = "desk.test:8443") -> list[str]:
    document = build_document(html, {"a": "data:image/png;base64,A"}, remote=True, own_host=host)
    return re.findall(r'<img [^>]*src="([^"]*)"', document)


def test_pictures_of_a_document() -> None:
    html = '<img src="cid:a"><img src="CID:b" alt="B &amp; b"><img src="remote:https://x.test/p?a&amp;b" width="9">'
    assert embedded_ids(html) == ["a", "b"]
    assert shown_sources(html) == ["data:image/png;base64,A", "https://x.test/p?a&amp;b"]
    assert '<span class="er-image">B &amp; b</span>' in build_document(html, {})
    assert "x.test" not in build_document(html, {})


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.test/sign-out",
        "http://DESK.test:80/",
        "https://a@desk.test/",
        "https://[/",
        'https://x.test/" width="1',
        # Browsers read these as the host of the dashboard, in other spellings.
        "https://%64esk.test/",
        "https://\uff44esk.test/",
        "https://de\u00adsk.test/",
        "https://desk.test\\@x.test/",
        "https://\\desk.test/",
        "https:///desk.test/",
        "https://de\tsk.test/",
        "https://desk.test./",
    ],
)
def test_pictures_that_are_never_loaded(url: str) -> None:
    assert shown_sources(f'<img src="remote:{url}">') == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "127.0.0.1.", "127.0.0.0x1"]
)
def test_pictures_on_an_address_of_the_dashboard_are_never_loaded(host: str) -> None:
    assert shown_sources(f'<img src="remote:http://{host}/p">', host="127.0.0.1:8025") == []
    assert shown_sources('<img src="remote:http://192.0.2.10/p">', host="127.0.0.1:8025") == ["http://192.0.2.10/p"]


def test_style_sheet_and_colors_of_a_document() -> None:
    document = build_document('<style>.a{color:red}</style><p class="a">x</p>', {}, is_page=True)
    head, _, body = document.partition("</head>")
    assert 'class="er-light er-text er-page"' in head
    assert head.endswith("<style>.a{color:red}</style>")
    assert body == '<body><div id="er-message" dir="auto"><p class="a">x</p></div></body></html>'
