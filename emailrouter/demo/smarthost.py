"""Smarthost stand-in of the demo: accepts the replies of the team on 127.0.0.1, and shows them as a page.

It sends them nowhere. For a reply to an address in `unknown`, a bounce comes back, as from a server further on.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, message_from_string, policy
from email.message import EmailMessage, Message
from html import escape

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from emailrouter.demo.mail_client import submit
from emailrouter.demo.ports import HOST

PATH = "/mail"
HOSTNAME = "smarthost.emailrouter.test"
_MAX_SHOWN = 200
_MAX_TEXT = 20_000  # characters of a mail on the page
_BOUNCE = """\
From: Mail Delivery System <mailer-daemon@{host}>
To: {sender}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="report"

--report
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered to {recipient}.

--report
Content-Type: message/delivery-status

Reporting-MTA: dns; {host}

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{recipient}>: Recipient address rejected: User unknown

--report--
"""
_STYLE = """
body { margin: 0 auto; max-width: 860px; padding: 16px 20px; font: 15px/1.46 system-ui, sans-serif; color: #1d1c1d }
article { border: 1px solid #ddd; border-radius: 8px; padding: 12px 16px; margin: 16px 0 }
h2 { margin: 0; font-size: 16px } p { margin: 2px 0; color: #616061 } pre { font: inherit; white-space: pre-wrap }
pre, p, h2 { overflow-wrap: anywhere }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'",
    "Refresh": "5",  # shows new mails without a script
}


@dataclass(frozen=True, slots=True)
class ShownMail:
    """An accepted mail. `sender` is the envelope sender."""

    sender: str
    recipient: str
    content: bytes


class DemoSmarthost:
    """The handler of the stand-in. `server` is where bounces are sent."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.url = ""
        self.unknown: frozenset[str] = frozenset()
        self.mails: deque[ShownMail] = deque(maxlen=_MAX_SHOWN)
        self._server = server
        self._bounces: set[asyncio.Task[str]] = set()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd
        mail = ShownMail(envelope.mail_from or "", envelope.rcpt_tos[0], envelope.original_content or b"")
        self.mails.append(mail)
        if mail.recipient in self.unknown and mail.sender:
            task = asyncio.ensure_future(asyncio.to_thread(submit, self._server, "", mail.sender, build_bounce(mail)))
            self._bounces.add(task)
            task.add_done_callback(self._bounces.discard)
        return "250 2.0.0 Ok: shown and not sent"

    async def finish(self) -> None:
        await asyncio.gather(*self._bounces)

    async def show(self, _: web.Request) -> web.Response:
        articles = "".join(map(_render, reversed(self.mails))) or "<p>No mails yet.</p>"
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Stand-in for a smarthost</title>'
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
            f"<h1>Mails of the team</h1><p>This stand-in for a smarthost sends them nowhere.</p>{articles}</html>"
        )
        return web.Response(text=page, content_type="text/html", headers=_HEADERS)


def _render(mail: ShownMail) -> str:
    parsed = message_from_bytes(mail.content, EmailMessage, policy=policy.default)
    body = parsed.get_body(("plain",))
    text = "" if body is None else body.get_content()[:_MAX_TEXT]
    names = [name for name in ("From", "To", "Cc") if name in parsed]
    fields = "".join(f"<p>{name}: {escape(str(parsed[name]))}</p>" for name in names)
    return (
        f'<article><h2 dir="auto">{escape(str(parsed.get("Subject", "")))}</h2>{fields}'
        f"<p>Envelope: {escape(mail.sender)} to {escape(mail.recipient)}</p>"
        f'<pre dir="auto">{escape(text)}</pre></article>'
    )


def build_bounce(mail: ShownMail) -> Message:
    """Builds the report that the recipient is unknown (RFC 3464)."""
    return message_from_string(_BOUNCE.format(host=HOSTNAME, sender=mail.sender, recipient=mail.recipient))


@asynccontextmanager
async def run_smarthost(port: int, server: tuple[str, int]) -> AsyncIterator[DemoSmarthost]:
    """Runs the stand-in."""
    smarthost = DemoSmarthost(server)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(smarthost, hostname=HOSTNAME, enable_SMTPUTF8=True), HOST, port)
    try:
        smarthost.url = f"smtp://{HOST}:{listener.sockets[0].getsockname()[1]}"
        yield smarthost
    finally:
        listener.close()
        await listener.wait_closed()
        await smarthost.finish()
