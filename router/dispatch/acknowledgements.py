"""Acknowledges new tickets, once their messages are checked.

The acknowledgement is written in the transaction that removes the ticket from the queue, so a crash neither loses nor
repeats it. A fault omits it: a customer can do without.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from router.checks import results
from router.clock import Clock
from router.errors import Refused, Unavailable
from router.mail.mailboxes import domains_of, normalize_address
from router.model import Alias, Message, Template, Ticket
from router.replies.acknowledgement import HOUR, MAX_PER_HOUR, MAX_WAIT, SENDER_PERIOD, NewTicket, find_objection
from router.replies.build import ReplyAddress, ReplyAuthor, ReplyBuilder, ReplyMail
from router.replies.new_reply import NewReply, insert_reply
from router.replies.placeholder_values import read_values
from router.replies.templates import render_template
from router.store.database import Database, Row, fetch_model, run_statements

# Tickets of one run. The next one follows within seconds.
BATCH = 100
_AUTHOR = ReplyAuthor("system")

log = structlog.get_logger()


class Acknowledgements:
    """Decides and writes acknowledgements. Several processes may run it at the same time.

    Args:
        wake: Called after a reply was queued.
        link_base: The public URL of the dashboard.
        has_checks: Whether senders are checked, so that their results are waited for.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        builder: ReplyBuilder,
        wake: Callable[[], None],
        *,
        link_base: str | None,
        has_checks: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._builder = builder
        self._wake = wake
        self._link_base = link_base
        self._has_checks = has_checks

    async def send_due(self) -> int:
        """Acknowledges the tickets that are due; returns their number. Raises `Unavailable`."""
        now = self._clock.now()
        due = await self._database.fetch_all(
            "acknowledgement_due", has_checks=int(self._has_checks), overdue=now - MAX_WAIT, limit=BATCH
        )
        sent = 0
        for row in due:
            try:
                sent += await self._handle(row)
            except Unavailable:
                raise
            except Exception:  # the others are not held up
                log.exception("acknowledgement.internal_error", ticket_id=row["ticket_id"])
                await self._drop(row, "internal error")
        if sent:
            self._wake()
        return sent

    async def _handle(self, row: Row) -> bool:
        if row["queued_at"] < self._clock.now() - MAX_WAIT:
            return await self._drop(row, "it is too late")
        new = await self._read(row)
        if new is None:
            return await self._drop(row, "the ticket was erased")
        objection = find_objection(new)
        if objection:
            return await self._drop(row, objection)
        try:
            return await self._write(row, new, await self._compose(new))
        except Refused as refused:  # such as: sending is not set up
            return await self._drop(row, refused.message)

    async def _read(self, row: Row) -> NewTicket | None:
        workspace_id = row["workspace_id"]
        ticket = await fetch_model(
            self._database, Ticket, "ticket_by_id", id=row["ticket_id"], workspace_id=workspace_id
        )
        message = await fetch_model(
            self._database, Message, "message_by_id", id=row["message_id"], workspace_id=workspace_id
        )
        facts = await self._database.fetch_one(
            "acknowledgement_facts", ticket_id=row["ticket_id"], message_id=row["message_id"]
        )
        if ticket is None or message is None or facts is None:
            return None
        alias = None
        if ticket.alias_id is not None:
            alias = await fetch_model(
                self._database, Alias, "alias_by_id", id=ticket.alias_id, workspace_id=workspace_id
            )
        checks = await self._database.fetch_one("acknowledgement_checks", message_id=row["message_id"])
        return NewTicket(
            ticket=ticket,
            message=message,
            alias=alias,
            checks=None if checks is None else results.from_row(checks),
            is_own_domain=await self._is_own(message.from_address),
            is_answered=bool(facts["is_answered"]),
            has_warning=bool(facts["has_warning"]),
        )

    async def _is_own(self, address: str) -> bool:
        """Whether the address is at an active domain of the installation, or below one."""
        for domain in domains_of([("", address)]):
            labels = domain.split(".")
            for start in range(len(labels)):
                if await self._database.fetch_one("acknowledgement_domain", name=".".join(labels[start:])):
                    return True
        return False

    async def _compose(self, new: NewTicket) -> NewReply:
        ticket, message, alias = new.ticket, new.message, new.alias
        template = None
        if alias is not None:
            template = await fetch_model(
                self._database,
                Template,
                "template_by_id",
                id=alias.acknowledge_template_id,
                workspace_id=ticket.workspace_id,
            )
        if template is None:
            raise Refused("not_found", "the template was deleted")
        values = await read_values(self._database, ticket.workspace_id, ticket.id, agent="", link_base=self._link_base)
        rendered = render_template(template, values or {})
        mail = ReplyMail(
            recipients=(ReplyAddress(message.from_address, message.from_name),),
            text=rendered.text,
            html=rendered.html,
            subject=rendered.subject or None,
            quote=False,
            kind="acknowledgement",
            send_at=self._clock.now(),
        )
        return await self._builder.build(ticket, mail, _AUTHOR)

    async def _write(self, row: Row, new: NewTicket, reply: NewReply) -> bool:
        """Queues the reply, unless a limit is reached or another process was faster.

        Locks the ticket before the workspace, like the accept transaction.
        """
        now, workspace_id = self._clock.now(), new.ticket.workspace_id
        async with self._database.transaction() as transaction:
            await transaction.fetch_one("ticket_lock", id=row["ticket_id"], workspace_id=workspace_id)
            await transaction.fetch_one("workspace_lock", id=workspace_id)
            if not await transaction.execute("acknowledgement_dequeue", ticket_id=row["ticket_id"]):
                return False
            sent = await transaction.fetch_one(
                "acknowledgement_count", workspace_id=workspace_id, since=now - HOUR, limit=MAX_PER_HOUR
            )
            objection = ""
            if sent is not None and sent["acknowledgements"] >= MAX_PER_HOUR:
                objection = "the limit for an hour is reached"
            elif not await transaction.execute(
                "acknowledgement_record",
                workspace_id=workspace_id,
                address_key=normalize_address(new.message.from_address),
                now=now,
                since=now - SENDER_PERIOD,
            ):
                objection = "the sender got an acknowledgement in the last 24 hours"
            else:
                await run_statements(transaction, insert_reply(reply))
        self._log(row, objection)
        return not objection

    async def _drop(self, row: Row, objection: str) -> bool:
        await self._database.execute("acknowledgement_dequeue", ticket_id=row["ticket_id"])
        self._log(row, objection)
        return False

    def _log(self, row: Row, objection: str) -> None:
        facts = {"ticket_id": row["ticket_id"], "message_id": row["message_id"]}
        if objection:
            log.info("acknowledgement.omitted", reason=objection, **facts)
        else:
            log.info("acknowledgement.queued", **facts)
