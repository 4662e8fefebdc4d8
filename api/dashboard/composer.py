"""What the composer of a ticket's page contains: a form for a reply, and one for an internal note.

Both forms start with the draft of the user, else a reply with the default recipients. A form that is shown again keeps
the user's input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from api.dashboard import reply_link
from api.dashboard.address_fields import join_recipients
from api.dashboard.page import Visit
from api.dashboard.saved_texts import TEMPLATE, TextGroups, find_template, list_texts
from router.admin.replies.reply_request import ComposerDefaults
from router.admin.tickets.drafts import Draft
from router.enumerations import TICKET_STATUS
from router.mail.contents import NamedMailbox
from router.model import Micros, Template, Ticket, Upload

ComposerMode = Literal["reply", "note"]

# The field of the form that names the mode, and the parameter of the page that opens the composer.
MODE = "compose"
ATTACHMENT_PREFIX = "attachment-"  # of the names of the checkboxes of uploads, before the id of the upload
DEFAULT_STATUS = "waiting"
KEEP_STATUS = "keep"
# The paths of the forms below that of the ticket, with the mode of those that have only one.
_FORMS: Mapping[str, ComposerMode] = {"replies": "reply", "compose": "reply", "notes": "note"}
_TEXT_FIELDS = ("to", "cc", "bcc", "subject", "text", "status")


@dataclass(frozen=True, slots=True)
class Composer:
    """The composer.

    Attributes:
        is_open: Whether it is shown in full although no field has the focus.
        mailto: The link that opens a reply in the user's mail program; "" if there is no recipient.
        fields: The input of the reply.
        recipient: The name of the first recipient.
        others: Further people of the conversation whom "Reply all" adds to Cc.
        sends_anyway: The user has seen the newer message and the form, and can send the reply unchanged.
        asks_force: A recipient was refused as undeliverable.
        texts: Groups of saved texts: their label, and (value, label) pairs.
        template: The HTML template of the reply, if any.
        note: The text of the note.
    """

    mode: ComposerMode
    is_open: bool
    defaults: ComposerDefaults
    mailto: str
    fields: Mapping[str, str | bool]
    note: str
    attachments: Sequence[Upload] = ()
    sends_anyway: bool = False
    asks_force: bool = False
    texts: TextGroups = ()
    template: Template | None = None
    reply_saved_at: Micros | None = None
    note_saved_at: Micros | None = None
    statuses: Sequence[tuple[str, str]] = field(default=())

    @property
    def is_set_up(self) -> bool:
        return self.defaults.is_set_up

    @property
    def fix(self) -> str:
        return self.defaults.fix

    @property
    def last_message_id(self) -> str:
        return self.defaults.last_message_id

    @property
    def warning(self) -> str:
        return self.defaults.warning

    @property
    def signature(self) -> str:
        return self.defaults.signature

    @property
    def undeliverable(self) -> Sequence[str]:
        return self.defaults.undeliverable

    @property
    def recipient(self) -> str:
        first = self.defaults.to[0] if self.defaults.to else None
        return "" if first is None else first.name or first.address

    @property
    def new_senders(self) -> list[str]:
        return self._absent(self.defaults.new_senders)

    @property
    def others(self) -> list[str]:
        return self._absent(self.defaults.reply_all_cc)

    def _absent(self, mailboxes: Iterable[NamedMailbox]) -> list[str]:
        given = " ".join(str(self.fields[name]) for name in ("to", "cc", "bcc")).lower()
        return [each.address for each in mailboxes if each.address.lower() not in given]


async def build_composer(visit: Visit, ticket: Ticket) -> Composer | None:
    """Returns the composer, or None for a user who only reads."""
    if not visit.has_role("agent"):
        return None
    defaults = await visit.services.replies.read_composer(visit.actor, ticket.id)
    drafts = visit.services.tickets.drafts
    reply_draft = await drafts.get(visit.actor, ticket.id, "reply")
    note_draft = await drafts.get(visit.actor, ticket.id, "note")
    posted = _posted_mode(visit)
    chosen = posted or ("note" if visit.query.get(MODE) == "note" or not defaults.is_set_up else "reply")
    note = visit.form.get("text", "") if posted == "note" else note_draft.text if note_draft else ""
    is_reply_posted = posted == "reply" and "to" in visit.form
    code = visit.error.code if visit.error else ""
    return Composer(
        mode=chosen,
        is_open=posted is not None or MODE in visit.query,
        defaults=defaults,
        mailto=reply_link.build_mailto([each.address for each in defaults.to], defaults.subject, defaults.mailto_cc),
        fields=_posted_fields(visit) if is_reply_posted else _initial_fields(defaults, reply_draft),
        note=note,
        attachments=await _list_attachments(visit, reply_draft, is_posted=is_reply_posted),
        sends_anyway=code == "newer_message",
        asks_force="force" in visit.form or (code == "invalid_recipient" and bool(defaults.undeliverable)),
        texts=await list_texts(visit, ticket) if defaults.is_set_up else (),
        template=await find_template(visit, visit.form.get(TEMPLATE, "")) if is_reply_posted else None,
        reply_saved_at=None if reply_draft is None or posted == "reply" else reply_draft.saved_at,
        note_saved_at=None if note_draft is None or posted == "note" else note_draft.saved_at,
        statuses=[*TICKET_STATUS.options(), (KEEP_STATUS, "No change")],
    )


def selected_uploads(visit: Visit) -> list[str]:
    """Returns the ids of the uploads of a form: those of before that are selected, and the files of the form."""
    kept = [name.removeprefix(ATTACHMENT_PREFIX) for name in visit.form if name.startswith(ATTACHMENT_PREFIX)]
    return [*kept, *(each.id for each in visit.uploads)]


def _posted_mode(visit: Visit) -> ComposerMode | None:
    """Returns the mode of the form of the composer that is shown again, if any."""
    if not visit.form:
        return None
    action = visit.request.path.rpartition("/")[2]
    if action == "draft":
        return "reply" if visit.form.get("kind") == "reply" else "note"
    return _FORMS.get(action)


def _posted_fields(visit: Visit) -> dict[str, str | bool]:
    given = {name: visit.form.get(name, "") for name in _TEXT_FIELDS}
    return {**given, "quote": "quote" in visit.form, "force": "force" in visit.form}


def _initial_fields(defaults: ComposerDefaults, draft: Draft | None) -> dict[str, str | bool]:
    fields: dict[str, str | bool] = {
        "to": join_recipients(defaults.to),
        "cc": "",
        "bcc": "",
        "subject": defaults.subject,
        "text": "",
        "status": DEFAULT_STATUS,
        "quote": True,
        "force": False,
    }
    if draft is not None:
        fields["text"] = draft.text
        if draft.to or draft.cc or draft.bcc:
            fields |= {name: ", ".join(getattr(draft, name)) for name in ("to", "cc", "bcc")}
    return fields


async def _list_attachments(visit: Visit, draft: Draft | None, *, is_posted: bool) -> Sequence[Upload]:
    upload_ids = selected_uploads(visit) if is_posted else draft.attachments if draft else ()
    return await visit.services.uploads.get_many(visit.actor, upload_ids) if upload_ids else ()
