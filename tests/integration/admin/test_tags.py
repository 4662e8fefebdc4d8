"""Tags of tickets. Random changes are compared with a plain implementation of the rules."""

import asyncio
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.tickets import tags as tags_module
from router.admin.tickets.tag_names import validate_color, validate_name
from router.admin.tickets.tags import MAX_TAGS_OF_TICKET, TagService
from router.errors import Refused
from router.filters import TicketFilter
from router.provisioning.sections.tags import SECTION, TagDefinition
from router.tag import caseless_key
from tests.support.installation import Installation
from tests.support.refusal import refused_code

NAMES = ("Billing", "BILLING", "billing ", "Straße", "STRASSE", "Übergabe", "U\u0308BERGABE", "VIP", "spare  parts")


def tag_service(installation: Installation) -> TagService:
    return installation.tickets.tags


async def names_of(installation: Installation, ticket_id: str) -> list[str]:
    view = await installation.tickets.get(installation.actor, ticket_id)
    return [tag.name for tag in view.ticket.tags]


@given(st.text())
def test_names_with_the_same_key_stay_equal(text: str) -> None:
    key = caseless_key(text)
    assert caseless_key(key) == caseless_key(f" {text} ") == key
    try:
        name = validate_name(text, "name")
    except Refused as refused:
        assert refused.field == "name"  # noqa: PT017 - most texts are valid
    else:
        assert validate_name(name, "name") == name
        assert caseless_key(name) == key
        assert 1 <= len(name) <= 50


@pytest.mark.parametrize("color", ["red", "#12345", "#1234567", "123456", "#12345g", "#1234 6", "#١٢٣٤٥٦"])
def test_invalid_colors(color: str) -> None:
    with pytest.raises(Refused, match="#rrggbb"):
        validate_color(color)


async def test_a_ticket_gets_and_loses_tags(installation: Installation) -> None:
    ticket_id, agent = await installation.accept_ticket(), await installation.add_actor()
    tags = tag_service(installation)
    installation.clock.advance(5)
    found = await tags.tag_ticket(agent, ticket_id, add=["VIP", "Billing", "vip"])
    assert [tag.name for tag in found] == ["Billing", "VIP"]
    found = await tags.tag_ticket(agent, ticket_id, add=["BILLING", "Spare  parts"], remove=["Vip", "unknown"])
    assert [tag.name for tag in found] == ["Billing", "Spare parts"]
    view = await installation.tickets.get(installation.actor, ticket_id)
    assert view.ticket.tags == found
    assert view.ticket.updated_at == installation.clock.now()
    changes = [event for event in view.events if event.type == "ticket.tags_changed"]
    assert [json.loads(event.detail) for event in changes] == [
        {"added": ["Billing", "VIP"]},
        {"added": ["Spare parts"], "removed": ["VIP"]},
    ]
    assert [(event.sequence, event.user_id) for event in changes] == [(2, agent.user_id), (3, agent.user_id)]
    for add, remove in (([], []), (["billing"], ["VIP"]), (["BILLING", "billing"], [])):
        assert await tags.tag_ticket(agent, ticket_id, add=add, remove=remove) == found
    assert len((await installation.tickets.get(agent, ticket_id)).events) == len(view.events), "no event for no change"
    (listed,) = (await installation.tickets.list(agent, TicketFilter(tag="spare PARTS"))).items
    assert listed.tags == found
    (searched,) = (await installation.tickets.list(agent, TicketFilter(tag="billing", q="door"))).items
    assert searched.tags == found


async def test_invalid_tags_are_refused(installation: Installation) -> None:
    ticket_id, tags, actor = await installation.accept_ticket(), tag_service(installation), installation.actor
    for name in ("", "  ", "a\nb", "x" * 51, "a\u200bb", "\u202eb", "\ud800"):
        assert await refused_code(tags.tag_ticket(actor, ticket_id, add=[name])) == ("invalid_request", "add")
        assert await refused_code(tags.tag_ticket(actor, ticket_id, remove=[name])) == ("invalid_request", "remove")
    both = tags.tag_ticket(actor, ticket_id, add=["VIP"], remove=["vip"])
    assert await refused_code(both) == ("invalid_request", "remove")
    many = [f"tag {n}" for n in range(MAX_TAGS_OF_TICKET + 1)]
    assert await refused_code(tags.tag_ticket(actor, ticket_id, add=many)) == ("invalid_request", "add")
    assert await installation.all_rows("tags") == []
    await tags.tag_ticket(actor, ticket_id, add=many[1:])
    await tags.tag_ticket(actor, ticket_id, add=many[:1], remove=many[1:2])
    assert len(await names_of(installation, ticket_id)) == MAX_TAGS_OF_TICKET
    other = await installation.add_workspace()
    assert await refused_code(tags.tag_ticket(other, ticket_id, add=["x"])) == ("not_found", None)


