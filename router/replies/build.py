"""Composes a reply for a ticket: the content, its identities and its recipients. Writes nothing.

The quoted message, the signature and the references come from the database, and the rest from the caller.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from router import ids, reply_tokens
from router.clock import Clock
from router.contents.store import ContentStore
from router.enumerations import ActorType, RecipientField, ReplyKind, TicketStatus
from router.errors import Refused, not_found_error
from router.mail.compose.files import OutgoingFile
from router.mail.compose.mail import ComposedMail, OutgoingMail, compose
from router.mail.compose.quote import Quote
from router.mail.compose.references import build_references
from router.mail.compose.sender_name import build_sender_name
from router.mail.compose.subject import reply_subject
from router.mail.contents import NamedMailbox
from router.mail.mailboxes import normalize_address
from router.model import Message, Micros, ReplyRecipient, Ticket, TicketReply, Workspace
from router.ports import RecipientResolver
from router.replies import placeholders
from router.replies.answered_message import TicketMail, choose_answered, read_conversation_ids, read_received
from router.replies.new_reply import NewReply
from router.replies.placeholder_values import read_values
from router.replies.sender import ReplySender, find_sender
from router.replies.sending import SendingReader
from router.secrets import SecretBox
from router.store.database import Database, fetch_model


@dataclass(frozen=True, slots=True)
class ReplyAuthor:
    """Who sends a reply. `name` is shown in From."""

    actor_type: ActorType
    actor_id: str | None = None
    user_id: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """A recipient of a reply."""

    address: str
    name: str = ""
    field: RecipientField = "to"

    @property
    def mailbox(self) -> NamedMailbox:
        return NamedMailbox(self.address, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMail:
    """What a reply consists of.

    Attributes:
        subject: None for that of the newest message, with `Re: `.
        text: The text without quoted text and signature.
        html: The same as HTML, or `""`. It is cleaned.
        quote: Whether the newest message of the customer is quoted.
        kind: An acknowledgement is marked as automatic, and has neither a signature nor a quote.
        ticket_status: The status that the ticket takes when the reply leaves the state `queued`.
        draft: What the author wrote, as JSON, for the draft after it was canceled.
    """

    recipients: Sequence[ReplyAddress]
    text: str
    html: str = ""
    subject: str | None = None
    quote: bool = True
    files: Sequence[OutgoingFile] = ()
    kind: ReplyKind = "reply"
    ticket_status: TicketStatus | None = None
    draft: str = "{}"
    send_at: Micros


@dataclass(frozen=True, slots=True)
class ReplyFrame:
    """What the ticket adds to a reply.

    Attributes:
        from_name: The name in From.
        answered: The mail that is answered and quoted.
        signature: That of the alias, without placeholders.
    """

    sender: ReplySender
    workspace: Workspace
    from_name: str
    subject: str
    answered: TicketMail | None
    signature: str


class ReplyBuilder:
    """Composes the replies of people, and acknowledgements.

    Args:
        link_base: The public URL of the dashboard, for placeholders.
        max_age: How long the mail is retried.
    """

    def __init__(
        self,
        database: Database,
        contents: ContentStore,
        clock: Clock,
        box: SecretBox,
        *,
        resolver: RecipientResolver,
        sending: SendingReader,
        link_base: str | None,
        max_age: Micros,
    ) -> None:
        self._database = database
        self._contents = contents
        self._clock = clock
        self._box = box
        self._resolver = resolver
        self._sending = sending
        self._link_base = link_base
        self._max_age = max_age

    async def read_frame(
        self, ticket: Ticket, received: Sequence[TicketMail], recipients: Sequence[str], agent: str
    ) -> ReplyFrame:
        """Reads what the ticket adds to a reply to these recipients. `agent` is the name of the author.

        Raises:
            Refused: `sending_not_set_up` if the ticket's address receives no mail any more.
        """
        answered = choose_answered(received, {normalize_address(address) for address in recipients})
        sender = await find_sender(self._database, self._resolver, ticket, answered)
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=ticket.workspace_id)
        if workspace is None:
            raise not_found_error("Ticket")
        return ReplyFrame(
            sender=sender,
            workspace=workspace,
            from_name=build_sender_name(sender.pattern, agent, workspace.name),
            subject=reply_subject(_one_line(answered.subject if answered else ticket.subject)),
            answered=answered,
            signature=await self._render_signature(ticket, sender, agent),
        )

    async def build(self, ticket: Ticket, mail: ReplyMail, author: ReplyAuthor) -> NewReply:
        """Composes a reply. Takes the memory of several times its size, so the caller limits concurrent calls.

        Raises:
            Refused: `sending_not_set_up`, `not_found` if the ticket was erased, or `invalid_request` for a value that
                cannot be in a header field.
        """
        received = await read_received(self._database, ticket.id)
        frame = await self.read_frame(ticket, received, [each.address for each in mail.recipients], author.name)
        domain = await self._sending.require(frame.sender.domain_id)
        outgoing = await self._prepare(ticket, frame, mail)
        composed = await asyncio.to_thread(_compose, outgoing)
        message = _message(ticket, outgoing, len(composed.content), author)
        reply = TicketReply(
            id=ids.new_id("rpl"),
            workspace_id=ticket.workspace_id,
            ticket_id=ticket.id,
            message_id=message.id,
            state="queued",
            actor_type=author.actor_type,
            actor_id=author.actor_id,
            user_id=author.user_id,
            send_at=mail.send_at,
            created_at=message.received_at,
            kind=mail.kind,
            ticket_status=mail.ticket_status,
            draft=mail.draft,
        )
        return NewReply(
            reply=reply,
            message=message,
            content=composed.content,
            recipients=tuple(new_recipient(self._box, reply, each) for each in mail.recipients),
            alias_id=frame.sender.alias.id if frame.sender.alias is not None else None,
            sender_address=frame.sender.address,
            thread_key=frame.sender.thread_key,
            smarthost_id=domain.smarthost_id,
            expires_at=mail.send_at + self._max_age,
        )

    async def _render_signature(self, ticket: Ticket, sender: ReplySender, agent: str) -> str:
        if sender.alias is None or not sender.alias.signature:
            return ""
        values = await read_values(
            self._database, ticket.workspace_id, ticket.id, agent=agent, link_base=self._link_base
        )
        return placeholders.render(sender.alias.signature, values or {}).text

    async def _prepare(self, ticket: Ticket, frame: ReplyFrame, mail: ReplyMail) -> OutgoingMail:
        sender, answered = frame.sender, frame.answered
        is_automatic = mail.kind == "acknowledgement"
        token = reply_tokens.ticket_token(self._box, ticket.workspace_id, ticket.number)
        conversation = await read_conversation_ids(self._database, ticket.id)
        if answered is not None and answered.rfc_message_id:  # the newest one, whatever arrived meanwhile
            conversation.append(answered.rfc_message_id)
        reply_to = None
        if sender.alias is not None and sender.alias.reply_to_token:
            reply_to = NamedMailbox(sender.tagged(reply_tokens.ticket_tag(token)), frame.from_name)
        return OutgoingMail(
            from_name=frame.from_name,
            from_address=sender.address,
            to=tuple(each.mailbox for each in mail.recipients if each.field == "to"),
            cc=tuple(each.mailbox for each in mail.recipients if each.field == "cc"),
            reply_to=reply_to,
            subject=frame.subject if mail.subject is None else mail.subject,
            message_id=reply_tokens.new_reply_message_id(self._box, sender.domain),
            in_reply_to=answered.rfc_message_id if answered is not None else "",
            references=build_references(reply_tokens.anchor_id(token, sender.domain), conversation),
            date=self._clock.now(),
            text=mail.text,
            html=await self._clean_html(mail),
            quote=await self._read_quote(frame) if mail.quote and not is_automatic else None,
            signature="" if is_automatic else frame.signature,
            attachments=tuple(mail.files),
            mark=reply_tokens.new_mark(self._box),
            is_automatic=is_automatic,
        )

    async def _clean_html(self, mail: ReplyMail) -> str:
        if not mail.html:
            return ""
        content_ids = [file.content_id for file in mail.files if file.content_id]
        clean = await self._contents.clean_html(mail.html, content_ids)
        if clean is None:
            raise Refused("invalid_request", "html is too long or too complex", "html")
        return clean.html

    async def _read_quote(self, frame: ReplyFrame) -> Quote | None:
        if frame.answered is None:
            return None
        contents = await self._contents.get(frame.answered.message_id)
        if not contents.text.strip():
            return None
        return Quote(
            author=frame.answered.from_name or frame.answered.from_address,
            sent_at=frame.answered.sent_at,
            timezone=frame.workspace.timezone,
            locale=frame.workspace.locale,
            text=contents.text,
        )


def new_recipient(box: SecretBox, reply: TicketReply, address: ReplyAddress) -> ReplyRecipient:
    """Returns a recipient of a reply, with a token and a delivery of its own."""
    return ReplyRecipient(
        reply_id=reply.id,
        workspace_id=reply.workspace_id,
        address=address.address,
        address_key=normalize_address(address.address),
        field=address.field,
        token=reply_tokens.new_bounce_token(box),
        delivery_id=ids.new_id("dlv"),
        state="queued",
    )


def _message(ticket: Ticket, outgoing: OutgoingMail, size: int, author: ReplyAuthor) -> Message:
    return Message(
        id=ids.new_id("msg"),
        workspace_id=ticket.workspace_id,
        reverse_path="",
        helo="",
        peer="",
        protocol="",
        tls="",
        received_by="",
        size=size,
        received_at=outgoing.date,
        rfc_message_id=outgoing.message_id,
        reference_ids=json.dumps(outgoing.references),
        from_address=outgoing.from_address,
        from_name=outgoing.from_name,
        subject=outgoing.subject,
        sent_at=outgoing.date,
        automatic="auto-reply" if outgoing.is_automatic else "",
        direction="outbound",
        user_id=author.user_id,
    )


def _compose(mail: OutgoingMail) -> ComposedMail:
    try:
        return compose(mail)
    except ValueError as error:
        raise Refused("invalid_request", str(error)) from None


def _one_line(subject: str) -> str:
    return " ".join(subject.split())
