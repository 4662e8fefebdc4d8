"""The list `canned_responses`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from router.admin.paging import MAX_LIMIT
from router.admin.templates.canned_responses import CannedResponseChange, apply_change
from router.errors import Refused
from router.filters import AliasFilter
from router.model import Actor, CannedResponse
from router.provisioning.entry import EntryModel, InvalidDocument, differences, format_differences, index_unique
from router.provisioning.section import SectionChange
from router.services import Services
from router.tag import caseless_key


class CannedResponseDefinition(EntryModel):
    """A canned response. `alias` is an address; `""` stands for all aliases."""

    title: str
    alias: str = ""
    body: str


@dataclass(frozen=True, slots=True)
class AddressedResponse:
    """A canned response, and the address of its alias, or `""`."""

    response: CannedResponse
    address: str

    @property
    def key(self) -> str:
        return _key(self.response.title, self.address)


class CannedResponseSection:
    key = "canned_responses"
    kind = "canned_response"
    entry_type = CannedResponseDefinition
    is_used_by_aliases = False

    async def read(self, services: Services, actor: Actor) -> Sequence[AddressedResponse]:
        responses = await services.canned_responses.list_all(actor)
        addresses = {
            alias_id: (await services.aliases.get(actor, alias_id)).email
            for alias_id in {each.alias_id for each in responses}
            if alias_id is not None
        }
        found = [AddressedResponse(each, addresses.get(each.alias_id or "", "")) for each in responses]
        return sorted(found, key=lambda each: each.key)

    def export(self, objects: Sequence[AddressedResponse]) -> list[CannedResponseDefinition]:
        return [
            CannedResponseDefinition(title=each.response.title, alias=each.address, body=each.response.body)
            for each in objects
        ]

    def plan(
        self, entries: Sequence[CannedResponseDefinition], objects: Sequence[AddressedResponse]
    ) -> Iterator[SectionChange]:
        existing = {each.key: each.response for each in objects}
        normalized = (_normalize(n, entry) for n, entry in enumerate(entries, start=1))
        wanted = index_unique(self.key, "title", ((_key(each.title, each.alias), each) for each in normalized))
        # First, so that a workspace with the maximum number of canned responses can get others.
        for key, response in existing.items():
            if key not in wanted:
                yield SectionChange("remove", response.title, partial(_remove, response))
        for key, entry in wanted.items():
            current = existing.get(key)
            if current is None:
                yield SectionChange("add", entry.title, partial(_add, entry), entry.alias)
                continue
            detail = format_differences(differences(title=(current.title, entry.title)))
            if current.body != entry.body:
                detail += ", body" if detail else "body"
            if detail:
                yield SectionChange("change", current.title, partial(_change, current, entry), detail)


def _key(title: str, address: str) -> str:
    return f"{caseless_key(title)} ({address.lower()})" if address else caseless_key(title)


def _normalize(n: int, entry: CannedResponseDefinition) -> CannedResponseDefinition:
    empty = CannedResponse("", "", None, "", "", 0, 0)
    try:
        response = apply_change(empty, CannedResponseChange(entry.title, entry.body))
    except Refused as refused:
        raise InvalidDocument(f"canned_responses[{n}]: {refused.message}") from None
    return CannedResponseDefinition(title=response.title, alias=entry.alias.strip(), body=response.body)


async def _add(entry: CannedResponseDefinition, services: Services, actor: Actor) -> None:
    alias_id = await _find_alias_id(entry.alias, services, actor) if entry.alias else None
    await services.canned_responses.create(actor, title=entry.title, body=entry.body, alias_id=alias_id)


async def _find_alias_id(address: str, services: Services, actor: Actor) -> str:
    found = await services.aliases.list(actor, AliasFilter(q=address), limit=MAX_LIMIT)
    for alias in found.items:
        if alias.email.lower() == address.lower():
            return alias.id
    raise InvalidDocument(f"canned_responses: {address} is not an alias of this workspace or file")


async def _change(response: CannedResponse, entry: CannedResponseDefinition, services: Services, actor: Actor) -> None:
    await services.canned_responses.change(actor, response.id, CannedResponseChange(entry.title, entry.body))


async def _remove(response: CannedResponse, services: Services, actor: Actor) -> None:
    try:
        await services.canned_responses.delete(actor, response.id)
    except Refused as refused:
        if refused.code != "not_found":  # removed together with its alias
            raise


SECTION = CannedResponseSection()