async def test_the_tags_of_a_workspace_are_limited(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags_module, "MAX_TAGS", 3)
    ticket_id, tags, actor = await installation.accept_ticket(), tag_service(installation), installation.actor
    results = await asyncio.gather(
        *(tags.tag_ticket(actor, ticket_id, add=[f"tag {n}"]) for n in range(6)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Refused"] * 3 + ["tuple"] * 3
    assert len(await names_of(installation, ticket_id)) == 3


async def test_applied_tags_can_replace_others_at_the_limit(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags_module, "MAX_TAGS", 3)
    services, actor = installation.services, installation.actor
    for name in ("kept", "old", "older"):
        await tag_service(installation).create(actor, name)
    entries = [TagDefinition(name=name) for name in ("new", "kept", "newer")]
    for change in SECTION.plan(entries, await SECTION.read(services, actor)):
        await change.execute(services, actor)
    assert [tag.name for tag in await SECTION.read(services, actor)] == ["kept", "new", "newer"]


async def test_concurrent_tags_of_one_ticket_are_all_kept(installation: Installation) -> None:
    ticket_id, second = await installation.accept_ticket(), installation.second_process()
    agents = [await installation.add_actor() for _ in range(3)]
    services = (tag_service(installation), second.tickets.tags)
    names = [f"tag {n}" for n in range(MAX_TAGS_OF_TICKET + 5)]
    try:
        results = await asyncio.gather(
            *(
                services[n % 2].tag_ticket(agents[n % 3], ticket_id, add=[name, names[0].upper()])
                for n, name in enumerate(names)
            ),
            return_exceptions=True,
        )
    finally:
        await second.close()
    refused = [result for result in results if isinstance(result, BaseException)]
    assert {type(each) for each in refused} == {Refused}
    assert 5 <= len(refused) <= 6
    kept = await names_of(installation, ticket_id)
    assert len({caseless_key(name) for name in kept}) == len(kept) == MAX_TAGS_OF_TICKET
    view = await installation.tickets.get(installation.actor, ticket_id)
    assert [event.sequence for event in view.events] == list(range(1, len(view.events) + 1))


async def test_a_new_tag_is_created_once(installation: Installation) -> None:
    ticket_ids = [await installation.accept_ticket() for _ in range(6)]
    tags, spellings = tag_service(installation), ("VIP", "vip", "Vip")
    await asyncio.gather(
        *(
            tags.tag_ticket(installation.actor, ticket_id, add=[spellings[n % 3], "b", "a"][:: 1 if n % 2 else -1])
            for n, ticket_id in enumerate(ticket_ids)
        )
    )
    assert sorted(str(row["name_key"]) for row in await installation.all_rows("tags")) == ["a", "b", "vip"]
    assert await installation.count_rows("ticket_tags") == 18


async def test_tags_are_listed_with_the_number_of_their_tickets(installation: Installation) -> None:
    tags, actor = tag_service(installation), installation.actor
    for n in range(5):
        ticket_id = await installation.accept_ticket()
        await tags.tag_ticket(actor, ticket_id, add=[f"tag {each}" for each in range(n + 1)])
    seen, cursor = [], None
    while True:
        page = await tags.list(actor, limit=2, cursor=cursor)
        seen += [(counted.tag.name, counted.ticket_count) for counted in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [(f"tag {n}", 5 - n) for n in range(5)]
    assert (await tags.list(await installation.add_workspace())).items == ()


@pytest.mark.parametrize("batch", [1, 2, 500])
async def test_renaming_onto_another_tag_merges_the_two(
    installation: Installation, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags_module, "BATCH_TICKETS", batch)
    tags, actor = tag_service(installation), installation.actor
    tickets = [await installation.accept_ticket() for _ in range(5)]
    for n, ticket_id in enumerate(tickets):
        await tags.tag_ticket(actor, ticket_id, add=[("Bill",), ("Bill", "Billing"), ("Billing",), ("VIP",)][n % 4])
    old, kept = (await tags.find(actor, "bill")).tag, (await tags.find(actor, "BILLING")).tag
    renamed = await tags.change(actor, kept.id, name="Invoices", color="#FF0000")
    assert (renamed.tag.id, renamed.tag.name, renamed.tag.color) == (kept.id, "Invoices", "#ff0000")
    merged = await tags.change(actor, old.id, name=" INVOICES", color="#00FF00")
    assert (merged.tag.id, merged.tag.name, merged.tag.color, merged.ticket_count) == (
        kept.id,
        "Invoices",
        "#00ff00",
        4,
    )
    assert [await names_of(installation, one) for one in tickets] == [["Invoices"]] * 3 + [["VIP"], ["Invoices"]]
    assert await refused_code(tags.get(actor, old.id)) == ("not_found", None)
    respelled = await tags.change(actor, kept.id, name="INVOICES", color="")
    assert (respelled.tag.id, respelled.tag.name, respelled.tag.color) == (kept.id, "INVOICES", "")
    await tags.delete(actor, kept.id)
    assert [await names_of(installation, one) for one in tickets] == [[]] * 3 + [["VIP"], []]
    assert (await tags.find(actor, "vip")).ticket_count == 1
    entries = (await installation.services.audit.list(actor)).items
    assert [(entry.action, json.loads(entry.detail)) for entry in entries] == [
        ("tag.delete", {"name": "INVOICES"}),
        ("tag.change", {"name": "INVOICES", "color": "", "before": {"name": "Invoices", "color": "#00ff00"}}),
        ("tag.merge", {"name": "Bill", "into": "Invoices", "color": "#00ff00"}),
        ("tag.change", {"name": "Invoices", "color": "#ff0000", "before": {"name": "Billing", "color": ""}}),
    ]
    other = await installation.add_workspace()
    vip = (await tags.find(actor, "vip")).tag
    for refused in (tags.change(other, vip.id, name="x"), tags.delete(other, vip.id), tags.get(other, vip.id)):
        assert await refused_code(refused) == ("not_found", None)


async def test_erasing_a_ticket_erases_its_tags(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    await tag_service(installation).tag_ticket(installation.actor, ticket_id, add=["VIP"])
    await installation.tickets.delete(installation.actor, ticket_id)
    assert await installation.count_rows("ticket_tags") == 0
    assert (await tag_service(installation).find(installation.actor, "vip")).ticket_count == 0


@pytest.mark.parametrize("seed", range(3))
async def test_random_changes_agree_with_a_plain_implementation(installation: Installation, seed: int) -> None:
    rng, tags, actor = random.Random(seed), tag_service(installation), installation.actor
    expected: dict[str, set[str]] = {await installation.accept_ticket(): set() for _ in range(4)}
    for _ in range(60):
        ticket_id = rng.choice(list(expected))
        add = rng.sample(NAMES, rng.randrange(3))
        remove = [name for name in rng.sample(NAMES, 2) if caseless_key(name) not in set(map(caseless_key, add))]
        match rng.randrange(8):
            case 0 if add and any(expected.values()):
                key = rng.choice(sorted(set().union(*expected.values())))
                await tags.change(actor, (await tags.find(actor, key)).tag.id, name=add[0])
                new = caseless_key(add[0])
                expected = {one: {new if tag == key else tag for tag in found} for one, found in expected.items()}
            case 1 if any(expected.values()):
                key = rng.choice(sorted(set().union(*expected.values())))
                await tags.delete(actor, (await tags.find(actor, key)).tag.id)
                expected = {one: found - {key} for one, found in expected.items()}
            case _:
                await tags.tag_ticket(actor, ticket_id, add=add, remove=remove)
                expected[ticket_id] -= set(map(caseless_key, remove))
                expected[ticket_id] |= set(map(caseless_key, add))
        for one, found in expected.items():
            assert [caseless_key(name) for name in await names_of(installation, one)] == sorted(found)
    for name in NAMES:
        page = await installation.tickets.list(actor, TicketFilter(tag=name))
        assert {ticket.id for ticket in page.items} == {
            one for one, found in expected.items() if caseless_key(name) in found
        }


async def test_tags_stay_consistent_while_they_are_merged_and_deleted(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags_module, "BATCH_TICKETS", 1)
    tags, actor, second = tag_service(installation), installation.actor, installation.second_process()
    tickets = [await installation.accept_ticket() for _ in range(4)]

    async def attempt(change: object) -> None:
        try:
            await change  # type: ignore[misc]  # a coroutine
        except Refused as refused:
            if refused.code != "not_found":
                raise

    try:
        for n in range(8):
            for ticket_id in tickets:
                await tags.tag_ticket(actor, ticket_id, add=["one", "two"])
            one, two = [(await tags.find(actor, name)).tag.id for name in ("one", "two")]
            await asyncio.gather(
                attempt(tags.change(actor, one, name="Two")),
                attempt(second.tickets.tags.delete(actor, two) if n % 2 else tags.change(actor, two, color="#00ff00")),
                *(second.tickets.tags.tag_ticket(actor, each, add=["one"], remove=["two"]) for each in tickets),
            )
            known = {str(row["id"]) for row in await installation.all_rows("tags")}
            links = await installation.execute("SELECT tag_id FROM ticket_tags")
            assert {str(row["tag_id"]) for row in links} <= known
    finally:
        await second.close()


async def test_other_processes_can_write_between_the_transactions(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags_module, "BATCH_TICKETS", 1)
    tags, actor = tag_service(installation), installation.actor
    for _ in range(3):
        await tags.tag_ticket(actor, await installation.accept_ticket(), add=["bill"])
    tag = (await tags.find(actor, "bill")).tag
    counts = []

    async def pause() -> None:
        counts.append((await tags.get(actor, tag.id)).ticket_count)

    monkeypatch.setattr("router.store.batches.pause", pause)
    await tags.delete(actor, tag.id)
    assert counts == [2, 1, 0]
