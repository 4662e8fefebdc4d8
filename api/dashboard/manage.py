"""Shared parts of the pages under `/manage`: tabs, paged lists and confirmation pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from api.dashboard.page import HtmlPage, Visit
from router.admin.paging import MAX_LIMIT
from router.admin.paging import Page as ResultPage
from router.enumerations import Role
from router.model import Alias, Domain, Integration

PER_PAGE = 50
# Label, path and minimum role of each tab.
TABS: tuple[tuple[str, str, Role], ...] = (
    ("Domains", "/manage/domains", "viewer"),
    ("Aliases", "/manage/aliases", "viewer"),
    ("Integrations", "/manage/integrations", "viewer"),
    ("Users", "/manage/users", "viewer"),
    ("API keys", "/manage/keys", "viewer"),
    ("Blocked senders", "/manage/blocked-senders", "viewer"),
    ("Workspace", "/manage/workspace", "viewer"),
    ("Audit log", "/manage/audit", "admin"),
    ("Setup", "/set-up", "admin"),
)


def manage_page(visit: Visit, template: str, title: str, **context: Any) -> HtmlPage:
    path = visit.request.path
    tabs = [(label, to) for label, to, role in TABS if visit.has_role(role)]
    active_path = next((to for _, to, _ in TABS if path == to or path.startswith(f"{to}/")), path)
    return HtmlPage(template, title, {"tabs": tabs, "active_path": active_path} | context)


def list_page(visit: Visit, template: str, title: str, batch: ResultPage[Any], **context: Any) -> HtmlPage:
    return manage_page(
        visit,
        template,
        title,
        items=batch.items,
        next_cursor=batch.next_cursor,
        first_page="cursor" not in visit.query,
        **context,
    )


def confirmation_page(
    visit: Visit,
    question: str,
    consequences: Iterable[str],
    *,
    action: str,
    label: str,
    cancel_path: str,
    **fields: str,
) -> HtmlPage:
    """Returns a page on which the user confirms an action.

    `consequences` are the paragraphs of the page. `fields` are the hidden fields of the form.
    """
    context = {
        "consequences": list(consequences),
        "action": action,
        "label": label,
        "cancel_path": cancel_path,
        "fields": fields,
    }
    return manage_page(visit, "confirm.html", question, **context)


def removal_page(visit: Visit, noun: str, name: str, path: str, consequences: Iterable[str], **fields: str) -> HtmlPage:
    """Returns the confirmation page for removing the object at `path`."""
    return confirmation_page(
        visit,
        f"Remove {name}?",
        consequences,
        action=f"{path}/delete",
        label=f"Remove {noun}",
        cancel_path=path,
        **fields,
    )


async def list_domains(visit: Visit) -> Sequence[Domain]:
    """Returns the newest 200 domains, sorted by name."""
    batch = await visit.services.domains.list(visit.actor, limit=MAX_LIMIT)
    return sorted(batch.items, key=lambda domain: domain.name)


async def list_integrations(visit: Visit) -> Sequence[Integration]:
    """Returns the newest 200 integrations, sorted by name."""
    batch = await visit.services.integrations.list(visit.actor, limit=MAX_LIMIT)
    return sorted(batch.items, key=lambda integration: integration.name.casefold())


async def list_aliases(visit: Visit, domain_id: str | None = None) -> Sequence[Alias]:
    """Returns the newest 200 aliases of the workspace or of one domain."""
    return (await visit.services.aliases.list(visit.actor, domain_id=domain_id, limit=MAX_LIMIT)).items
