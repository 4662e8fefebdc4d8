"""Replies: create, show, cancel and retry.

A reply is composed first, and then written in one transaction that locks the ticket: neither a mail of the customer nor
the erasure of the ticket can come between the checks and the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from config.outgoing import OutgoingSettings
from router.admin import paging, ticket_events
from router.admin.fetch import fetch_by_id
from router.admin.paging import DEFAULT_LIMIT, Page, PageRequest
from router.admin.replies.cancellation import cancel_reply
from router.admin.replies.composer import ComposerReader
from router.admin.replies.newer_messages import require_newest
from router.admin.replies.recipient_checks import RecipientChecks
from router.admin.replies.reply_request import ComposerDefaults, ReplyRequest, StoredDraft
from router.admin.replies.retries import Retries
from router.admin.replies.uploads import UploadService
from router.admin.templates.templates import TemplateService
from router.admin.tickets import drafts
from router.admin.tickets.reply_views import ReplyView, read_attempts, read_views
from router.admin.validation import validate_id
from router.clock import SECOND, Clock, to_micros
from router.enumerations import REPLY_STATE, TICKET_STATUS, ReplyState
from router.errors import Refused, not_found_error
from router.model import Actor, Micros, Ticket, Upload, User
from router.ports import Waker
from router.replies.answered_message import read_received
from router.replies.build import ReplyAddress, ReplyAuthor, ReplyBuilder, ReplyMail
from router.replies.new_reply import NewReply, insert_reply
from router.replies.recipients import format_recipient
from router.store.database import Database, QueryExecutor, fetch_model, retry_on_conflict, run_statements

# Replies that are composed at the same time: each takes several times the memory of its files.
MAX_CONCURRENT_BUILDS = 2


class ReplyService:
    """Manages the replies of the actor's workspace. `wake` is notified of mail to send."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        builder: ReplyBuilder,
        checks: RecipientChecks,
        composer: ComposerReader,
        retries: Retries,
        uploads: UploadService,
        templates: TemplateService,
        wake: Waker,
        settings: OutgoingSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._builder = builder
        self._checks = checks
        self._composer = composer
        self._retries = retries
        self._uploads = uploads
        self._templates = templates
        self._wake = wake
        self._undo = to_micros(settings.undo)
        self._max_bytes = settings.max_message_bytes
        self._build_slots = asyncio.Semaphore(MAX_CONCURRENT_BUILDS)

    async def create(self, actor: Actor, ticket_id: str, request: ReplyRequest) -> ReplyView:
        """Composes a reply and queues it; assigns an unassigned ticket to its author.

        Raises:
            Refused: `sending_not_set_up`, `newer_message`, `no_recipient`, `invalid_recipient`, `payload_too_large`,
                `conflict` for a ticket held as spam, `not_found` or `invalid_request`. Then nothing is written.
        """
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        request = (await self._fill_from_template(actor, ticket, request)).validated()
        _require_no_spam(ticket)
        received = await read_received(self._database, ticket.id)
        await require_newest(self._database, actor, ticket.id, received, request.if_last_message_id)
        recipients = await self._checks.choose(ticket, received, request)
        uploads = await self._uploads.require_many(actor, request.attachments)
        self._require_size(request, uploads)
        undo = self._undo if request.undo_seconds is None else request.undo_seconds * SECOND
        async with self._build_slots:
            mail = ReplyMail(
                recipients=recipients,
                text=request.text,
                html=request.html,
                subject=request.subject,
                quote=request.quote,
                files=[await self._uploads.read(upload) for upload in uploads],
                ticket_status=None if request.status is None else TICKET_STATUS.parse(request.status),
                draft=_stored_draft(request, recipients).to_json(),
                send_at=self._clock.now() + undo,
            )
            new = await self._builder.build(ticket, mail, await _read_author(self._database, actor))
            view = await self._insert(actor, ticket.id, request, new)
        self._wake.wake_submissions()
        return view

    async def get(self, actor: Actor, reply_id: str) -> ReplyView:
        """Returns a reply with its attempts."""
        validate_id(reply_id, "rpl", "Reply")
        return await _read_view(self._database, actor, reply_id)

    async def list_by_ticket(
        self,
        actor: Actor,
        ticket_id: str,
        *,
        state: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[ReplyView]:
        """Lists the replies of a ticket, newest first."""
        request, valid_state = _page_request(state, limit, cursor)
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        return await self._list(actor, ticket.id, valid_state, request)

    async def list_outbox(
        self, actor: Actor, *, state: str | None = None, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[ReplyView]:
        """Lists the replies of the workspace, newest first."""
        request, valid_state = _page_request(state, limit, cursor)
        return await self._list(actor, None, valid_state, request)

    @retry_on_conflict
    async def cancel(self, actor: Actor, reply_id: str) -> ReplyView:
        """Cancels a reply that is still queued. Its text becomes the draft of its author.

        Raises:
            Refused: `already_sent` once an attempt was started.
        """
        found = await self.get(actor, reply_id)
        async with self._database.transaction() as transaction:
            await cancel_reply(transaction, actor, found.reply, self._clock.now())
        return await self.get(actor, reply_id)

    async def retry(
        self, actor: Actor, reply_id: str, to: Sequence[str] | None = None, *, force: bool = False
    ) -> ReplyView:
        """Sends a reply again to the recipients that failed or bounced, and at once to those that are retried.

        Args:
            to: The addresses that replace those that failed. One that failed is tried again.
            force: Also sends to addresses that are undeliverable.

        Raises:
            Refused: `conflict` if no recipient failed, `sending_not_set_up`, `invalid_recipient` or `no_recipient`.
        """
        found = await self.get(actor, reply_id)
        await self._retries.retry(actor, found, to, force=force)
        self._wake.wake_submissions()
        return await self.get(actor, reply_id)

    async def read_composer(self, actor: Actor, ticket_id: str) -> ComposerDefaults:
        """Returns what the composer of a ticket starts with."""
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        author = await _read_author(self._database, actor)
        defaults = await self._composer.read(ticket, author.name)
        return replace(defaults, undo_seconds=self._undo // SECOND)

    async def _list(
        self, actor: Actor, ticket_id: str | None, state: str | None, request: PageRequest
    ) -> Page[ReplyView]:
        rows = await self._database.fetch_all(
            "reply_page",
            workspace_id=actor.workspace_id,
            ticket_id=ticket_id,
            state=state,
            before=request.position,
            limit=request.row_limit,
        )
        return request.to_page(await read_views(self._database, rows), lambda view: view.reply.id)

    async def _fill_from_template(self, actor: Actor, ticket: Ticket, request: ReplyRequest) -> ReplyRequest:
        """Returns the request with the texts of its template. A text that is given replaces that of a text template."""
        if request.template_id is None:
            return request
        template = await self._templates.get(actor, request.template_id)
        rendered = await self._templates.render(actor, template.id, ticket.id, text=request.text)
        is_replaced = template.mode == "text" and request.text.strip() != ""
        return replace(
            request,
            text=request.text if is_replaced else rendered.text,
            html=request.html if is_replaced else rendered.html,
            subject=request.subject if request.subject is not None else rendered.subject or None,
        )

    def _require_size(self, request: ReplyRequest, uploads: Sequence[Upload]) -> None:
        texts = len(request.text.encode("utf-8", "replace")) + len(request.html.encode("utf-8", "replace"))
        if texts + sum(upload.size for upload in uploads) > self._max_bytes:
            raise Refused("payload_too_large", f"A reply must be at most {self._max_bytes} bytes with its attachments")

    @retry_on_conflict
    async def _insert(self, actor: Actor, ticket_id: str, request: ReplyRequest, new: NewReply) -> ReplyView:
        """Returns the reply as it was written: nothing may fail after the commit, or the caller would send it again."""
        async with self._database.transaction() as transaction:
            if actor.user_id is not None:
                user = await fetch_model(
                    transaction, User, "user_lock", id=actor.user_id, workspace_id=actor.workspace_id
                )
                if user is None or user.disabled_at is not None:
                    raise Refused("unauthorized", "Your user account was removed or disabled")
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            _require_no_spam(ticket)
            received = await read_received(transaction, ticket.id)
            await require_newest(transaction, actor, ticket.id, received, request.if_last_message_id)
            await _assign_to_author(transaction, actor, ticket, new.reply.created_at)
            await drafts.delete_sent(transaction, actor, ticket.id, "reply", request.text)
            await run_statements(transaction, insert_reply(new))
            return await _read_view(transaction, actor, new.reply.id)


async def _read_view(executor: QueryExecutor, actor: Actor, reply_id: str) -> ReplyView:
    row = await executor.fetch_one("reply_by_id", id=reply_id, workspace_id=actor.workspace_id)
    if row is None:
        raise not_found_error("Reply")
    (view,) = await read_views(executor, [row])
    return replace(view, attempts=await read_attempts(executor, view.reply))


def _page_request(state: str | None, limit: int, cursor: str | None) -> tuple[PageRequest, ReplyState | None]:
    return paging.page_request("rpl", limit, cursor), None if state is None else REPLY_STATE.parse(state)


def _require_no_spam(ticket: Ticket) -> None:
    if ticket.spam:
        raise Refused("conflict", f"Ticket #{ticket.number} is held as spam: release it before you answer")


async def _read_author(executor: QueryExecutor, actor: Actor) -> ReplyAuthor:
    actor_type, actor_id = ticket_events.identify(actor)
    name = ""
    if actor.user_id is not None:
        user = await fetch_model(executor, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id)
        name = user.name if user is not None else ""
    return ReplyAuthor(actor_type, actor_id, actor.user_id, name)


async def _assign_to_author(transaction: QueryExecutor, actor: Actor, ticket: Ticket, now: Micros) -> None:
    """Assigns an unassigned ticket, and sets an open one to `in_progress`, as if the author had claimed it."""
    if ticket.assigned_to is not None or actor.user_id is None:
        return
    fields: dict[str, object] = {"assigned_to": actor.user_id, "claimed_at": now}
    if ticket.status == "open":
        fields["status"] = "in_progress"
    await transaction.execute("ticket_update", id=ticket.id, workspace_id=ticket.workspace_id, now=now, **fields)
    before = {name: getattr(ticket, name) for name in fields}
    await ticket_events.record(transaction, actor, ticket.id, now, "ticket.claimed", before=before)


def _stored_draft(request: ReplyRequest, recipients: Sequence[ReplyAddress]) -> StoredDraft:
    def addresses(field: str) -> tuple[str, ...]:
        return tuple(format_recipient(each.mailbox) for each in recipients if each.field == field)

    return StoredDraft(
        request.text, request.html, addresses("to"), addresses("cc"), addresses("bcc"), request.attachments
    )
