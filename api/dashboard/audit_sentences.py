"""The entries of the audit log as sentences, such as "changed the role of Aiko Mori from agent to admin".

A sentence has one or more phrases. Of each phrase, the first wording whose values the entry has is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from markupsafe import Markup, escape

from router.admin.audit import is_automatic
from router.enumerations import CHECK_ACTION, DELIVERY_STATE, AuditAction
from router.model import AuditEntry
from router.unicode_security import append_a_labels

Phrase = tuple[str, ...]
_CHECK_SETTINGS = {
    "onFail": "the action for messages that fail DMARC",
    "onSpam": "the action for spam",
    "spamScore": "the spam score",
}


def _sender_checks(owner: str, unset: str) -> tuple[Phrase, ...]:
    """Returns the phrases of changed sender checks. `unset` is the wording if `{what}` is no longer set."""
    return tuple(
        (
            f"changed {what}{owner} from {{before_{name}}} to {{{name}}}",
            f"changed {what}{owner} to {{{name}}}",
            f"{{not_{name}}}{unset.replace('{what}', what)}",
        )
        for name, what in _CHECK_SETTINGS.items()
    )


# Values: `target` is what was changed, with a link; the others are the details of the entry by name. Of a true or false
# detail, the value is empty: its name, or its name after `not_`, only selects the wording. `settings` are described.
SENTENCES: Mapping[AuditAction, Sequence[Phrase]] = {
    "alias.change": (
        (
            "changed the integration of {target} from {before_integrationId} to {integrationId}",
            "changed the integration of {target} to {integrationId}",
        ),
        ("{status_disabled}disabled the alias {target}", "{status_active}enabled the alias {target}"),
        (
            "noted that {forwardedFrom} forwards to {target}",
            "{not_forwardedFrom}noted that nothing forwards to {target}",
        ),
        (
            "set the sender name of {target} to “{senderName}”",
            "{not_senderName}reset the sender name of {target}",
        ),
        ("{signature}changed the signature of {target}", "{not_signature}removed the signature of {target}"),
        (
            "{replyToToken}set that the Reply-To of answers from {target} names the ticket",
            "{not_replyToToken}set that the Reply-To of answers from {target} does not name the ticket",
        ),
        (
            "set that {target} acknowledges mail with the template {acknowledge}",
            "{not_acknowledge}disabled the acknowledgements of {target}",
        ),
        *_sender_checks(" of {target}", "made {target} inherit {what} from the workspace"),
    ),
    "alias.create": (("added the alias {target}",), ("for {integrationId}",)),
    "alias.delete": (("removed the alias {target}",),),
    "alias.test": (("sent a test message to {target}",),),
    "allowed_sender.change": (
        (
            "{requireAuth}set that mail from {target} is only allowed if it is authenticated",
            "{not_requireAuth}set that mail from {target} is also allowed if it is not authenticated",
        ),
        ("set the note of {target} to “{note}”", "{not_note}removed the note of {target}"),
    ),
    "allowed_sender.create": (
        ("allowed {target}",),
        ("{requireAuth}(if authenticated)", "{not_requireAuth}(without authentication)"),
    ),
    "allowed_sender.delete": (("removed {target} from the allowed senders",),),
    "blocked_sender.change": (
        (
            "{asSpam}set that mail from {target} is held as spam",
            "{not_asSpam}set that mail from {target} is rejected",
        ),
        ("set the note of {target} to “{note}”", "{not_note}removed the note of {target}"),
    ),
    "blocked_sender.create": (("blocked {target}",), ("{asSpam}(its mail is held as spam)",)),
    "blocked_sender.delete": (("unblocked {target}",),),
    "canned_response.change": (("changed the canned response {target}",),),
    "canned_response.create": (("added the canned response {target}",),),
    "canned_response.delete": (("removed the canned response {target}",),),
    "delivery.replay": (
        (
            "{integration}retried {replayed} {state} deliveries to {target}",
            "retried {replayed} {state} deliveries",
            "retried {target}",
        ),
    ),
    "domain.change": (
        (
            "{mxManagedUpstream}set that another mail server receives the mail of {target} first",
            "{not_mxManagedUpstream}set that this server receives the mail of {target}",
        ),
        ("{sending}turned on sending from {target}", "{not_sending}turned off sending from {target}"),
        ("set the smarthost {smarthost} for {target}", "{withoutSmarthost}removed the smarthost of {target}"),
    ),
    "domain.create": (("added the domain {target}",),),
    "domain.delete": (("removed the domain {target}",), ("with {aliases} aliases",)),
    "domain.lose": (("removed the verification of {target}: another workspace verified the domain",),),
    "domain.test": (
        ("{ok}tested the smarthost of {target}", "{not_ok}tested the smarthost of {target}, which failed"),
    ),
    "domain.unverify": (("removed the verification of {target}: its DNS records are missing",),),
    "domain.verify": (("verified the domain {target}",), ("{takenOver}which another workspace had before",)),
    "integration.change": (
        ("renamed the integration {before_name} to {target}", "renamed {name}"),
        ("changed the settings of {target} ({settings})",),
        ("{secrets}replaced the {secret_labels} of {target}",),
        ("{renewed}saved the settings of {target}",),
    ),
    "integration.create": (
        ("added the {type} integration {target}", "added the integration {target}"),
        ("({settings})",),
    ),
    "integration.delete": (("removed the integration {target}",),),
    "integration.test": (
        ("{ok}sent a test message to {target}", "{not_ok}sent a test message to {target}, which failed"),
        ("(HTTP {status})",),
    ),
    "key.create": (("created the API key {target}",), ("for {userId}",), ("with the role {role}",)),
    "key.revoke": (("revoked the API key {target}",),),
    "secret_key.rotate": (("replaced the secret key of the installation (fingerprint {fingerprint})",),),
    "signing_key.create": (("made the DKIM key {selector} for {target}",),),
    "tag.change": (
        ("renamed the tag {before_name} to {target}",),
        (
            "changed the colour of the tag {target} from {before_color} to {color}",
            "set the colour of the tag {target} to {color}",
            "{not_color}removed the colour of the tag {target}",
        ),
    ),
    "tag.create": (("added the tag {target}",),),
    "tag.delete": (("removed the tag {target}",),),
    "tag.merge": (("merged the tag {name} into {into}",),),
    "template.change": (("changed the template {target}",),),
    "template.create": (("added the template {target}",),),
    "template.delete": (("removed the template {target}",),),
    "ticket.delete": (("erased the ticket {target}",),),
    "user.change": (
        (
            "{own}set their name to {name}",
            "renamed {before_name} to {name}",
            "set the name of {target} to {name}",
        ),
        ("changed the role of {target} from {before_role} to {role}", "changed the role of {target} to {role}"),
        ("set the email address {email}",),
        ("{own}{password}set a new password", "{password}set a new password for {target}"),
        ("with a {via}",),
        ("{disabled}disabled {target}", "{not_disabled}enabled {target}"),
        ("changed the time zone of {target} to {timezone}",),
        ("{withoutTimezone}reset the time zone of {target} to that of the workspace",),
        ("revoked their API keys ({keysRevoked})",),
    ),
    "user.create": (("{invited}invited {target}", "added the user {target}"), ("as {role}",)),
    "user.delete": (("removed the user {target}",),),
    "user.password_link": (("created a link with which {target} sets a password",),),
    "user.sign_in": (("signed in",),),
    "user.sign_in_failed": (("tried to sign in as {target} with a wrong password",),),
    "user.sign_in_limited": (("tried to sign in as {target} too often",),),
    "workspace.change": (
        ("renamed the workspace from {before_name} to {name}", "renamed the workspace to {name}"),
        ("made {defaultIntegrationId} the default integration",),
        ("{withoutDefault}removed the default integration",),
        (
            "changed the time zone of the workspace from {before_timezone} to {timezone}",
            "changed the time zone of the workspace to {timezone}",
        ),
        (
            "changed the date format from {before_locale} to {locale}",
            "changed the date format to {locale}",
        ),
        *_sender_checks("", "reset {what}"),
    ),
    "workspace.create": (("created the workspace {name}",),),
    "workspace.delete": (("removed the workspace {name}",),),
}
# Phrases that continue the one before them.
_CONTINUATIONS = ("for ", "with ", "as ", "which ", "(")
_FOLDERS = {
    "alias": "/manage/aliases",
    "can": "/manage/canned-responses",
    "dlv": "/activity/deliveries",
    "dom": "/manage/domains",
    "int": "/manage/integrations",
    "tag": "/manage/tags",
    "ticket": "/tickets",
    "tpl": "/manage/templates",
    "user": "/manage/users",
}
# The detail with the name of a target that has no name of its own, for example because it was removed.
_NAMES = {
    "alias": "email",
    "can": "title",
    "dom": "domain",
    "int": "name",
    "key": "name",
    "tag": "name",
    "tpl": "name",
    "user": "email",
}
_REMOVED = {"int": "a removed integration", "user": "a removed user"}


@dataclass(frozen=True, slots=True)
class SentenceContext:
    """What the sentences of a page refer to.

    Attributes:
        names: The names of the users and integrations that exist, by id.
        types: The labels of the integration types, by type.
        settings: The labels of the settings of integrations, by their names in the REST API.
    """

    names: Mapping[str, str]
    types: Mapping[str, str]
    settings: Mapping[str, str]


def mentioned_ids(entry: AuditEntry) -> Iterator[str]:
    """Yields the ids of the users and integrations that the sentence of an entry can name."""
    detail = json.loads(entry.detail)
    before = detail.get("before", {})
    named = (entry.target, detail.get("userId"), detail.get("integrationId"), detail.get("defaultIntegrationId"))
    for each in (*named, before.get("integrationId")):
        if each and each.startswith(("user_", "int_")):
            yield each


def describe_entry(entry: AuditEntry, context: SentenceContext) -> Markup:
    """Returns the sentence without its subject. An action of another version of the program is shown as it is."""
    detail: dict[str, Any] = json.loads(entry.detail)
    values = _values(entry, detail, context)
    phrases = SENTENCES.get(entry.action)  # type: ignore[call-overload]
    if phrases is None:
        return Markup("{} {}").format(entry.action, values["target"])
    chosen = [phrase for phrase in (_choose(wordings, values) for wordings in phrases) if phrase is not None]
    if not chosen:
        noun = entry.action.partition(".")[0].replace("_", " ")
        return Markup("saved the {} {}").format(noun, values["target"] if noun != "workspace" else "")
    sentence = Markup()
    for n, phrase in enumerate(chosen):
        text = Markup(phrase).format(**values)  # noqa: S704 - a constant of this module; `format` escapes the values
        if n:
            sentence += " " if text.startswith(_CONTINUATIONS) else ", and "
        sentence += text
    return sentence


def describe_actor(entry: AuditEntry, names: Mapping[str, str]) -> str:
    """Returns the user's name. Without a user, returns one of three texts.

    `System` stands for an automatic change, `Someone` for a failed sign-in and `Operator` for a command.
    """
    if entry.user_id is not None:
        return names.get(entry.user_id, "Removed user")
    if is_automatic(entry.action, json.loads(entry.detail)):
        return "System"
    return "Someone" if entry.address else "Operator"


def _field_names(wording: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(wording) if name]


def _choose(wordings: Phrase, values: Mapping[str, object]) -> str | None:
    return next((text for text in wordings if all(name in values for name in _field_names(text))), None)


def _values(entry: AuditEntry, detail: Mapping[str, Any], context: SentenceContext) -> dict[str, object]:
    before = detail.get("before", {})
    values: dict[str, object] = {"target": _target(entry, detail, context)}
    for name, value in detail.items():
        if name == "before" or (name in before and before[name] == value):
            continue  # no change
        values |= _detail_values(name, value, context)
        if before.get(name):
            values |= {f"before_{key}": shown for key, shown in _detail_values(name, before[name], context).items()}
    if entry.user_id == entry.target:
        values["own"] = ""
    if entry.action == "integration.change" and "hint" in detail and not {"settings", "secrets"} & detail.keys():
        values["renewed"] = ""
    if entry.target.startswith("int_"):
        values["integration"] = ""
    return values


def _detail_values(name: str, value: object, context: SentenceContext) -> dict[str, object]:
    match value:
        case bool():
            return {name if value else f"not_{name}": ""}
        case dict():
            return {name: _describe_settings(value, context)}
        case list():
            return {name: "", "secret_labels": " and ".join(context.settings.get(each, each) for each in value)}
        case "":
            return {f"not_{name}": ""}
        case str() if name == "status":
            return {f"status_{value}": "", name: value}
        case str() if name in ("password", "takenOver"):
            return {name: ""}
        case str() if name == "state":
            return {name: DELIVERY_STATE.label(value).lower()}
        case str() if name in ("onFail", "onSpam"):
            return {name: CHECK_ACTION.label(value).lower()}
        case str() if name == "type":
            return {name: context.types.get(value, value)}
        case str():
            return {name: _name_of(value, context)}
        case _:
            return {name: value}


def _describe_settings(settings: Mapping[str, object], context: SentenceContext) -> Markup:
    return Markup(", ").join(
        f"{context.settings.get(name, name)}: {value or 'none'}" for name, value in settings.items()
    )


def _name_of(value: str, context: SentenceContext) -> Markup:
    """Returns a value as text. An id becomes the name of its object, with a link."""
    prefix = value.partition("_")[0]
    if value in context.names:
        return _link(f"{_FOLDERS[prefix]}/{value}", context.names[value])
    if prefix in _REMOVED and value.startswith(f"{prefix}_") and len(value) == len(prefix) + 27:
        return escape(_REMOVED[prefix])
    return Markup("<bdi>{}</bdi>").format(append_a_labels(value))


def _target(entry: AuditEntry, detail: Mapping[str, Any], context: SentenceContext) -> Markup:
    prefix = entry.target.partition("_")[0]
    if entry.target in context.names:
        return _name_of(entry.target, context)
    if prefix == "ticket":
        return escape(f"#{detail['number']}" if "number" in detail else entry.target)
    if prefix == "dlv":
        return _link(f"{_FOLDERS['dlv']}/{entry.target}", "a delivery")
    name = str(detail.get(_NAMES.get(prefix, ""), "")) or _REMOVED.get(prefix, entry.target)
    is_removed = prefix in _REMOVED or entry.action.endswith((".delete", ".revoke"))
    if is_removed or prefix not in _FOLDERS:
        return Markup("<bdi>{}</bdi>").format(append_a_labels(name))
    return _link(f"{_FOLDERS[prefix]}/{entry.target}", name)


def _link(path: str, name: str) -> Markup:
    return Markup('<a href="{}"><bdi>{}</bdi></a>').format(path, append_a_labels(name))
