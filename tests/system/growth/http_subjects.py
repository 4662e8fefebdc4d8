"""HTTP: the head and the body of a request, the values in it, and the pages that show a stranger's mail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.test_utils import make_mocked_request

from api import answers, body, endpoint
from api.dashboard import local, problems, refused_form, reply_link, serving, words
from api.dashboard.assets import Assets
from api.dashboard.page import See, Visit
from api.dashboard.render import Renderer
from api.dashboard.views import NAV, NOTES, mail, ticket
from api.middleware import addresses, auth, permission, request_id
from api.resources import ROUTES, messages
from api.schema import shape
from api.schema.tickets import TicketDetail
from config.values import parse_blocked_sender
from router import ids, secrets
from router.admin import paging
from router.admin import validation as kept
from router.admin.access.authentication import Caller
from router.admin.access.password_policy import check_password
from router.admin.access.users import role_of, sign_in_address
from router.admin.domains import domain_names
from router.admin.installation.attention import Trouble
from router.admin.routes import blocked_senders, explain
from router.admin.tickets.conversation import MessageView, TicketView
from router.admin.tickets.messages import Messages
from router.admin.tickets.timeline import MAX_EXCERPT, MessageExcerpt, Timeline, TimelineEntry
from router.clock import SystemClock
from router.errors import Refused
from router.mail.contents import Attachment, AttachmentData, Contents, Mailbox
from router.mail.originator_fields import MAX_REPLY_TO
from router.model import Actor, Message, Ticket, TicketEvent
from router.network import address_key
from tests.system.growth.shapes import FEW, HTML, JSON, URL, Shape
from tests.system.growth.subject import PLAIN, Subject, text

_HEAD = 8190  # aiohttp: one line, one field
_HEADS = 65536  # the shape as many fields
_BODY = 1048576  # [api] max_body_bytes
_PAGE = 524288  # characters of a mail's text or HTML
_NETWORKS = (ip_network("127.0.0.0/8"), ip_network("::1/128"), ip_network("192.0.2.0/24"))
_IMAGE = 100_000  # bytes of each picture of a mail

T = TypeVar("T")


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise AssertionError("it waited")


def request(path: str = "/", **headers: str) -> web.Request:
    """A request from a trusted proxy."""
    transport = SimpleNamespace(
        get_extra_info=lambda name, default=None: ("127.0.0.1", 1) if name == "peername" else default,
        is_closing=lambda: False,
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", path, headers=named, transport=transport)


def in_a_field(octets: bytes) -> str:
    """As aiohttp gives a field's value: without line ends and NUL."""
    return octets.translate(None, b"\r\n\0").decode("utf-8", "replace")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def head(octets: bytes) -> None:
    """The request line and fields, as aiohttp's parser reads them."""
    for start in (b"", b"GET /", b"GET /?", b"POST / HTTP/1.1\r\nHost: a\r\nCookie: ", b"GET / HTTP/1.1\r\nA:"):
        parser = HttpRequestParser(BaseProtocol(_loop()), _loop(), 2**16)
        with suppress(HttpProcessingError, ValueError):
            parser.feed_data(start + octets + b"\r\n\r\n")


def fields(octets: bytes) -> None:
    """What we read of a request's fields."""
    said = in_a_field(octets)
    asked = request(X_Forwarded_For=said, X_Forwarded_Proto=said, Cookie=f"er_session={said}", Origin=said)
    address_key(addresses.client_address(asked, _NETWORKS))
    addresses.by_https(asked, _NETWORKS)
    dict(asked.cookies)
    permission._host(said)
    permission.from_own_page(asked, "http://a")
    for credential in (f"Bearer {said}", said):
        asked = request(Authorization=credential, Accept=said, Cookie=said, Referer=said, X_Request_Id=said)
        with suppress(Refused, AttributeError):  # a good one would be looked up in the database
            done(auth._caller(asked, cast("Any", None)))
        problems._wanted(asked)
        request_id._GIVEN.fullmatch(said)


def query(octets: bytes) -> None:
    """The query string, as every route and page reads it."""
    said = octets.decode("utf-8", "replace")
    for start in ("", "cursor=", "a="):
        asked = request("/api/a?" + start + "".join(c if "!" <= c <= "~" and c != "#" else "%41" for c in said)[:_HEAD])
        with suppress(Refused):
            found = endpoint._query(asked)
            for route in ROUTES:
                with suppress(Refused):
                    shape.read(route.query, found)
        with suppress(Refused):
            serving._once(asked.query.items())


def json_body(before: bytes, after: bytes = b"") -> Callable[[bytes], None]:
    """A JSON body, with the shape in it."""

    def run(octets: bytes) -> None:
        with suppress(Refused):
            body.decode(before + octets + after, "application/json", "")

    return run


