"""Drafts: texts that a user has not sent yet. Each user sees only their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

from router.admin import validation
from router.admin.fetch import fetch_by_id
from router.clock import Clock
from router.enumerations import DRAFT_KIND, DraftKind
from router.errors import Refused
from router.model import Actor, Micros, Ticket, User
from router.store.database import Database, QueryExecutor, Row, fetch_model

MAX_REPLY_LENGTH = 100_000  # characters of the text of a reply
MAX_HTML_LENGTH = 300_000  # characters
MAX_ENTRIES = 20  # addresses in one field, or attachments
_MAX_ENTRY_LENGTH = 600  # characters of an address with a name, or of an id
_COLUMNS: Mapping[str, str] = {
    "to": "to_addresses",
    "cc": "cc_addresses",
    "bcc": "bcc_addresses",
    "attachments": "attachments",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that a user has not sent yet. A note has only a text.

    Attributes:
        to, cc, bcc: Addresses as they were written, valid or not.
        attachments: The ids of uploads.
    """

    kind: DraftKind
    text: str
    saved_at: Micros
    html: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        return not (self.text.strip() or self.html.strip() or self.attachments)


class DraftService:
    """Manages the drafts of the actor's user. Raises `Refused` for an actor without a user."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, actor: Actor, ticket_id: str, kind: str) -> Draft | None:
        valid_kind, user_id = DRAFT_KIND.parse(kind), _require_user_id(actor)
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        return await fetch_draft(self._database, user_id, ticket.id, valid_kind)

    async def save(
        self,
        actor: Actor,
        ticket_id: str,
        kind: str,
        text: str,
        *,
        html: str = "",
        to: tuple[str, ...] = (),
        cc: tuple[str, ...] = (),
        bcc: tuple[str, ...] = (),
        attachments: tuple[str, ...] = (),
    ) -> Draft | None:
        """Saves a draft instead of an earlier one. A blank draft deletes it; then the result is None.

        Raises:
            Refused: `invalid_request` for a note with more than a text, or a value that is too long.
        """
        valid_kind, user_id = DRAFT_KIND.parse(kind), _require_user_id(actor)
        draft = Draft(valid_kind, text, self._clock.now(), html, to, cc, bcc, attachments)
        if draft.is_blank:
            await self.delete(actor, ticket_id, kind)
            return None
        draft = _validate(draft)
        async with self._database.transaction() as transaction:
            await fetch_model(transaction, User, "user_lock", id=user_id, workspace_id=actor.workspace_id)
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            await save_draft(transaction, user_id, ticket.id, draft)
        return draft

    async def delete(self, actor: Actor, ticket_id: str, kind: str) -> None:
        """Deletes a draft, if there is one."""
        valid_kind, user_id = DRAFT_KIND.parse(kind), _require_user_id(actor)
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        await self._database.execute("draft_delete", user_id=user_id, ticket_id=ticket.id, kind=valid_kind)


async def fetch_draft(executor: QueryExecutor, user_id: str, ticket_id: str, kind: DraftKind) -> Draft | None:
    row = await executor.fetch_one("draft_find", user_id=user_id, ticket_id=ticket_id, kind=kind)
    return None if row is None else _from_row(row)


async def save_draft(transaction: QueryExecutor, user_id: str, ticket_id: str, draft: Draft) -> None:
    lists = {column: json.dumps(getattr(draft, name), ensure_ascii=False) for name, column in _COLUMNS.items()}
    await transaction.execute(
        "draft_save",
        user_id=user_id,
        ticket_id=ticket_id,
        kind=draft.kind,
        text=draft.text,
        saved_at=draft.saved_at,
        html=draft.html,
        **lists,
    )


async def delete_sent(transaction: QueryExecutor, actor: Actor, ticket_id: str, kind: str, text: str) -> None:
    """Deletes the draft of a text that is being sent.

    A request with an API key may have nothing to do with what its user writes in the dashboard. So it deletes only a
    draft with the same text.
    """
    values = {"user_id": actor.user_id or "", "ticket_id": ticket_id, "kind": kind}
    if actor.key_id is None:
        await transaction.execute("draft_delete", **values)
    else:
        await transaction.execute("draft_delete_equal", **values, text=text)


def _validate(draft: Draft) -> Draft:
    """Returns the draft as it is stored. Its addresses may be incomplete, and are checked when it is sent."""
    has_more = bool(draft.html) or any(getattr(draft, name) for name in _COLUMNS)
    if draft.kind == "note" and has_more:
        raise Refused("invalid_request", "A note has only a text")
    if len(draft.html) > MAX_HTML_LENGTH:
        raise Refused("invalid_request", f"html must not be longer than {MAX_HTML_LENGTH} characters", "html")
    for name in _COLUMNS:
        entries = getattr(draft, name)
        if len(entries) > MAX_ENTRIES or any(len(entry) > _MAX_ENTRY_LENGTH for entry in entries):
            raise Refused(
                "invalid_request",
                f"{name} must have at most {MAX_ENTRIES} entries of {_MAX_ENTRY_LENGTH} characters",
                name,
            )
    if draft.kind == "note":
        text = validation.validate_text(draft.text, "text")
    else:
        text = validation.clean_long_text(draft.text, "text", max_length=MAX_REPLY_LENGTH)
    values = {field.name: getattr(draft, field.name) for field in fields(draft)}
    return Draft(**(values | {"text": text}))


def _from_row(row: Row) -> Draft:
    lists = {name: tuple(json.loads(row[column])) for name, column in _COLUMNS.items()}
    return Draft(row["kind"], row["text"], row["saved_at"], row["html"], **lists)


def _require_user_id(actor: Actor) -> str:
    if actor.user_id is None:
        raise Refused("invalid_request", "Only a user has drafts")
    return actor.user_id
