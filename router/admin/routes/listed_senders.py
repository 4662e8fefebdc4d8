"""What the lists of allowed and of blocked senders have in common."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from router.admin import audit, paging, validation
from router.admin.paging import DEFAULT_LIMIT, Page
from router.clock import Clock
from router.enumerations import AuditAction
from router.errors import Refused, not_found_error
from router.filters import TextFilter
from router.model import Actor, AllowedSender, BlockedSender, Micros
from router.routing.sender_hits import SenderListName
from router.routing.senders import MAX_ENTRY_LENGTH, normalize_entry, normalize_new_entry
from router.store.database import Database, QueryExecutor, Statement, fetch_model, fetch_models
from router.store.fragments import model_values
from router.unicode_security import safe_line

S = TypeVar("S", AllowedSender, BlockedSender)

# Entries of each list of a workspace. SMTP servers cache them: 10,000 take 2 MB, and reading them after a change delays
# other replies by up to 40 ms.
MAX_LISTED = 10_000
MAX_BATCH = 1000  # entries that one call adds
MAX_NOTE_LENGTH = 200  # characters
_MAX_QUOTED = 80  # characters of an invalid entry in an error
_ALL_SENDERS = TextFilter()


@dataclass(frozen=True, slots=True)
class AddedSenders(Generic[S]):
    """The result of adding many senders. `already_listed` has those that the list had before, which are unchanged."""

    added: tuple[S, ...]
    already_listed: tuple[str, ...]


class SenderListService(ABC, Generic[S]):
    """Manages one list of the actor's workspace."""

    _model: type[S]
    _name: ClassVar[SenderListName]
    # Adding, changing and deleting an entry.
    _actions: ClassVar[tuple[AuditAction, AuditAction, AuditAction]]

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self,
        actor: Actor,
        sender_filter: TextFilter = _ALL_SENDERS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[S]:
        """Lists senders in alphabetical order. The search also finds notes."""
        request = paging.alphabetical_page_request(limit, cursor)
        rows = await fetch_models(
            self._database,
            self._model,
            f"{self._name}_sender_page",
            workspace_id=actor.workspace_id,
            after=request.position,
            limit=request.row_limit,
            **sender_filter.parameters(),
        )
        return request.to_page(rows, lambda listed: listed.sender)

    async def list_all(self, workspace_id: str) -> builtins.list[S]:
        """Lists all senders in alphabetical order."""
        return await fetch_models(self._database, self._model, f"{self._name}_sender_list", workspace_id=workspace_id)

    async def delete(self, actor: Actor, sender: str) -> None:
        normalized = normalize_sender(sender)
        async with self._database.transaction() as transaction:
            if not await transaction.execute(
                f"{self._name}_sender_delete", workspace_id=actor.workspace_id, sender=normalized
            ):
                raise self._not_found()
            await transaction.execute("routing_increment_version")
            await audit.record(transaction, actor, self._clock.now(), self._actions[2], normalized)

    @abstractmethod
    def _details(self, listed: S) -> dict[str, object]:
        """Returns what the audit log has of an entry, beside its note."""

    async def _add_one(self, actor: Actor, sender: str, build: Callable[[str, Micros], S]) -> S:
        """Raises `conflict` if the sender is already listed or the limit is reached."""
        entry = build(normalize_new_sender(sender), self._clock.now())
        if (await self._insert(actor, [entry])).already_listed:
            raise Refused("conflict", f"{entry.sender} is already {self._name}", "sender")
        return entry

    async def _add_many(
        self, actor: Actor, senders: Sequence[str], build: Callable[[str, Micros], S]
    ) -> AddedSenders[S]:
        """Adds all senders or none. A sender that is already listed is no error and keeps its settings.

        Raises `conflict` if the limit is reached.
        """
        if not 1 <= len(senders) <= MAX_BATCH:
            raise Refused("invalid_request", f"senders must have 1 to {MAX_BATCH} entries", "senders")
        now = self._clock.now()
        return await self._insert(actor, [build(_normalize_listed(sender), now) for sender in senders])

    async def _insert(self, actor: Actor, entries: Sequence[S]) -> AddedSenders[S]:
        async with self._database.transaction() as transaction:
            return await self._insert_within(transaction, actor, entries)

    async def _insert_within(self, transaction: QueryExecutor, actor: Actor, entries: Sequence[S]) -> AddedSenders[S]:
        """Adds senders in the transaction of the caller."""
        by_sender = {entry.sender: entry for entry in entries}
        rows = [model_values(by_sender[sender]) for sender in sorted(by_sender)]  # two calls lock in the same order
        returned = await transaction.execute_statement(Statement(f"{self._name}_sender_insert", rows))
        inserted = {row["sender"] for row in returned}
        added = [entry for sender, entry in by_sender.items() if sender in inserted]
        if added:
            await self._check_limit(transaction, actor)
            await transaction.execute("routing_increment_version")
            described = {entry.sender: {**self._details(entry), "note": entry.note or None} for entry in added}
            await audit.record_many(transaction, actor, self._clock.now(), self._actions[0], described)
        return AddedSenders(tuple(added), tuple(sender for sender in by_sender if sender not in inserted))

    async def _check_limit(self, transaction: QueryExecutor, actor: Actor) -> None:
        row = await transaction.fetch_one(f"{self._name}_sender_count", workspace_id=actor.workspace_id)
        if row is not None and row["senders"] > MAX_LISTED:
            raise Refused(
                "conflict",
                f"The limit of {MAX_LISTED:,} {self._name} senders is reached: "
                "remove senders, or replace them with their domain or network",
            )

    async def _change(self, actor: Actor, sender: str, change: Callable[[S], S]) -> S:
        normalized = normalize_sender(sender)
        async with self._database.transaction() as transaction:
            found = await fetch_model(
                transaction,
                self._model,
                f"{self._name}_sender_get",
                workspace_id=actor.workspace_id,
                sender=normalized,
            )
            if found is None:
                raise self._not_found()
            changed = change(found)
            if changed != found:
                await transaction.execute(f"{self._name}_sender_update", **model_values(changed))
                await transaction.execute("routing_increment_version")
                before, after = ({**self._details(each), "note": each.note} for each in (found, changed))
                await audit.record(
                    transaction, actor, self._clock.now(), self._actions[1], normalized, before=before, **after
                )
        return changed

    def _not_found(self) -> Refused:
        return not_found_error(f"{self._name.capitalize()} sender")


def read_lines(text: str) -> list[str]:
    """Returns the senders of a text with one sender a line. Empty lines and lines that begin with `#` are ignored."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def validate_note(note: str) -> str:
    return validation.validate_line(note, "note", max_length=MAX_NOTE_LENGTH) if note.strip() else ""


def normalize_sender(sender: str) -> str:
    """Normalises an entry of a list, also of one that an earlier version stored."""
    return _normalize(sender, normalize_entry)


def normalize_new_sender(sender: str) -> str:
    return _normalize(sender, normalize_new_entry)


def _normalize(sender: str, normalize: Callable[[str], str]) -> str:
    line = validation.validate_line(sender, "sender", max_length=MAX_ENTRY_LENGTH)
    try:
        return normalize(line)
    except ValueError as error:
        raise Refused("invalid_request", f"sender {error}", "sender") from None


def _normalize_listed(sender: str) -> str:
    """Names the entry in the error, which would not be found among many."""
    try:
        return normalize_new_sender(sender)
    except Refused as refused:
        quoted = safe_line(sender)[:_MAX_QUOTED]
        problem = refused.message.removeprefix("sender ")
        raise Refused(refused.code, f"senders: {quoted!r} {problem}", "senders") from None
