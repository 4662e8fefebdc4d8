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
    DomainSending,
    SmarthostTested,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.admin.domains.smarthost_setting import SmarthostSetting
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
    body, services = call.body, call.services
    view = await services.domains.get(call.actor, call.ids["id"])
    if "smarthost" in body.model_fields_set:
        given = body.smarthost
        setting = None if given is None else SmarthostSetting(given.url, given.password)
        view = await services.sending.set_smarthost(call.actor, call.ids["id"], setting)
    if body.mx_managed_upstream is not None:
        view = await services.domains.set_mx_upstream(call.actor, call.ids["id"], body.mx_managed_upstream)
    return DomainDetail.from_view(view)


async def set_sending(call: Call[DomainSending, NoQuery]) -> DomainDetail:
    view = await call.services.sending.set_enabled(call.actor, call.ids["id"], call.body.enabled)
    return DomainDetail.from_view(view)


async def rotate_dkim(call: Call[EmptyBody, NoQuery]) -> DomainDetail:
    return DomainDetail.from_view(await call.services.sending.rotate(call.actor, call.ids["id"]))


async def test_sending(call: Call[EmptyBody, NoQuery]) -> SmarthostTested:
    result = await call.services.sending.test_smarthost(call.actor, call.ids["id"])
    return SmarthostTested.from_model(result, ok=result.kind == "accepted")


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
        "POST",
        "/domains/{id}/sending",
        "setDomainSending",
        set_sending,
        "Turn sending from a domain on or off",
        "admin",
        DomainDetail,
        body=DomainSending,
        errors=("conflict",),
    ),
    Route(
        "POST",
        "/domains/{id}/sending/rotate",
        "rotateDomainKey",
        rotate_dkim,
        "Make the next DKIM key of a domain",
        "admin",
        DomainDetail,
        errors=("sending_not_set_up", "conflict"),
    ),
    Route(
        "POST",
        "/domains/{id}/sending/test",
        "testDomainSending",
        test_sending,
        "Test the connection to the smarthost of a domain",
        "admin",
        SmarthostTested,
        errors=("sending_not_set_up",),
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
