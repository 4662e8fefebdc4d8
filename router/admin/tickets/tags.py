"""Tags of tickets: agents add and remove them; admins rename, colour, merge and delete them.

The names of a workspace's tags are unique regardless of case. Adding an unknown name to a ticket creates the tag.
Renaming, deleting or merging a tag changes its tickets or their posts in several short transactions, so an interruption
leaves a part of them unchanged. The same request then does the rest; maintenance also finishes a rename. The first
transaction of a merge stores its target in the tag. From then on no ticket gets the tag, and other merges of the two
are refused, so each merge ends.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from router import ids
from router.admin import audit, paging, ticket_events, validation
from router.admin.fetch import fetch_by_id
from router.admin.paging import DEFAULT_LIMIT, Page, PageRequest
from router.admin.tickets import tag_merges, tag_renames
from router.admin.tickets.tag_names import TagsChange, validate_color, validate_name
from router.admin.tickets.tag_rows import (
    MAX_COUNTED,
    CountedTag,
    counted_tag,
    find_by_key,
    lock,
    lock_by_keys,
    read_tags,
    update,
)
from router.clock import Clock
from router.errors import Refused, not_found_error
from router.filters import TextFilter
from router.model import Actor, Ticket, TicketEvent
from router.store import batches
from router.store.database import (
    Database,
    QueryExecutor,
    Row,
    model_from_row,
    retry_on_conflict,
    run_statements,
)
from router.store.fragments import model_values
from router.store.post_updates import queue_updates
from router.tag import Tag, caseless_key

MAX_TAGS_OF_TICKET = 20
_ALL_TAGS = TextFilter()
MAX_TAGS = 1000  # for each workspace
BATCH_TICKETS = 500  # tickets that one transaction changes
_TicketsChange = Callable[[QueryExecutor, str], Awaitable[None]]  # the ids of the tickets are JSON


class TagService:
    """Manages the tags of the actor's workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self,
        actor: Actor,
        tag_filter: TextFilter = _ALL_TAGS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[CountedTag]:
        """Lists the tags in alphabetical order, with the number of their tickets."""
        request = paging.alphabetical_page_request(limit, cursor)
        rows = await self._fetch_page(actor, request, max_counted=MAX_COUNTED, **tag_filter.parameters())
        return request.to_page([counted_tag(row) for row in rows], lambda counted: counted.tag.name_key)

    async def list_uncounted(self, actor: Actor, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[Tag]:
        """Lists the tags in alphabetical order. Reads no tickets."""
        request = paging.alphabetical_page_request(limit, cursor)
        rows = await self._fetch_page(actor, request)
        return request.to_page([model_from_row(Tag, row) for row in rows], lambda tag: tag.name_key)

    async def get(self, actor: Actor, tag_id: str) -> CountedTag:
        found = await self._find_by_id(actor, validation.validate_id(tag_id, "tag", "Tag"))
        if found is None:
            raise not_found_error("Tag")
        return found

    async def find(self, actor: Actor, name_or_id: str) -> CountedTag:
        """Returns the tag with an id or a name. The name of another tag may equal an id, which takes precedence."""
        found = None
        if ids.is_well_formed(name_or_id, "tag"):
            found = await self._find_by_id(actor, name_or_id)
        found = found or await find_by_key(self._database, actor, caseless_key(name_or_id))
        if found is None:
            raise not_found_error("Tag")
        return found

    @retry_on_conflict
    async def create(self, actor: Actor, name: str, color: str = "") -> Tag:
        """Creates a tag. Raises `conflict` if the workspace has a tag with this name, or too many tags."""
        valid_name, valid_color = validate_name(name, "name"), validate_color(color)
        async with self._database.transaction() as transaction:
            created = await self._create(transaction, actor, [valid_name], valid_color)
            if not created:
                raise Refused("conflict", f"The tag {valid_name} already exists", "name")
            (tag,) = created
            await audit.record(transaction, actor, tag.created_at, "tag.create", tag.id, name=tag.name, color=tag.color)
        return tag

    async def change(
        self, actor: Actor, tag_id: str, *, name: str | None = None, color: str | None = None
    ) -> CountedTag:
        """Renames or colours a tag. The name of another tag merges this tag into the other one, which is returned.

        Raises:
            Refused: `conflict` if the name would need a merge of a tag that takes part in another merge.
        """
        valid_name = None if name is None else validate_name(name, "name")
        valid_color = None if color is None else validate_color(color)
        other = await self._rename(actor, tag_id, valid_name, valid_color)
        if other is not None:
            await self._replace(actor, tag_id, other.id)
            await self._finish_merge(actor, tag_id, other.id, valid_color)
            return await self.get(actor, other.id)
        await self._finish_rename(tag_id)
        return await self.get(actor, tag_id)

    async def finish_renames(self) -> None:
        """Finishes the renames that were interrupted, in all workspaces."""
        for tag_id in await tag_renames.list_unfinished(self._database):
            await self._finish_rename(tag_id)

    async def delete(self, actor: Actor, tag_id: str) -> None:
        """Deletes a tag and removes it from its tickets."""
        await self.get(actor, tag_id)
        is_deleted = False
        while not is_deleted:  # again only if agents added the tag to tickets meanwhile
            await self._replace(actor, tag_id, None)
            is_deleted = await self._finish_deletion(actor, tag_id)

    @retry_on_conflict
    async def tag_ticket(
        self, actor: Actor, ticket_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> tuple[Tag, ...]:
        """Adds tags to a ticket and removes others. Returns the tags of the ticket in alphabetical order.

        Raises:
            Refused: `invalid_request` for an invalid name, a name in both lists, or too many tags.
        """
        change = TagsChange.parse(add=add, remove=remove)
        async with self._database.transaction() as transaction:
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            tags, _ = await self.change_locked(transaction, actor, ticket, change)
        return tags

    async def change_locked(
        self, transaction: QueryExecutor, actor: Actor, ticket: Ticket, change: TagsChange
    ) -> tuple[tuple[Tag, ...], TicketEvent | None]:
        """Changes the tags of a locked ticket. Returns its tags, and the event if they changed."""
        current = (await read_tags(transaction, [ticket.id])).get(ticket.id, ())
        gone = [tag for tag in current if tag.name_key in change.removed]
        kept = {tag.name_key: tag for tag in current if tag not in gone}
        missing = {key: name for key, name in change.added.items() if key not in kept}
        if len(kept) + len(missing) > MAX_TAGS_OF_TICKET:
            raise Refused("invalid_request", f"A ticket must not have more than {MAX_TAGS_OF_TICKET} tags", "add")
        required = await self._require(transaction, actor, missing)
        new = [tag for tag in required if tag.name_key not in kept]
        event = await self._record_change(transaction, actor, ticket, new, gone) if gone or new else None
        return tuple(sorted([*kept.values(), *new], key=lambda tag: tag.name_key)), event

    async def attach(self, tickets: Iterable[Ticket]) -> tuple[Ticket, ...]:
        """Returns the tickets with their tags, which one query reads."""
        given = tuple(tickets)
        tags = await read_tags(self._database, [ticket.id for ticket in given]) if given else {}
        return tuple(replace(ticket, tags=tags.get(ticket.id, ())) for ticket in given)

    async def _fetch_page(self, actor: Actor, request: PageRequest, **values: object) -> Sequence[Row]:
        return await self._database.fetch_all(
            "tag_page", workspace_id=actor.workspace_id, after=request.position, limit=request.row_limit, **values
        )

    async def _find_by_id(self, actor: Actor, tag_id: str) -> CountedTag | None:
        row = await self._database.fetch_one(
            "tag_by_id", id=tag_id, workspace_id=actor.workspace_id, max_counted=MAX_COUNTED
        )
        return None if row is None else counted_tag(row)

    async def _record_change(
        self, transaction: QueryExecutor, actor: Actor, ticket: Ticket, new: Sequence[Tag], gone: Sequence[Tag]
    ) -> TicketEvent:
        id_list = json.dumps([ticket.id])
        for query, tags in (("tag_remove_from_tickets", gone), ("tag_add_to_tickets", new)):
            for tag in tags:
                await transaction.execute(query, tag_id=tag.id, ids=id_list)
        now = self._clock.now()
        await transaction.execute("tag_update_ticket_times", ids=id_list, now=now)
        names = {"added": [tag.name for tag in new] or None, "removed": [tag.name for tag in gone] or None}
        return await ticket_events.record(transaction, actor, ticket.id, now, "ticket.tags_changed", **names)

    async def _require(self, transaction: QueryExecutor, actor: Actor, names: Mapping[str, str]) -> Sequence[Tag]:
        """Returns the tags with the given names, by key; creates those that do not exist.

        A tag that is being merged is replaced by the target of the merge.
        """
        if not names:
            return []
        found = await lock_by_keys(transaction, actor, names)
        unknown = names.keys() - {tag.name_key for tag in found}
        if unknown:
            await self._create(transaction, actor, [names[key] for key in sorted(unknown)])
            found = await lock_by_keys(transaction, actor, names)
        return await tag_merges.lock_targets(transaction, actor, found)

    async def _create(
        self, transaction: QueryExecutor, actor: Actor, names: Sequence[str], color: str = ""
    ) -> Sequence[Tag]:
        """Creates the tags that do not exist. Locks the workspace, so that the limit of tags holds."""
        await transaction.fetch_one("workspace_lock", id=actor.workspace_id)
        row = await transaction.fetch_one("tag_count", workspace_id=actor.workspace_id)
        if row is not None and row["tags"] + len(names) > MAX_TAGS:
            raise Refused("conflict", f"A workspace must not have more than {MAX_TAGS} tags: delete or merge tags")
        now = self._clock.now()
        tags = [Tag(ids.new_id("tag"), actor.workspace_id, name, caseless_key(name), color, now) for name in names]
        return [tag for tag in tags if await transaction.execute("tag_insert", **model_values(tag))]

    @retry_on_conflict
    async def _rename(self, actor: Actor, tag_id: str, name: str | None, color: str | None) -> Tag | None:
        """Changes a tag, unless another tag has the name: begins to merge it into the other one, which is returned."""
        validation.validate_id(tag_id, "tag", "Tag")
        async with self._database.transaction() as transaction:
            tag = await lock(transaction, actor, tag_id)
            # Until the commit, no tag with the name is created, and no other merge begins.
            await transaction.fetch_one("workspace_lock", id=actor.workspace_id)
            changed = replace(
                tag,
                name=tag.name if name is None else name,
                name_key=tag.name_key if name is None else caseless_key(name),
                color=tag.color if color is None else color,
            )
            other = await find_by_key(transaction, actor, changed.name_key, max_counted=1)
            if other is not None and other.tag.id != tag.id:
                await tag_merges.begin(transaction, actor, tag, other.tag)
                return other.tag
            if changed.name_key != tag.name_key:
                await tag_merges.require_none(transaction, actor, tag)
            if changed != tag:
                await update(transaction, changed)
                if changed.name != tag.name:
                    await tag_renames.begin(transaction, tag.id)
                await audit.record(
                    transaction,
                    actor,
                    self._clock.now(),
                    "tag.change",
                    tag.id,
                    name=changed.name,
                    color=changed.color,
                    before={"name": tag.name, "color": tag.color},
                )
        return None

    @retry_on_conflict
    async def _finish_merge(self, actor: Actor, tag_id: str, other_id: str, color: str | None) -> None:
        """Deletes a tag that was merged, and colours the other one."""
        async with self._database.transaction() as transaction:
            locked = {each: await lock(transaction, actor, each) for each in sorted((tag_id, other_id))}
            tag, other = locked[tag_id], locked[other_id]
            if color is not None:
                await update(transaction, replace(other, color=color))
            await transaction.execute("tag_delete", id=tag.id)
            details = {"name": tag.name, "into": other.name, "color": color}
            await audit.record(transaction, actor, self._clock.now(), "tag.merge", other.id, **details)

    @retry_on_conflict
    async def _finish_deletion(self, actor: Actor, tag_id: str) -> bool:
        """Deletes a tag. Returns False if it has tickets again."""
        async with self._database.transaction() as transaction:
            tag = await lock(transaction, actor, tag_id)
            if await transaction.fetch_one("tag_first_ticket", tag_id=tag.id) is not None:
                return False
            await transaction.execute("tag_delete", id=tag.id)
            await audit.record(transaction, actor, self._clock.now(), "tag.delete", tag.id, name=tag.name)
        return True

    async def _replace(self, actor: Actor, tag_id: str, into: str | None) -> None:
        """Removes a tag from its tickets, and adds the tag `into` to them."""

        async def change(transaction: QueryExecutor, id_list: str) -> None:
            if into is not None:
                await lock(transaction, actor, into)
                await transaction.execute("tag_copy", tag_id=tag_id, into=into, ids=id_list)
            await transaction.execute("tag_remove_from_tickets", tag_id=tag_id, ids=id_list)
            await transaction.execute("tag_update_ticket_times", ids=id_list, now=self._clock.now())

        await self._change_tickets(tag_id, change)

    async def _finish_rename(self, tag_id: str) -> None:
        """Queues the updates of the posts of a renamed tag's tickets, unless that has been done."""
        rename = await tag_renames.find(self._database, tag_id)
        if rename is None:
            return

        async def change(transaction: QueryExecutor, id_list: str) -> None:
            pass  # the posts show what has changed before

        await self._change_tickets(tag_id, change)
        await tag_renames.end(self._database, tag_id, rename)

    async def _change_tickets(self, tag_id: str, change: _TicketsChange) -> None:
        """Changes the tickets of a tag in batches, and queues the updates of their posts."""
        after = await self._change_batch(tag_id, "", change)
        while after is not None:
            await batches.pause()
            after = await self._change_batch(tag_id, after, change)

    @retry_on_conflict
    async def _change_batch(self, tag_id: str, after: str, change: _TicketsChange) -> str | None:
        """Changes the first tickets after an id. Returns the id for the next batch, if any."""
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch_all("tag_tickets", tag_id=tag_id, after=after, limit=BATCH_TICKETS)
            ticket_ids = [row["id"] for row in rows]
            if ticket_ids:
                await change(transaction, json.dumps(ticket_ids))
            await run_statements(transaction, queue_updates(ticket_ids, self._clock.now()))
        return ticket_ids[-1] if len(ticket_ids) == BATCH_TICKETS else None
