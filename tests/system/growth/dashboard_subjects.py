"""Growth-test subjects for the pages and responses that display a message."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from api import responses
from api.dashboard import (
    address_fields,
    formatting,
    inbox,
    message_display,
    message_frame,
    note_text,
    reply_link,
    sender_verdicts,
    text_links,
    timeline_entries,
    wrapped_lines,
)
from api.dashboard.assets import Assets
from api.dashboard.composer import Composer
from api.dashboard.page import Visit
from api.dashboard.render import Renderer
from api.dashboard.ticket_pane import TicketPane
from api.dashboard.ticket_replies import ShownReply, TicketReplies
from api.dashboard.views import FLASH_MESSAGES, NAV_LINKS, message
from api.resources import messages
from api.schema.tickets import TicketDetail
from router.admin import paging
from router.admin.access.authentication import Caller
from router.admin.installation.attention import AttentionCounts
from router.admin.replies.reply_request import ComposerDefaults
from router.admin.tickets.conversation import MessageView, TicketView
from router.admin.tickets.list_rows import ReadMark, TicketRow
from router.admin.tickets.reply_views import ReplyView
from router.admin.tickets.sender_checks import SenderChecks
from router.admin.tickets.timeline import MAX_EXCERPT_LENGTH, MessageExcerpt, Timeline, TimelineEntry
from router.checks.results import MessageChecks
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.clock import SystemClock
from router.local_time import UTC_TIME
from router.mail import html_design
from router.mail.auth_results import AuthResult
from router.mail.contents import Attachment, AttachmentData, Contents, NamedMailbox
from router.mail.originator_fields import MAX_REPLY_TO
from router.model import Actor, Message, ReplyRecipient, Ticket, TicketEvent, TicketReply
from tests.system.growth.http_subjects import make_request, run_coroutine
from tests.system.growth.shapes import FEW_UNITS, HTML, Shape
from tests.system.growth.subject import PLAIN, Subject, decode_text

_PAGE = 524288  # maximum characters of HTML before it is sanitised
_NOTE = 20_000  # maximum characters of a note
_IMAGE = 100_000  # bytes of each image in a message
_ACTOR = Actor("ws_1", "admin")


def _message(value: str) -> Message:
    return Message(
        id="msg_1",
        workspace_id="ws_1",
        reverse_path=value[:254],
        helo=value[:255],
        peer="192.0.2.1",
        protocol="ESMTP",
        tls="",
        received_by="mx.example",
        size=1,
        received_at=0,
        rfc_message_id=value[:998],
        reference_ids="[]",
        from_address=value[:320],
        from_name=value[:320],
        subject=value[:998],
        sent_at=None,
        automatic="",
    )


def _ticket(value: str) -> Ticket:
    return Ticket(
        id="ticket_1",
        workspace_id="ws_1",
        number=1,
        alias_id=None,
        address=value[:254],
        subject=value[:998],
        from_address=value[:320],
        from_name=value[:320],
        status="open",
        assigned_to=None,
        claimed_at=None,
        resolved_at=None,
        received_at=0,
        updated_at=0,
    )


def _event(actor_name: str) -> TicketEvent:
    return TicketEvent("msg_1", "ticket_1", "ws_1", 1, 0, "ticket.created", "mail", "msg_1", None, "{}", actor_name)


def _view(content: bytes) -> MessageView:
    """Puts `content` in fields that a sender controls."""
    value = decode_text(content)
    files = tuple(
        Attachment(n, value[:120], "a/b", 1, inline=False, content_id="", kind="file") for n in range(len(value) // 100)
    )
    mailbox = NamedMailbox(value[:320], value[:320])
    contents = Contents(
        value[:262144], value[:262144], value, files[:200], (value[:200],), (mailbox,) * MAX_REPLY_TO, mailbox
    )
    return MessageView(_message(value), (), contents, _checks(value))


def _checks(value: str) -> SenderChecks:
    """Puts `value` in what a sender controls of the results, within the limits of the checks."""
    signatures = tuple(AuthResult("dkim", "fail", value[:253], value[:100]) for _ in range(5))
    results = (AuthResult("dmarc", "fail", value[:253]), *signatures)
    symbols = tuple(SpamSymbol(value[:60], 1, value[:200]) for _ in range(50))
    spam = SpamVerdict("rspamd", 1, 2, "add header", symbols)
    return SenderChecks(MessageChecks("done", 0, results=results, relay_results=results, spam=spam))


def _timeline(content: bytes) -> Timeline:
    """A ticket with the same message twice, once in full and once as an excerpt."""
    view = _view(content)
    contents = view.contents
    entries = tuple(
        TimelineEntry(
            _event(view.message.from_name),
            MessageExcerpt(
                message=view.message,
                links=(),
                text=contents.text if whole else contents.text[:MAX_EXCERPT_LENGTH],
                is_full=whole,
                is_truncated=not whole,
                quoted_lines=contents.quoted_lines,
                has_html=True,
                has_layout=html_design.has_layout(contents.html),
                has_remote_images=html_design.has_remote_images(contents.html),
                attachments=contents.attachments,
                warnings=contents.warnings,
                reply_to=contents.reply_to,
                original_from=contents.original_from,
                failed_recipients=contents.failed_recipients,
                checks=view.checks,
            ),
            1,
        )
        for whole in (True, False)
    )
    ticket = _ticket(decode_text(content))
    return Timeline(ticket, entries, tuple(mailbox.address for mailbox in contents.reply_to))


def _excerpt(timeline: Timeline) -> MessageExcerpt:
    excerpt = timeline.entries[0].excerpt
    assert excerpt is not None
    return excerpt


@cache
def _renderer() -> Renderer:
    return Renderer(Assets(), NAV_LINKS, FLASH_MESSAGES, SystemClock())


def _composer(text: str) -> Composer:
    """A composer with input of the customer, who names the recipients and the subject."""
    mailboxes = [NamedMailbox(text[:320], text[:200])]
    to = address_fields.join_recipients(mailboxes)
    fields: dict[str, str | bool] = dict.fromkeys(("to", "cc", "bcc", "subject", "text", "status"), to)
    fields |= {"quote": True, "force": False}
    address_fields.split_recipients(text)
    defaults = ComposerDefaults(
        from_address="a@b.example",
        from_name="",
        to=tuple(mailboxes),
        new_senders=tuple(mailboxes),
        warning=text[:500],
        is_set_up=True,
        signature=text[:500],
    )
    return Composer(mode="reply", is_open=False, defaults=defaults, mailto="", fields=fields, note=text)


def _reply(text: str) -> ShownReply:
    """A reply with the answer of a mail server."""
    reply = TicketReply("rpl_1", "ws_1", "ticket_1", "msg_2", "failed", "user", None, None, send_at=0, created_at=0)
    recipient = ReplyRecipient(
        "rpl_1", "ws_1", text[:320], text[:320], "to", "", "dlv_1", "failed", 550, text[:1000], 0
    )
    return ShownReply(ReplyView(reply, (recipient,), 1, text[:200], text[:60]))


def render_ticket_page(data: bytes) -> None:
    timeline = _timeline(data)
    visit = Visit(
        services=cast("Any", None),
        caller=Caller(_ACTOR, "key:1"),
        path_params={},
        query={},
        form={},
        request=make_request("/tickets/ticket_1"),
        client_address="192.0.2.1",
    )
    quoted = decode_text(data)
    me = SimpleNamespace(
        workspace=SimpleNamespace(name="a"),
        user=SimpleNamespace(id="user_1", name="a", email="a@b.example", role="admin"),
    )
    request = inbox.ListRequest(inbox.ALL, {"q": quoted[:200]})
    row = TicketRow(timeline.ticket, quoted[:200], False, 1, "new", 0, "")
    context = {
        "visit": visit,
        "me": me,
        "local_time": UTC_TIME,
        "attention": AttentionCounts(),
        "attention_version": "",
        "nav_links": [],
        "active_path": "",
        "flash": None,
        "page_path": "/tickets/1",
        "density": "compact",
        "choices": (),
        "title": timeline.ticket.subject,
        "ticket": timeline.ticket,
        "entries": timeline_entries.build_entries(timeline, ReadMark(0, 0)),
        "senders": sender_verdicts.build_views(timeline),
        "warning": quoted[:300],
        "is_checking": False,
        "can_recheck": True,
        "pane": TicketPane(request, [row], timeline.ticket, timeline.ticket),
        "kept": request.ticket_parameters,
        "edited_note": "",
        "composer": _composer(quoted),
        "replies": TicketReplies([_reply(quoted)]),
        "sender": None,
        "earlier": [timeline.ticket],
        "sender_tickets": 2,
        "displays": {"msg_1": message_display.build_display(_excerpt(timeline), {}, "/tickets/1", quoted)},
        "deliveries": paging.Page((), None),
        "is_older": True,
        "reply_link": reply_link.build_mailto(timeline.reply_addresses, timeline.ticket.subject),
        "names": {},
        "emails": {},
        "assignees": [],
        "statuses": [],
        "can_assign": True,
        "newest_id": "",
    }
    _renderer().render_bytes("ticket.html", context)
    formatting.shorten(timeline.ticket.subject, 60)


def serialize_ticket(data: bytes) -> None:
    event = _event(decode_text(data)[:320])
    view = TicketView(_ticket(decode_text(data)), (_view(data),), 1, None, (), (event,))
    responses.json(TicketDetail.from_view(view), 200)
    messages._download(decode_text(data)[:120], "a/b", 1)


def render_html_frame(data: bytes) -> object:
    """Embeds two large images in the HTML of a message."""

    async def get_attachment(_: Actor, __: str, n: int) -> AttachmentData:
        return AttachmentData(files[n - 1], b"GIF89a" + bytes(_IMAGE))

    html = decode_text(data)
    files = tuple(
        Attachment(n, "a", "image/gif", _IMAGE, inline=True, content_id=name, kind="image")
        for n, name in enumerate(("a", "b"), 1)
    )
    visit = SimpleNamespace(
        services=SimpleNamespace(messages=SimpleNamespace(get_attachment=get_attachment)), actor=_ACTOR
    )
    view = MessageView(_message(""), (), Contents("", "", html, files, ()))
    images = run_coroutine(message._read_images(cast("Any", visit), view))
    return message_frame.build_document(html, images, remote=True)


# A fixed defect embedded a further copy of an image for each `cid:` reference to it.
_PICTURES = (Shape(b'<img src="cid:a">'), Shape(b'<img src="cid:a"><img src="cid:b">'))
_LINKS = (
    b"https://a.test/",
    b"mailto:a@b ",
    b"http://",
    b")",
    b"(",
    b".",
    b"**",
    b"*a",
    b"`",
    b"[a](",
    b"- ",
    b"```\n",
    b"> ",
)
SUBJECTS = (
    Subject("dashboard: wrapped lines", lambda data: wrapped_lines.join_wrapped_lines(decode_text(data)), _PAGE, PLAIN),
    Subject("dashboard: links in text", lambda data: text_links.linkify(decode_text(data)), _PAGE, (*PLAIN, _LINKS)),
    Subject(
        "dashboard: an internal note", lambda data: note_text.note_html(decode_text(data)), _NOTE, (*PLAIN, _LINKS)
    ),
    # Most of the memory of a small page is that of its templates, and of fields that are cut.
    Subject(
        "dashboard: the page of a ticket",
        render_ticket_page,
        _PAGE,
        (*PLAIN, HTML),
        base=16 << 20,
        quick=(*FEW_UNITS, *HTML[:6]),
    ),
    Subject("api: a ticket as JSON", serialize_ticket, _PAGE, (*PLAIN,)),
    Subject("dashboard: a mail's HTML", render_html_frame, _PAGE, (HTML, (b"&amp;",)), _PICTURES, base=28 << 20),
)
