"""API calls for domains and their verification."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.domains import (
    DomainAnswer,
    DomainChange,
    DomainCreate,
    DomainCreated,
    DomainDeleteParameters,
    DomainDetail,
    DomainList,
    DomainListParameters,
    DomainPreviewed,
    DomainPreviewParameters,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.filters import DomainFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> DomainList:
    query = call.query
    wanted = DomainFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.domains.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return DomainList(domains=[DomainAnswer.from_model(domain) for domain in page.items], next_cursor=page.next_cursor)


async def create(call: Call[DomainCreate, NoQuery]) -> DomainCreated:
    domains = call.services.domains
    return DomainCreated.from_view(await domains.create(call.actor, call.body.domain), domains.mx_hosts)


async def preview(call: Call[EmptyBody, DomainPreviewParameters]) -> DomainPreviewed:
    return DomainPreviewed.from_model(await call.services.domains.preview(call.actor, call.query.domain))


async def show(call: Call[EmptyBody, NoQuery]) -> DomainDetail:
    return DomainDetail.from_view(await call.services.domains.get(call.actor, call.ids["id"]))


async def verify(call: Call[EmptyBody, NoQuery]) -> DomainDetail:
    return DomainDetail.from_view(await call.services.domains.verify(call.actor, call.ids["id"]))


async def change(call: Call[DomainChange, NoQuery]) -> DomainDetail:
    upstream = call.body.mx_managed_upstream
    return DomainDetail.from_view(await call.services.domains.set_mx_upstream(call.actor, call.ids["id"], upstream))


async def delete(call: Call[EmptyBody, DomainDeleteParameters]) -> None:
    await call.services.domains.delete(call.actor, call.ids["id"], force=call.query.force)


ROUTES = (
    Route(
        "GET", "/domains", "listDomains", list_page, "List domains", "viewer", DomainList, query=DomainListParameters
    ),
    Route(
        "POST",
        "/domains",
        "createDomain",
        create,
        "Create a domain",
        "admin",
        DomainCreated,
        body=DomainCreate,
        status=201,
        creates=True,
        errors=("invalid_domain", "domain_taken"),
    ),
    Route(
        "GET",
        "/domains/preview",
        "previewDomain",
        preview,
        "Preview a domain before it is added",
        "admin",
        DomainPreviewed,
        query=DomainPreviewParameters,
        errors=("invalid_domain",),
    ),
    Route(
        "GET",
        "/domains/{id}",
        "getDomain",
        show,
        "Get a domain",
        "viewer",
        DomainDetail,
    ),
    Route(
        "PATCH",
        "/domains/{id}",
        "updateDomain",
        change,
        "Change a domain",
        "admin",
        DomainDetail,
        body=DomainChange,
    ),
    Route(
        "POST",
        "/domains/{id}/verify",
        "verifyDomain",
        verify,
        "Check the DNS records of a domain",
        "admin",
        DomainDetail,
        errors=("domain_taken",),
    ),
    Route(
        "DELETE",
        "/domains/{id}",
        "deleteDomain",
        delete,
        "Delete a domain",
        "admin",
        query=DomainDeleteParameters,
        status=204,
        errors=("in_use",),
    ),
)
