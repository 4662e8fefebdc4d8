"""`/activity/audit`: the audit log in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from api.dashboard import audit_sentences, list_filters, users
from api.dashboard.audit_sentences import SentenceContext
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.display_names import DisplayName
from router.filters import AuditFilter, query_name
from router.model import AuditEntry

AUDIT_PATH = "/activity/audit"
PER_PAGE = 50
_FORMER_PATH = "/manage/audit"
_USER_FIELD = query_name("user_id")


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry, the name of who acted, and what they did.

    Attributes:
        hue_key: What decides the colour of who acted: the address of a user, as in the rail.
    """

    entry: AuditEntry
    actor: str
    hue_key: str
    sentence: Markup


async def show_list(visit: Visit) -> HtmlPage:
    given = list_filters.given_filters(visit, AuditFilter)
    batch = await visit.services.audit.list(
        visit.actor,
        AuditFilter.from_query(given),
        limit=PER_PAGE,
        cursor=visit.query.get("cursor"),
        zone=(await visit.local_time()).zone,
    )
    ids = {each for entry in batch.items for each in (entry.user_id, *audit_sentences.mentioned_ids(entry))}
    known = await visit.services.display_names.resolve(visit.actor, ids)
    names = {id_: name.name or name.email for id_, name in known.items()}
    types = visit.services.integrations.types
    sentences = SentenceContext(
        names,
        {type_.kind: type_.label for type_ in types.values()},
        {field.name: field.label for type_ in types.values() for field in type_.fields},
    )
    people = [(user.id, users.display_name(user)) for user in await users.list_users(visit)]
    search, *fields = list_filters.build_fields(AuditFilter, given, {_USER_FIELD: people})
    context = {
        "rows": [_row(entry, known, sentences) for entry in batch.items],
        "next_cursor": batch.next_cursor,
        "is_incomplete": batch.is_incomplete,
        "first_page": "cursor" not in visit.query,
        "search": search,
        "fields": fields,
        "filters": given,
        "path": AUDIT_PATH,
    }
    return HtmlPage("audit.html", "Audit log", context)


def _row(entry: AuditEntry, known: Mapping[str, DisplayName], sentences: SentenceContext) -> AuditRow:
    actor = audit_sentences.describe_actor(entry, sentences.names)
    user = known.get(entry.user_id or "")
    key = actor if user is None else user.email
    return AuditRow(entry, actor, key, audit_sentences.describe_entry(entry, sentences))


async def redirect_to_list(_: Visit) -> Redirect:
    return Redirect(AUDIT_PATH)


NAV_LINKS = (NavLink("Audit log", AUDIT_PATH, "admin", 36, parent="/activity"),)
PAGES = (
    PageRoute("GET", AUDIT_PATH, show_list, "admin", compress=True),
    PageRoute("GET", _FORMER_PATH, redirect_to_list, "admin"),
)
