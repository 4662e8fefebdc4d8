"""Reads the data for a routing decision from the database, without a cache."""

from __future__ import annotations

from router.mail.address import Mailbox
from router.model import Alias, Domain
from router.reply_tokens import find_bounce_token
from router.routing.route import DomainFacts, ReplyToken, candidate_keys
from router.routing.sender_lists import AllowEntry, BlockEntry, SenderLists
from router.store.database import QueryExecutor, Row, fetch_models, model_from_row


async def read_domain_facts(transaction: QueryExecutor, mailbox: Mailbox) -> DomainFacts:
    """Reads the domain of the mailbox and, if the domain is active, the candidate aliases."""
    row = await transaction.fetch_one("routing_domain", name=mailbox.domain_key)
    if row is None:
        return DomainFacts(None)
    domain = model_from_row(Domain, row)
    if domain.status != "active":
        return DomainFacts(domain)
    key, answered, base, catch_all = candidate_keys(mailbox)
    aliases = await fetch_models(
        transaction,
        Alias,
        "routing_aliases",
        domain_id=domain.id,
        key=key,
        answered=answered,
        base=base,
        catch_all=catch_all,
    )
    token = find_bounce_token(mailbox.local_part)
    reply_token = (await read_reply_token(transaction, token)) if token else None
    return DomainFacts(domain, aliases, row["default_integration_id"], reply_token)


async def read_reply_token(transaction: QueryExecutor, token: str) -> ReplyToken | None:
    row = await transaction.fetch_one("reply_token", token=token)
    return None if row is None else reply_token_from_row(row)


def reply_token_from_row(row: Row) -> ReplyToken:
    return model_from_row(ReplyToken, row)


async def read_sender_lists(transaction: QueryExecutor, workspace_id: str) -> SenderLists:
    rows = await transaction.fetch_all("sender_lists", workspace_id=workspace_id)
    return SenderLists(
        (AllowEntry(row["sender"], bool(row["require_auth"])) for row in rows if row["action"] is None),
        (BlockEntry(row["sender"], row["action"]) for row in rows if row["action"] is not None),
    )


async def read_active_domains(transaction: QueryExecutor, workspace_id: str) -> frozenset[str]:
    """Returns the names of the active domains of a workspace, in A-labels."""
    rows = await transaction.fetch_all("routing_active_domains", workspace_id=workspace_id)
    return frozenset(row["name"] for row in rows)
