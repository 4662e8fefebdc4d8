"""API calls for tags, and for the tags of tickets."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from api.schema.tags import TagAnswer, TagChange, TagList, TagListParameters, TicketTags, TicketTagsChange
from router.filters import TextFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> TagList:
    query = call.query
    wanted = TextFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.tickets.tags.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return TagList(tags=[TagAnswer.from_counted(counted) for counted in page.items], next_cursor=page.next_cursor)


async def change(call: Call[TagChange, NoQuery]) -> TagAnswer:
    changed = await call.services.tickets.tags.change(
        call.actor, call.ids["id"], name=call.body.name, color=call.body.color
    )
    return TagAnswer.from_counted(changed)


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.tickets.tags.delete(call.actor, call.ids["id"])


async def tag_ticket(call: Call[TicketTagsChange, NoQuery]) -> TicketTags:
    ticket_id = await call.services.tickets.find_id(call.actor, call.ids["id"])
    tags = await call.services.tickets.tags.tag_ticket(
        call.actor, ticket_id, add=call.body.add, remove=call.body.remove
    )
    return TicketTags.from_tags(ticket_id, tags)


ROUTES = (
    Route("GET", "/tags", "listTags", list_page, "List tags", "viewer", TagList, query=TagListParameters),
    Route(
        "PATCH",
        "/tags/{id}",
        "updateTag",
        change,
        "Rename, colour or merge a tag",
        "admin",
        TagAnswer,
        body=TagChange,
        errors=("conflict",),
    ),
    Route("DELETE", "/tags/{id}", "deleteTag", delete, "Delete a tag", "admin", status=204),
    Route(
        "POST",
        "/emails/tickets/{id}/tags",
        "updateTicketTags",
        tag_ticket,
        "Add and remove tags of a ticket",
        "agent",
        TicketTags,
        body=TicketTagsChange,
        errors=("conflict",),
    ),
)
