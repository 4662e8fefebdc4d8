"""Use cases of templates and canned responses."""

import pytest

from router.admin.templates import canned_responses, templates
from router.admin.templates.canned_responses import ALL_ALIASES, CannedResponseChange
from router.admin.templates.templates import TemplateChange
from router.model import Ticket
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code

EDITABLE = '<h1>Hi {name}</h1><script>x</script><div data-editable onclick="x">Answer</div><a href="{link}">Ticket</a>'


async def open_ticket(installation: Installation) -> Ticket:
    content = mails.plain(subject="Tea & <cake>", from_="Ada Lovelace <ada@customer.test>")
    ticket_id = await installation.accept_ticket(content)
    return (await installation.tickets.get(installation.actor, ticket_id)).ticket


async def test_templates_are_checked_changed_and_deleted(installation: Installation) -> None:
    actor, service = installation.actor, installation.services.templates
    created = await service.create(actor, name=" Received ", body="Hi {name|there}")
    assert (created.name, created.subject, created.mode) == ("Received", "", "text")
    for fields, expected in (
        ({"name": "received", "body": "x"}, ("conflict", "name")),
        ({"name": "Other", "body": "{firstname}"}, ("unknown_placeholder", "body")),
        ({"name": "Other", "body": "x", "subject": "{name"}, ("unknown_placeholder", "subject")),
        ({"name": "Other", "body": " \n"}, ("invalid_request", "body")),
        ({"name": "Other", "body": "x" * 100_001}, ("invalid_request", "body")),
        ({"name": "Other", "body": "x", "subject": "a\nb"}, ("invalid_request", "subject")),
        ({"name": "Other", "body": "x", "mode": "html"}, ("invalid_request", "mode")),
        ({"name": "Other", "body": "<p>x</p>", "mode": "editable_html"}, ("invalid_request", "body")),
        ({"name": "Other", "body": EDITABLE * 2, "mode": "editable_html"}, ("invalid_request", "body")),
        ({"name": "Other", "body": "<hr data-editable>x", "mode": "editable_html"}, ("invalid_request", "body")),
        ({"name": "Other", "body": "<script>x</script>", "mode": "static_html"}, ("invalid_request", "body")),
        ({"name": "Other", "body": "{name|<b>x</b>}", "mode": "static_html"}, ("invalid_request", "body")),
    ):
        assert await refused_code(service.create(actor, **fields)) == expected, fields
    assert await refused_code(service.change(actor, created.id, TemplateChange(body="{x}"))) == (
        "unknown_placeholder",
        "body",
    )
    changed = await service.change(actor, created.id, TemplateChange(name="RECEIVED", subject="{subject}"))
    assert (changed.name, changed.subject, changed.body) == ("RECEIVED", "{subject}", "Hi {name|there}")
    assert await service.get(actor, created.id) == changed
    stranger = await installation.add_workspace()
    assert (await service.list(stranger)).items == ()
    assert await refused_code(service.delete(stranger, created.id)) == ("not_found", None)
    await service.delete(actor, created.id)
    assert await service.list_all(actor) == []


async def test_html_is_sanitised_when_it_is_saved_and_values_are_escaped(installation: Installation) -> None:
    ticket, actor, service = await open_ticket(installation), installation.actor, installation.services.templates
    template = await service.create(actor, name="Page", body=EDITABLE, mode="editable_html", subject="{subject}")
    assert template.body == '<h1>Hi {name}</h1><div data-editable="">Answer</div><a href="{link}">Ticket</a>'
    rendered = await service.render(actor, template.id, str(ticket.number), text="One <b>\n\nTwo")
    assert '<div data-editable=""><p>One &lt;b&gt;</p><p>Two</p></div>' in rendered.html
    assert (rendered.subject, "Hi Ada Lovelace" in rendered.text) == ("Tea & <cake>", True)
    body = "<p>{subject} {email}</p>"
    static = await service.change(actor, template.id, TemplateChange(body=body, mode="static_html", subject=""))
    rendered = await service.render(actor, static.id, ticket.id)
    assert rendered.html == "<p>Tea &amp; &lt;cake&gt; ada@customer.test</p>"
    assert rendered.text == "Tea & <cake> ada@customer.test"
    assert await refused_code(service.render(await installation.add_workspace(), static.id, ticket.id)) == (
        "not_found",
        None,
    )


async def test_values_are_those_of_the_newest_mail_of_the_customer(installation: Installation) -> None:
    ticket, actor, service = await open_ticket(installation), installation.actor, installation.services.templates
    await installation.execute("UPDATE workspaces SET timezone = 'Asia/Tokyo', locale = 'de'")
    await installation.execute("UPDATE messages SET received_at = 1893540000000000")  # 2030-01-01T23:20:00Z
    template = await service.create(actor, name="All", body="{name} {email} {date} {agent|A} {ticket} {alias} {link}")
    rendered = await service.render(actor, template.id, ticket.id)
    assert rendered.text.startswith(f"Ada Lovelace ada@customer.test 02.01.2030 A {ticket.number} {ticket.address}")
    assert rendered.missing == ("link",)
    await installation.execute("UPDATE messages SET automatic = 'auto-reply', from_name = 'Robot'")
    assert (await service.render(actor, template.id, ticket.id)).text.startswith("Ada Lovelace ada@customer.test")


async def test_canned_responses_belong_to_an_alias_or_to_all(installation: Installation) -> None:
    ticket, actor, service = await open_ticket(installation), installation.actor, installation.services.canned_responses
    hours = await service.create(actor, title="Hours", body="Hi {name}, 9 to 5")
    own = await service.create(actor, title="hours", body="Own", alias_id=ticket.alias_id)
    for fields, expected in (
        ({"title": "HOURS", "body": "x"}, ("conflict", "title")),
        ({"title": "x" * 101, "body": "x"}, ("invalid_request", "title")),
        ({"title": "x", "body": "x" * 5001}, ("invalid_request", "body")),
        ({"title": "x", "body": "{x}"}, ("unknown_placeholder", "body")),
        ({"title": "x", "body": "x", "alias_id": f"alias_{'0' * 26}"}, ("not_found", "aliasId")),
    ):
        assert await refused_code(service.create(actor, **fields)) == expected, fields
    assert [each.id for each in await service.list_usable(actor, ticket.alias_id)] == [hours.id, own.id]
    assert [each.id for each in await service.list_usable(actor, None)] == [hours.id]
    assert (await service.render(actor, hours.id, ticket.id)).text == "Hi Ada Lovelace, 9 to 5"
    for_all = CannedResponseChange(alias_id=ALL_ALIASES)
    assert await refused_code(service.change(actor, own.id, for_all)) == ("conflict", "title")
    changed = await service.change(actor, own.id, CannedResponseChange(title="Own", alias_id=ALL_ALIASES))
    assert (changed.title, changed.alias_id, changed.body) == ("Own", None, "Own")
    await service.delete(actor, own.id)
    assert await refused_code(service.get(actor, own.id)) == ("not_found", None)


async def test_a_workspace_has_a_limited_number_of_texts(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "MAX_TEMPLATES", 1)
    monkeypatch.setattr(canned_responses, "MAX_CANNED_RESPONSES", 1)
    actor, services = installation.actor, installation.services
    template = await services.templates.create(actor, name="A", body="x")
    await services.canned_responses.create(actor, title="A", body="x")
    assert await refused_code(services.templates.create(actor, name="B", body="x")) == ("conflict", None)
    assert await refused_code(services.canned_responses.create(actor, title="B", body="x")) == ("conflict", None)
    await services.templates.change(actor, template.id, TemplateChange(name="B"))
