"""Replies in every state, without a smarthost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config import smarthost_url
from router.admin.replies.reply_request import ReplyRequest
from router.admin.tickets.reply_views import ReplyView
from router.enumerations import ReplyState
from router.model import Actor
from router.replies import sealed_smarthost
from router.replies.state import aggregate
from tests.support.installation.installation import Installation


@dataclass(frozen=True)
class Outcome:
    """The state of a recipient, and the last answer about it."""

    state: ReplyState
    code: int | None = None
    text: str = ""


async def allow_sending(installation: Installation) -> None:
    """Lets all domains send replies, as if DNS showed their records.

    Without a smarthost in the settings, they have one of their own, at which nothing listens.
    """
    await installation.execute("UPDATE domains SET sending = 'active'")
    if installation.core.config.outgoing.smarthost is None:
        sealed = sealed_smarthost.seal(installation.core.box, smarthost_url.parse("smtp://smarthost.test:587"), None)
        await installation.execute("UPDATE domains SET encrypted_smarthost = :sealed", sealed=sealed)


async def add_reply(
    installation: Installation,
    actor: Actor,
    ticket_id: str,
    text: str = "We are on it.",
    outcomes: Mapping[str, Outcome] | None = None,
    **request: Any,
) -> ReplyView:
    """Creates a reply, which stays queued without `outcomes`. These have the states of all its recipients."""
    replies = installation.services.replies
    view = await replies.create(actor, ticket_id, ReplyRequest(text=text, **request))
    if outcomes is None:
        return view
    for address, outcome in outcomes.items():
        values = {"id": view.reply.id, "address": address, "now": installation.clock.now(), **vars(outcome)}
        await installation.execute(
            "UPDATE reply_recipients SET state = :state, code = :code, text = :text, at = :now"
            " WHERE reply_id = :id AND address = :address",
            **values,
        )
    ended = [address for address, outcome in outcomes.items() if outcome.state not in ("queued", "retrying")]
    for address in ended:
        await installation.execute(
            "UPDATE deliveries SET state = 'delivered', delivered_at = :now, next_attempt_at = NULL"
            " WHERE id IN (SELECT delivery_id FROM reply_recipients WHERE reply_id = :id AND address = :address)",
            id=view.reply.id,
            address=address,
            now=installation.clock.now(),
        )
    state = aggregate(outcome.state for outcome in outcomes.values())
    await installation.execute("UPDATE replies SET state = :state WHERE id = :id", state=state, id=view.reply.id)
    return await replies.get(actor, view.reply.id)
