"""How replies from an alias look: sender name, signature, token in Reply-To, acknowledgement."""

from __future__ import annotations

from dataclasses import dataclass, replace

from router import ids
from router.admin import validation
from router.errors import Refused
from router.mail.compose import sender_name
from router.model import Actor, Alias, Template
from router.replies import placeholders
from router.store.database import QueryExecutor, fetch_model

MAX_SIGNATURE_LENGTH = 2000
NO_TEMPLATE = ""  # the template of a change that disables acknowledgements


@dataclass(frozen=True, slots=True)
class ReplySettingsChange:
    """The settings that are set. None keeps a value.

    Attributes:
        sender_name: The pattern of the name in From; `""` for the default.
        signature: A text with placeholders; `""` for none.
        reply_to_token: Whether Reply-To has the token of the ticket.
        acknowledge_template_id: The template of acknowledgements; `NO_TEMPLATE` disables them.
    """

    sender_name: str | None = None
    signature: str | None = None
    reply_to_token: bool | None = None
    acknowledge_template_id: str | None = None


NO_CHANGE = ReplySettingsChange()


async def change_reply_settings(
    transaction: QueryExecutor, actor: Actor, alias: Alias, change: ReplySettingsChange
) -> tuple[Alias, dict[str, object]]:
    """Returns the alias with the changes, which are not stored, and their details for the audit log.

    Locks the template against deletion.

    Raises:
        Refused: `unknown_placeholder`, or `invalid_request`, also if the workspace has no such template.
    """
    changed, details = alias, dict[str, object]()
    if change.sender_name is not None:
        changed = replace(changed, sender_name=validate_sender_name(change.sender_name))
        if changed.sender_name != alias.sender_name:
            details["senderName"] = changed.sender_name
    if change.signature is not None:
        changed = replace(changed, signature=validate_signature(change.signature))
        if changed.signature != alias.signature:
            details["signature"] = bool(changed.signature)
    if change.reply_to_token is not None:
        changed = replace(changed, reply_to_token=int(change.reply_to_token))
        if changed.reply_to_token != alias.reply_to_token:
            details["replyToToken"] = change.reply_to_token
    if change.acknowledge_template_id is not None:
        template = await _find_template(transaction, actor, change.acknowledge_template_id)
        changed = replace(changed, acknowledge_template_id=None if template is None else template.id)
        if changed.acknowledge_template_id != alias.acknowledge_template_id:
            details["acknowledge"] = "" if template is None else template.name
    return changed, details


def validate_sender_name(pattern: str, field: str = "senderName") -> str:
    if not pattern.strip():
        return ""
    line = validation.validate_line(pattern, field, max_length=sender_name.MAX_NAME_LENGTH)
    try:
        sender_name.check_pattern(line)
    except ValueError as error:
        raise Refused("unknown_placeholder", f"{field} is invalid: {error}", field) from None
    return line


def validate_signature(text: str, field: str = "signature") -> str:
    if not text.strip():
        return ""
    signature = validation.validate_text(text, field, max_length=MAX_SIGNATURE_LENGTH).strip("\n")
    placeholders.validate(signature, field)
    return signature


async def _find_template(transaction: QueryExecutor, actor: Actor, template_id: str) -> Template | None:
    if template_id == NO_TEMPLATE:
        return None
    found = None
    if ids.is_well_formed(template_id, "tpl"):
        found = await fetch_model(
            transaction, Template, "template_lock", id=template_id, workspace_id=actor.workspace_id
        )
    if found is None:
        raise Refused("invalid_request", "Template not found", "acknowledge.templateId")
    return found
