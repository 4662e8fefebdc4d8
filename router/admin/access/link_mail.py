"""Mails password links to their users, as soon as a smarthost exists.

A link is a secret: the mail is sent while the request waits, and never stored. If it cannot be sent, the admin gets the
link with the reason.
"""

from __future__ import annotations

import asyncio
import re
import secrets as random
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

import structlog

from config.outgoing import OutgoingSettings
from router import reply_tokens
from router.admin.access.password_links import PasswordLink
from router.clock import SECOND, Clock
from router.errors import Refused, Unavailable
from router.mail.compose.mail import ComposedMail, OutgoingMail, compose
from router.mail.contents import NamedMailbox
from router.mail.dkim.private_key import PrivateKey
from router.mail.dkim.sign import sign
from router.model import User, Workspace
from router.network import is_loopback
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.client import SmarthostClient
from router.outbound.smarthost.outcome import SubmissionOutcome
from router.ratelimit.failure_throttle import FailureThrottle
from router.ratelimit.sliding_window import RateLimit
from router.replies.sending import SendingReader, installation_access
from router.secrets import SecretBox
from router.store.database import QueryExecutor, fetch_model

LinkKind = Literal["invitation", "reset"]
MAIL_SECONDS = 15.0  # less than the time limit of an API request
MAX_CONCURRENT = 4
# For each workspace, so that nobody can flood a mailbox with links. Further links are returned to the admin.
MAIL_LIMIT = RateLimit(requests=60, seconds=3600)
_SENDER_NAME = "Email Router"
_SECRET = re.compile(r"token=\S+")  # a smarthost can quote the link in its answer, for example a filter of links
_AUTOMATIC = b"Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"  # RFC 3834 section 5
_SUBJECTS: dict[LinkKind, str] = {
    "invitation": "Invitation to {workspace}",
    "reset": "Set a new password for {workspace}",
}
_TEXTS: dict[LinkKind, str] = {
    "invitation": """\
You are invited to the workspace {workspace} in Email Router.

Choose a password here, and you are signed in:

{url}

The link works once, for {days}. Your account is {email}.
""",
    "reset": """\
An admin of the workspace {workspace} in Email Router has created a link with which you set a new password:

{url}

The link works once, for {days}. Your account is {email}. Your current password works until you use the link.
""",
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Sender:
    """From where a mail is sent: through which smarthost, and with which keys it is signed."""

    access: SmarthostAccess
    domain: str
    keys: tuple[PrivateKey, ...] = ()


class LinkMailer:
    """Mails password links. Counts the mails in memory, so use one instance per process.

    Args:
        box: Makes the mark by which our own mail is recognised.
        hostname: The domain of the sender in a workspace that has no domain for sending.
    """

    def __init__(
        self,
        database: QueryExecutor,
        clock: Clock,
        sending: SendingReader,
        client: SmarthostClient,
        *,
        box: SecretBox,
        settings: OutgoingSettings,
        hostname: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sending = sending
        self._client = client
        self._box = box
        self._settings = settings
        self._hostname = hostname
        self._mails = FailureThrottle(clock, MAIL_LIMIT)
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def send(self, user: User, link: PasswordLink, kind: LinkKind) -> PasswordLink:
        """Returns the link without its secret if it was mailed, else with the reason; unchanged without a smarthost."""
        try:
            async with asyncio.timeout(MAIL_SECONDS):
                sender = await self._find_sender(user.workspace_id)
                if sender is None:
                    return link
                problem = self._find_obstacle(user, link) or await self._submit(sender, user, link, kind)
        except Unavailable:
            problem = "the database was unavailable"
        except TimeoutError:
            problem = f"the smarthost did not accept the mail within {MAIL_SECONDS:g} s"
        if problem:
            log.info("password_link.not_mailed", user=user.id, reason=problem)
            return replace(link, mail_error=problem)
        log.info("password_link.mailed", user=user.id)
        return replace(link, url=None, mailed_to=user.email)

    async def _find_sender(self, workspace_id: str) -> _Sender | None:
        """Returns the first domain of the workspace that can send, else the smarthost of the installation."""
        domain = await self._sending.find_active(workspace_id)
        if domain is not None:
            setup = await self._sending.read(domain.id)
            if setup.access is not None:
                return _Sender(setup.access, domain.name, setup.keys)
        access = installation_access(self._settings)
        return None if access is None else _Sender(access, self._hostname)

    def _find_obstacle(self, user: User, link: PasswordLink) -> str:
        """Returns why the mail must not be sent, or `""`. Counts it otherwise."""
        if is_loopback(urlsplit(link.url or "").hostname or ""):
            return "the link opens only on this server: set [server] public_url to the address of the dashboard"
        try:
            self._mails.check(user.workspace_id)
        except Refused:
            return f"{MAIL_LIMIT.requests} links were mailed within an hour"
        self._mails.record_failure(user.workspace_id)
        return ""

    async def _submit(self, sender: _Sender, user: User, link: PasswordLink, kind: LinkKind) -> str:
        """Returns why the mail was not sent, or `""`."""
        try:
            composed = await self._compose(sender, user, link, kind)
        except ValueError as error:
            return str(error)
        content = _AUTOMATIC + composed.content
        if sender.keys:
            content = await asyncio.to_thread(sign, content, sender.keys, self._clock.now())
        async with self._slots:
            outcome = await self._client.submit(
                sender.access,
                envelope_senders=[_address_at(sender.domain)],
                recipient=user.email,
                content=content,
                needs_smtputf8=composed.needs_smtputf8,
                before_final_dot=_record_nothing,
            )
        return _describe(outcome)

    async def _compose(self, sender: _Sender, user: User, link: PasswordLink, kind: LinkKind) -> ComposedMail:
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=user.workspace_id)
        now = self._clock.now()
        days = round((link.expires_at - now) / (86400 * SECOND))
        values = {
            "workspace": workspace.name if workspace is not None else _SENDER_NAME,
            "url": link.url,
            "days": "24 hours" if days == 1 else f"{days} days",
            "email": user.email,
        }
        return compose(
            OutgoingMail(
                from_name=_SENDER_NAME,
                from_address=_address_at(sender.domain),
                to=(NamedMailbox(user.email, user.name),),
                subject=_SUBJECTS[kind].format(**values),
                message_id=f"{random.token_hex(16)}@{sender.domain}",
                date=now,
                text=_TEXTS[kind].format(**values),
                mark=reply_tokens.new_mark(self._box),
            )
        )


async def _record_nothing() -> None:
    """Nothing is repeated, so nothing is recorded before the final dot."""


def _address_at(domain: str) -> str:
    return f"postmaster@{domain}"


def _describe(outcome: SubmissionOutcome) -> str:
    """Returns why a mail was not accepted, without the link, because it is logged; `""` if it was."""
    if outcome.kind == "accepted":
        return ""
    text = _SECRET.sub("token=***", outcome.text)
    if outcome.code is not None:
        return f"{outcome.code} {text}"
    return f"{text}; the mail may arrive nevertheless" if outcome.stage == "final" else text
