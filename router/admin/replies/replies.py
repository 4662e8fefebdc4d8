"""Replies: create, show, cancel and retry."""

from __future__ import annotations

from collections.abc import Sequence

from router.admin.paging import DEFAULT_LIMIT, Page
from router.admin.replies.reply_request import ComposerDefaults, ReplyRequest
from router.admin.replies.reply_views import ReplyView
from router.model import Actor


class ReplyService:
    """Manages the replies of the actor's workspace."""

    async def create(self, actor: Actor, ticket_id: str, request: ReplyRequest) -> ReplyView:
        """Composes a reply and queues it; assigns an unassigned ticket to its author.

        Raises:
            Refused: `sending_not_set_up`, `newer_message`, `no_recipient`, `invalid_recipient`, `payload_too_large`,
                `not_found` or `invalid_request`. Then nothing is written.
        """
        raise NotImplementedError

    async def get(self, actor: Actor, reply_id: str) -> ReplyView:
        raise NotImplementedError

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
        raise NotImplementedError

    async def list_outbox(
        self, actor: Actor, *, state: str | None = None, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[ReplyView]:
        """Lists the replies of the workspace, newest first."""
        raise NotImplementedError

    async def cancel(self, actor: Actor, reply_id: str) -> ReplyView:
        """Cancels a reply that is still queued. Its text becomes the draft of its author.

        Raises:
            Refused: `already_sent` once an attempt was started.
        """
        raise NotImplementedError

    async def retry(self, actor: Actor, reply_id: str, to: Sequence[str] | None = None) -> ReplyView:
        """Sends a reply again to the recipients that failed or bounced; `to` replaces their addresses."""
        raise NotImplementedError

    async def read_composer(self, actor: Actor, ticket_id: str) -> ComposerDefaults:
        raise NotImplementedError