def models(octets: bytes) -> None:
    """A decoded body, as the model of every route."""
    said = text(octets)
    many = {f"{said[:20]}{n}": n for n in range(len(said) // 8)}
    listed = [said[n : n + 4] for n in range(0, len(said), 8)]
    for model in dict.fromkeys(route.body for route in ROUTES):
        names = [found.alias or name for name, found in model.model_fields.items()]
        for values in (dict.fromkeys(names, said), dict.fromkeys(names, listed), many, dict.fromkeys(names, many)):
            with suppress(Refused):
                shape.read(model, values)


def form(octets: bytes) -> None:
    """A form of the dashboard."""
    asked = request(Content_Type="application/x-www-form-urlencoded")
    for octets_of_form in (octets, octets.translate(None, bytes(range(128, 256)))):
        with suppress(Refused):
            fields_of_form = serving.parse_form(asked, octets_of_form)
            refused_form.refused_form("/", fields_of_form, 429)
            for value in fields_of_form.values():
                local.path(value)
                serving.see(See(local.path(value), note="a"))


def values(octets: bytes) -> None:
    """What a person or program sends as a name, an address, a domain, an id, a cursor."""
    said = text(octets)
    readers: tuple[Callable[[str], object], ...] = (
        domain_names.domain_name,
        lambda typed: domain_names.domain_name(f"{typed}.example"),
        lambda typed: domain_names.domain_name(f"xn--{typed}.example"),
        sign_in_address,
        lambda typed: sign_in_address(f"a@{typed}"),
        lambda typed: explain._mailbox(typed, "recipient"),
        blocked_senders._form,
        lambda typed: blocked_senders._form(f"@{typed}"),
        lambda typed: kept.line(typed, "name"),
        lambda typed: kept.line(typed, "subject", most=1000),
        lambda typed: kept.text(typed, "text"),
        lambda typed: kept.known_id(typed, "msg", "Message"),
        lambda typed: paging.window("msg", 50, typed),
        role_of,
        secrets.hash_api_key,
        local.path,
        lambda typed: ids.looks_valid(f"msg_{typed}", "msg"),
        lambda typed: done(Messages(cast("Any", _NoDatabase()), cast("Any", None)).find(_ACTOR, typed)),
    )
    for reader in readers:
        with suppress(Refused, LookupError):
            reader(said)
    with suppress(ValueError):
        parse_blocked_sender(said[:1280])


def password(octets: bytes) -> None:
    """A password of a sign-in, and one that a user wants."""
    secrets.verify_password(text(octets), secrets.UNUSABLE_HASH)
    with suppress(ValueError):
        secrets.hash_password(text(octets))
    with suppress(Refused):
        check_password(text(octets), "a@b.example")


class _NoDatabase:
    async def one(self, *_: object, **__: object) -> None:
        raise LookupError

    all = one


_ACTOR = Actor("ws_1", "admin")


def _message(said: str) -> Message:
    return Message(
        id="msg_1",
        workspace_id="ws_1",
        reverse_path=said[:254],
        helo=said[:255],
        peer="192.0.2.1",
        protocol="ESMTP",
        tls="",
        received_by="mx.example",
        size=1,
        received_at=0,
        rfc_message_id=said[:998],
        reference_ids="[]",
        from_address=said[:320],
        from_name=said[:320],
        subject=said[:998],
        sent_at=None,
        automatic="",
    )


def _ticket(said: str) -> Ticket:
    return Ticket(
        id="ticket_1",
        workspace_id="ws_1",
        number=1,
        alias_id=None,
        address=said[:254],
        subject=said[:998],
        from_address=said[:320],
        from_name=said[:320],
        status="open",
        assigned_to=None,
        claimed_at=None,
        resolved_at=None,
        received_at=0,
        updated_at=0,
    )


def _view(content: bytes) -> MessageView:
    """A mail that consists of the shape everywhere."""
    said = text(content)
    files = tuple(
        Attachment(n, said[:120], "a/b", 1, inline=False, content_id="", kind="file") for n in range(len(said) // 100)
    )
    mailbox = Mailbox(said[:320], said[:320])
    contents = Contents(
        said[:262144], said[:262144], said, files[:200], (said[:200],), (mailbox,) * MAX_REPLY_TO, mailbox
    )
    return MessageView(_message(said), (), contents)


def _timeline(content: bytes) -> Timeline:
    """A ticket of such mails, the first of them whole."""
    view = _view(content)
    contents = view.contents
    entries = tuple(
        TimelineEntry(
            TicketEvent("msg_1", "ticket_1", "ws_1", 0, "opened", None, "{}"),
            MessageExcerpt(
                message=view.message,
                links=(),
                text=contents.text if whole else contents.text[:MAX_EXCERPT],
                whole=whole,
                cut=not whole,
                quoted_lines=contents.quoted_lines,
                has_html=True,
                attachments=contents.attachments,
                warnings=contents.warnings,
                failed_recipients=contents.failed_recipients,
                reply_to=contents.reply_to,
                original_from=contents.original_from,
            ),
            1,
        )
        for whole in (True, False)
    )
    ticket = _ticket(text(content))
    return Timeline(ticket, entries, tuple(mailbox.address for mailbox in contents.reply_to))


@cache
def _renderer() -> Renderer:
    return Renderer(Assets(), NAV, NOTES, SystemClock())


def page(octets: bytes) -> None:
    """The page of a ticket."""
    timeline = _timeline(octets)
    visit = Visit(
        services=cast("Any", None),
        caller=Caller(_ACTOR, "key:1"),
        ids={},
        query={},
        form={},
        request=request("/tickets/ticket_1"),
        address="192.0.2.1",
    )
    me = SimpleNamespace(
        workspace=SimpleNamespace(name="a"), user=SimpleNamespace(name="a", email="a@b.example", role="admin")
    )
    context = {
        "visit": visit,
        "me": me,
        "trouble": Trouble(),
        "nav": [],
        "here": "",
        "note": "",
        "title": timeline.ticket.subject,
        "ticket": timeline.ticket,
        "entries": ticket._entries(timeline),
        "deliveries": paging.Page((), None),
        "older": True,
        "reply": reply_link.mailto(timeline.answer_to, timeline.ticket.subject),
        "names": {},
        "people": [],
        "statuses": [],
        "may_give": True,
        "seen": "",
    }
    _renderer().text("ticket.html", context)
    words.short(timeline.ticket.subject, 60)


def detail(octets: bytes) -> None:
    """The ticket as the API answers it, and an attachment's name as a download."""
    event = TicketEvent("msg_1", "ticket_1", "ws_1", 0, "opened", None, "{}")
    view = TicketView(_ticket(text(octets)), (_view(octets),), 1, None, (), (event,))
    answers.json(TicketDetail.of_view(view), 200)
    messages._download(text(octets)[:120], "a/b", 1)


def frame(octets: bytes) -> object:
    """The HTML of a mail for its frame, with a large picture under every name it asks for."""

    async def attachment(_: Actor, __: str, n: int) -> AttachmentData:
        return AttachmentData(files[n - 1], bytes(_IMAGE))

    html = text(octets)
    files = tuple(
        Attachment(n, "a", "image/png", _IMAGE, inline=True, content_id=name, kind="image")
        for n, name in enumerate(("a", "b"), 1)
    )
    visit = SimpleNamespace(services=SimpleNamespace(messages=SimpleNamespace(attachment=attachment)), actor=_ACTOR)
    view = MessageView(_message(""), (), Contents("", "", html, files, ()))
    return done(mail._with_images(cast("Any", visit), view))


_ESCAPES = (Shape(b'\\"'), Shape(b'"\\'), Shape(b"\\", b'"'))  # each quotation mark was tried as a beginning
_PICTURES = (Shape(b'<img src="cid:a">'), Shape(b'<img src="cid:a"><img src="cid:b">'))  # each wrote the picture again

SUBJECTS = (
    Subject("http: a request's head", head, _HEADS, (*PLAIN, URL, (b"a: b\r\n", b"a=b; "))),
    Subject("http: fields", fields, _HEAD, (*PLAIN, URL, (b"a=b; ", b"1.1.1.1,", b'"a";', b"127.0.0.1,"))),
    Subject("http: a query string", query, _HEAD, (*PLAIN, URL)),
    Subject("body: JSON", json_body(b""), _BODY, (JSON, (b" ", b"\n"))),
    Subject("body: a JSON text", json_body(b'{"a":"', b'"}'), _BODY, (*PLAIN, JSON), _ESCAPES),
    Subject("body: a JSON list", json_body(b'{"a":[', b"1]}"), _BODY, (JSON,)),
    Subject("body: a JSON object", json_body(b"{", b'"b":1}'), _BODY, (JSON,)),
    Subject("schema: the models of all routes", models, _BODY // 8, ((b"a", b"\xc3\xa4", b"1"),)),
    Subject("dashboard: a form", form, _BODY, (*PLAIN, URL)),
    Subject("admin: values that are typed", values, 20_000),
    Subject("secrets: a password", password, 4096, ((b"a", b"\xf0\x9f\x91\xa8"),), base=32 << 20),
    Subject("dashboard: the page of a ticket", page, _PAGE, (*PLAIN, HTML), quick=(*FEW, *HTML[:6])),
    Subject("api: a ticket as JSON", detail, _PAGE, (*PLAIN,)),
    Subject("dashboard: a mail's HTML", frame, _PAGE, (HTML, (b"&amp;",)), _PICTURES, base=28 << 20),
)
