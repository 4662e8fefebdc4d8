"""API calls for replies to customers."""

from __future__ import annotations

from api.route import Call, FileForm, Route
from api.schema.replies import (
    ReplyAnswer,
    ReplyCanceled,
    ReplyCreate,
    ReplyCreated,
    ReplyDetail,
    ReplyList,
    ReplyListParameters,
    ReplyRetry,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.admin.paging import Page
from router.admin.replies.reply_request import MAX_ATTACHMENTS
from router.admin.tickets.reply_views import ReplyView
from router.filters import ReplyFilter


async def create(call: Call[ReplyCreate, NoQuery]) -> ReplyCreated:
    request = call.body.to_request([upload.id for upload in call.uploads])
    return ReplyCreated.from_view(await call.services.replies.create(call.actor, call.ids["id"], request))


async def list_by_ticket(call: Call[EmptyBody, PageParameters]) -> ReplyList:
    query = call.query
    return _list(
        await call.services.replies.list_by_ticket(
            call.actor, call.ids["id"], state=_state(query), limit=query.limit, cursor=query.cursor
        )
    )


async def list_outbox(call: Call[EmptyBody, PageParameters]) -> ReplyList:
    query = call.query
    return _list(
        await call.services.replies.list_outbox(call.actor, state=_state(query), limit=query.limit, cursor=query.cursor)
    )


async def show(call: Call[EmptyBody, NoQuery]) -> ReplyDetail:
    return ReplyDetail.from_view(await call.services.replies.get(call.actor, call.ids["id"]))


async def cancel(call: Call[EmptyBody, NoQuery]) -> ReplyCanceled:
    return ReplyCanceled.from_model((await call.services.replies.cancel(call.actor, call.ids["id"])).reply)


async def retry(call: Call[ReplyRetry, NoQuery]) -> ReplyDetail:
    body = call.body
    return ReplyDetail.from_view(
        await call.services.replies.retry(call.actor, call.ids["id"], body.to, force=body.force)
    )


def _state(query: PageParameters) -> str | None:
    return ReplyFilter.from_query(query.model_dump(by_alias=True)).state


def _list(page: Page[ReplyView]) -> ReplyList:
    return ReplyList(replies=[ReplyAnswer.from_view(view) for view in page.items], next_cursor=page.next_cursor)


ROUTES = (
    Route(
        "POST",
        "/emails/tickets/{id}/replies",
        "replyToTicket",
        create,
        "Reply to a ticket",
        "agent",
        ReplyCreated,
        body=ReplyCreate,
        status=202,
        creates=True,
        errors=(
            "sending_not_set_up",
            "newer_message",
            "no_recipient",
            "invalid_recipient",
            "invalid_status",
            "payload_too_large",
        ),
        form=FileForm(MAX_ATTACHMENTS, "reply"),
    ),
    Route(
        "GET",
        "/emails/tickets/{id}/replies",
        "listTicketReplies",
        list_by_ticket,
        "List the replies of a ticket",
        "viewer",
        ReplyList,
        query=ReplyListParameters,
    ),
    Route(
        "GET",
        "/replies",
        "listReplies",
        list_outbox,
        "List replies",
        "viewer",
        ReplyList,
        query=ReplyListParameters,
    ),
    Route("GET", "/replies/{id}", "getReply", show, "Get a reply with its attempts", "viewer", ReplyDetail),
    Route(
        "DELETE",
        "/replies/{id}",
        "cancelReply",
        cancel,
        "Cancel a queued reply",
        "agent",
        ReplyCanceled,
        errors=("already_sent",),
    ),
    Route(
        "POST",
        "/replies/{id}/retry",
        "retryReply",
        retry,
        "Send a reply again",
        "agent",
        ReplyDetail,
        body=ReplyRetry,
        status=202,
        errors=("conflict", "sending_not_set_up", "no_recipient", "invalid_recipient"),
    ),
)
