"""Shared parts of the pages under `/manage`: paged lists and confirmation pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from api.dashboard.page import HtmlPage, Visit
from router.admin.paging import MAX_LIMIT
from router.admin.paging import Page as ResultPage
from router.filters import AliasFilter, ListFilter, TextFilter, query_name
from router.model import Alias, Domain, Integration

F = TypeVar("F", bound=TextFilter)

PER_PAGE = 50
MIN_SEARCHED = 10  # items; a shorter list is read faster than filtered
_NO_FILTER = TextFilter()
_ORIGINS = {"setup": "/set-up"}


def requested_filter(visit: Visit, list_filter: type[F]) -> F:
    """Returns the filter of the query string. A form also submits the fields that are empty."""
    return list_filter.from_query({name: value.strip() or None for name, value in visit.query.items()})


def list_page(
    visit: Visit,
    template: str,
    title: str,
    batch: ResultPage[Any],
    wanted: ListFilter = _NO_FILTER,
    *,
    options: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    **context: Any,
) -> HtmlPage:
    """Returns the page of a list with its filters, and with the form to add an item if the page is asked for it.

    `options` has the (value, label) pairs of the filters that are no enumerations. A filter with fewer than two values
    is not shown, and none if the list is short.
    """
    choices = {
        name: (options or {}).get(name, ()) if criterion.choice is None else criterion.choice.options()
        for name, criterion in wanted.criteria().items()
    }
    given = {query_name(name): getattr(wanted, name) for name in choices if getattr(wanted, name)}
    shown = {
        "items": batch.items,
        "next_cursor": batch.next_cursor,
        "first_page": "cursor" not in visit.query,
        "filters": given,
        "is_searchable": bool(given) or "cursor" in visit.query or len(batch.items) >= MIN_SEARCHED,
        "filter_fields": [
            (query_name(name), wanted.criteria()[name].label, pairs)
            for name, pairs in choices.items()
            if len(pairs) > 1 or query_name(name) in given
        ],
        "is_empty": not batch.items and not given and "cursor" not in visit.query,
        "adding": visit.has_role("admin") and ("add" in visit.query or visit.error is not None),
    }
    return HtmlPage(template, title, shown | context)


def confirmation_page(
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
    return HtmlPage("confirm.html", question, context)


def removal_page(
    noun: str, name: str, path: str, consequences: Iterable[str], *, origin: str = "", **fields: str
) -> HtmlPage:
    """Returns the confirmation page for removing the object at `path`. See `find_origin` for `origin`."""
    return confirmation_page(
        f"Remove {name}?",
        consequences,
        action=f"{path}/delete",
        label=f"Remove {noun}",
        cancel_path=_ORIGINS.get(origin, path),
        **fields,
        **({"from": origin} if origin else {}),
    )


def find_origin(visit: Visit) -> str:
    """Returns which page led to a confirmation page and continues after it: `setup`, or "" for the usual one."""
    origin = visit.form.get("from") or visit.query.get("from", "")
    return origin if origin in _ORIGINS else ""


def path_after_removal(visit: Visit, usual: str) -> str:
    return _ORIGINS.get(find_origin(visit), usual)


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
    return (await visit.services.aliases.list(visit.actor, AliasFilter(domain_id=domain_id), limit=MAX_LIMIT)).items
