"""How replies from aliases look, in the workspace document. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from router.admin.routes.reply_settings import validate_sender_name, validate_signature
from router.model import Alias, Template
from router.provisioning.document import AliasDefinition, WorkspaceDocument
from router.provisioning.entry import Differences, InvalidDocument, differences, normalize
from router.tag import caseless_key


def normalize_reply_settings(alias: AliasDefinition, location: str) -> AliasDefinition:
    """Returns the entry with normalised settings. Raises `InvalidDocument`."""
    changes: dict[str, str] = {}
    if alias.sender_name is not None:
        changes["sender_name"] = normalize(
            lambda text: validate_sender_name(text, "sender_name"), alias.sender_name, location
        )
    if alias.signature is not None:
        changes["signature"] = normalize(validate_signature, alias.signature, location)
    return alias.model_copy(update=changes) if changes else alias


def template_names(document: WorkspaceDocument, templates: Sequence[Template]) -> set[str]:
    """Returns the keys of the names of the templates that exist once the document is applied."""
    entries = getattr(document, "templates", None)
    return {caseless_key(each.name) for each in (templates if entries is None else entries)}


def require_template(name: str | None, names: Collection[str], location: str) -> None:
    """Raises `InvalidDocument` if the name is not one of a template."""
    if name and caseless_key(name) not in names:
        raise InvalidDocument(f"{location}: {name!r} is not a template of this workspace or file")


def compare_reply_settings(entry: AliasDefinition, alias: Alias, templates: Sequence[Template]) -> Differences:
    """Returns the settings of the entry that differ from those of the alias. Signatures are not shown."""
    changed: Differences = {}
    if entry.sender_name is not None:
        changed |= differences(sender_name=(alias.sender_name, entry.sender_name))
    if entry.signature is not None and entry.signature != alias.signature:
        changed["signature"] = (_first_line(alias.signature), _first_line(entry.signature))
    if entry.reply_to_token is not None:
        changed |= differences(reply_to_token=(bool(alias.reply_to_token), entry.reply_to_token))
    if entry.acknowledge is not None:
        names = {each.id: each.name for each in templates}
        current = names.get(alias.acknowledge_template_id or "", "")
        if caseless_key(current) != caseless_key(entry.acknowledge):
            changed["acknowledge"] = (current, entry.acknowledge)
    return changed


def _first_line(text: str) -> str:
    first_line, line_break, _ = text.partition("\n")
    return f"{first_line} ..." if line_break else first_line
