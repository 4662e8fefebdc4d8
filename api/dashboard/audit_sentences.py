"""The entries of the audit log as sentences, such as "changed the role of Aiko Mori from agent to admin".

A sentence has one or more phrases. Of each phrase, the first wording whose values the entry has is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from markupsafe import Markup, escape

from api.dashboard.audit_phrases import SENTENCES, Phrase
from router.admin.audit import is_automatic
from router.enumerations import CHECK_ACTION, DELIVERY_STATE
from router.model import AuditEntry
from router.unicode_security import append_a_labels

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
