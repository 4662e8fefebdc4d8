"""API calls for tickets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.route import Call, Route
from api.schema.messages import MessageAnswer
from api.schema.shape import Answer, Body, EmptyBody, NoQuery, PageParameters
from api.schema.tickets import (
    Assign,
    ClaimOptions,
    MyTicketListParameters,
    SpamChange,
    TicketAnswer,
    TicketClaimed,
    TicketDetail,
    TicketList,
    TicketListParameters,
    TicketMessages,
    TicketPageParameters,
    TicketSpam,
    UnassignedTicketListParameters,
    choice_answer,
    choice_change,
)
from router.choice import Choice
from router.enumerations import TICKET_CHOICES
from router.filters import ME, TicketFilter


async def list_page(call: Call[EmptyBody, TicketPageParameters]) -> TicketList:
    return await _list(call, _requested_filter(call))


async def list_mine(call: Call[EmptyBody, TicketPageParameters]) -> TicketList:
    return await _list(call, replace(_requested_filter(call), assigned_to=ME))


async def list_unassigned(call: Call[EmptyBody, TicketPageParameters]) -> TicketList:
    return await _list(call, replace(_requested_filter(call), unassigned=True))


async def show(call: Call[EmptyBody, NoQuery]) -> TicketDetail:
    return TicketDetail.from_view(await call.services.tickets.get(call.actor, call.ids["id"]))


async def list_messages(call: Call[EmptyBody, PageParameters]) -> TicketMessages:
    query = call.query
    page = await call.services.tickets.list_messages(call.actor, call.ids["id"], limit=query.limit, cursor=query.cursor)
    return TicketMessages(
        messages=[MessageAnswer.from_view(message) for message in page.items], next_cursor=page.next_cursor
    )


async def claim(call: Call[ClaimOptions, NoQuery]) -> TicketClaimed:
    claimed = await call.services.tickets.claim(call.actor, call.ids["id"], take_over=call.body.take_over)
    return TicketClaimed.from_model(claimed)


async def unclaim(call: Call[EmptyBody, NoQuery]) -> TicketClaimed:
    return TicketClaimed.from_model(await call.services.tickets.unclaim(call.actor, call.ids["id"]))


async def assign(call: Call[Assign, NoQuery]) -> TicketClaimed:
    return TicketClaimed.from_model(await call.services.tickets.assign(call.actor, call.ids["id"], call.body.user_id))


async def set_spam(call: Call[SpamChange, NoQuery]) -> TicketSpam:
    body = call.body
    return TicketSpam.from_model(
        await call.services.spam.mark(call.actor, call.ids["id"], spam=body.spam, block=body.block)
    )


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.tickets.delete(call.actor, call.ids["id"])


def _requested_filter(call: Call[EmptyBody, TicketPageParameters]) -> TicketFilter:
    return TicketFilter.from_query(call.query.model_dump(by_alias=True))


async def _list(call: Call[EmptyBody, TicketPageParameters], ticket_filter: TicketFilter) -> TicketList:
    query = call.query
    page = await call.services.tickets.lists.list(
        call.actor, ticket_filter, sort=query.sort, limit=query.limit, cursor=query.cursor
    )
    return TicketList(
        tickets=[TicketAnswer.from_model(ticket) for ticket in page.items],
        next_cursor=page.next_cursor,
        incomplete=page.is_incomplete,
    )


def _choice_route(choice: Choice[Any]) -> Route:
    """Returns the call that sets a field of a ticket."""
    answer = choice_answer(choice)

    async def set_choice(call: Call[Body, NoQuery]) -> Answer:
        value = getattr(call.body, choice.name)
        return answer.from_model(await call.services.tickets.set_choice(call.actor, call.ids["id"], choice, value))

    return Route(
        "POST",
        f"/emails/tickets/{{id}}/{choice.name}",
        f"setTicket{choice.name.capitalize()}",
        set_choice,
        f"Set the {choice.name} of a ticket",
        "agent",
        answer,
        body=choice_change(choice),
        errors=(choice.code,),
    )


ROUTES = (
    Route(
        "GET",
        "/emails/tickets",
        "listTickets",
        list_page,
        "List tickets",
        "viewer",
        TicketList,
        query=TicketListParameters,
        errors=("invalid_status",),
    ),
    Route(
        "GET",
        "/emails/tickets/mine",
        "listMyTickets",
        list_mine,
        "List tickets assigned to you",
        "viewer",
        TicketList,
        query=MyTicketListParameters,
        errors=("invalid_status",),
    ),
    Route(
        "GET",
        "/emails/tickets/unassigned",
        "listUnassignedTickets",
        list_unassigned,
        "List unassigned tickets",
        "viewer",
        TicketList,
        query=UnassignedTicketListParameters,
        errors=("invalid_status",),
    ),
    Route(
        "GET",
        "/emails/tickets/{id}",
        "getTicket",
        show,
        "Get a ticket",
        "viewer",
        TicketDetail,
    ),
    Route(
        "GET",
        "/emails/tickets/{id}/messages",
        "listTicketMessages",
        list_messages,
        "List the messages of a ticket",
        "viewer",
        TicketMessages,
        query=PageParameters,
    ),
    Route(
        "DELETE",
        "/emails/tickets/{id}",
        "deleteTicket",
        delete,
        "Erase a ticket",
        "admin",
        status=204,
    ),
    Route(
        "POST",
        "/emails/tickets/{id}/claim",
        "claimTicket",
        claim,
        "Claim a ticket",
        "agent",
        TicketClaimed,
        body=ClaimOptions,
        errors=("already_claimed", "not_open"),
    ),
    Route(
        "POST",
        "/emails/tickets/{id}/unclaim",
        "unclaimTicket",
        unclaim,
        "Unassign a ticket",
        "agent",
        TicketClaimed,
        errors=("not_open",),
    ),
    Route(
        "POST",
        "/emails/tickets/{id}/assign",
        "assignTicket",
        assign,
        "Assign a ticket to a user",
        "agent",
        TicketClaimed,
        body=Assign,
        errors=("not_open",),
    ),
    *(_choice_route(choice) for choice in TICKET_CHOICES),
    Route(
        "POST",
        "/emails/tickets/{id}/spam",
        "setTicketSpam",
        set_spam,
        "Mark a ticket as spam, or release it",
        "agent",
        TicketSpam,
        body=SpamChange,
        errors=("conflict",),
    ),
)
