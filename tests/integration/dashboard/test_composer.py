"""Replies in the dashboard without JavaScript: the composer, undo, and what stops a reply."""

import re
from html import unescape

import aiohttp
import pytest

from tests.support import mails
from tests.support.installation.dashboard import FormClient, PageResponse, signed_in_client
from tests.support.installation.http import ServedInstallation
from tests.support.installation.replies import allow_sending

TEXT = "It is fixed, <b>really</b>."
FORM = {"to": "Ada <ada@customer.test>", "cc": "", "bcc": "", "subject": "Re: Door", "text": TEXT, "status": "waiting"}


async def open_ticket(served: ServedInstallation, content: bytes = b"") -> tuple[str, FormClient]:
    await served.create_alias()
    await allow_sending(served)
    ticket_id = await served.accept_ticket(content or mails.plain())
    return f"/tickets/{ticket_id}", await signed_in_client(served, "agent")


def field(page: PageResponse, name: str) -> str:
    """Returns the value of a field of the reply."""
    form = page.text[page.text.index('id="reply-form"') :].partition("</form>")[0]
    if name == "text":
        return unescape(re.findall(r"<textarea[^>]*>(.*?)</textarea>", form, re.DOTALL)[0])
    return unescape(re.findall(rf'name="{name}"[^>]* value="([^"]*)"', form)[0])


async def test_a_reply_with_a_file_is_sent_undone_and_sent_again(sqlite_served: ServedInstallation) -> None:
    path, client = await open_ticket(sqlite_served)
    page = await client.get(path)
    assert (field(page, "to"), field(page, "subject")) == ("Ada Customer <ada@customer.test>", "Re: The door is stuck")
    assert '<details class="copies">' in page.text
    data = aiohttp.FormData({**FORM, "quote": "yes", "ifLastMessageId": field(page, "ifLastMessageId")})
    data.add_field("files", "1;2", filename="lamp.csv", content_type="text/csv")
    sent = await client.request("POST", f"{path}/replies", data=data, headers={"Origin": client.root})
    assert (sent.status, sent.location) == (303, path)
    page = await client.get(path)
    assert "Reply to ada@customer.test queued, sent in 10 s . Undo" in page.visible_text
    assert "lamp.csv" in page.text
    assert field(page, "text") == ""
    (cancel,) = re.findall(r'id="undo-rpl_\w+".*?action="([^"]+)"', page.text, re.DOTALL)
    page = await client.post_and_follow(cancel, {})
    assert "Reply not sent. Its text is a draft again." in page.visible_text
    assert (field(page, "text"), field(page, "to")) == (TEXT, "Ada <ada@customer.test>")
    (kept,) = re.findall(r'name="(attachment-upl_\w+)" value="yes" checked', page.text)
    page = await client.post_and_follow(f"{path}/replies", {**FORM, kept: "yes"})
    assert ("lamp.csv" in page.text, "queued, sent in" in page.visible_text) == (True, True)
    assert 'id="undo' not in (await (await signed_in_client(sqlite_served, "viewer")).get(path)).text
    assert 'aria-label="Our reply:"' in (await client.get("/tickets")).text


async def test_a_reply_that_is_retried_can_be_sent_at_once(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    path, client = await open_ticket(served)
    assert (await client.post(f"{path}/replies", FORM)).status == 303
    later = served.clock.now() + 3600 * 1_000_000
    await served.execute(
        "UPDATE reply_recipients SET state = 'retrying', code = 451, at = :now", now=served.clock.now()
    )
    await served.execute("UPDATE replies SET state = 'retrying'")
    await served.execute("UPDATE deliveries SET next_attempt_at = :later WHERE target = 'smarthost'", later=later)
    for page in (await client.get("/activity/outbox"), await client.get(path)):
        assert "Retry now" in page.visible_text
    (action,) = re.findall(r'action="([^"]+/retry[^"]*)"', page.text)
    assert (await client.post(action, {})).status == 303
    (due,) = await served.execute("SELECT next_attempt_at FROM deliveries WHERE target = 'smarthost'")
    assert due["next_attempt_at"] == served.clock.now()


async def test_a_reply_stops_at_a_newer_message_once(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    path, client = await open_ticket(served, mails.plain(message_id="<1@t.test>"))
    seen = field(await client.get(path), "ifLastMessageId")
    await served.accept_message(mails.reply_to("<1@t.test>", text="Wait, it works again!"))
    refused = await client.post(f"{path}/replies", {**FORM, "ifLastMessageId": seen, "cc": "Bob <bob@x.test>"})
    assert refused.status == 409
    assert "The customer wrote again meanwhile" in refused.visible_text
    assert "Wait, it works again!" in refused.visible_text
    assert (field(refused, "text"), field(refused, "cc")) == (TEXT, "Bob <bob@x.test>")
    assert '<details class="copies" open>' in refused.text
    assert 'title="Send (Ctrl+Enter)">Send anyway</button>' in refused.text
    newest = field(refused, "ifLastMessageId")
    assert newest != seen
    assert (await client.post(f"{path}/replies", {**FORM, "ifLastMessageId": newest})).status == 303
    colleague = await signed_in_client(served, "admin")
    refused = await colleague.post(f"{path}/replies", {**FORM, "ifLastMessageId": newest})
    assert "A colleague answered meanwhile" in refused.visible_text
    assert (
        await colleague.post(f"{path}/replies", {**FORM, "ifLastMessageId": field(refused, "ifLastMessageId")})
    ).status == 303


async def test_an_address_that_bounced_three_times_needs_a_confirmation(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    path, client = await open_ticket(served)
    for _ in range(3):
        assert (await client.post(f"{path}/replies", FORM)).status == 303
    await served.execute("UPDATE reply_recipients SET state = 'bounced', code = 550, at = :now", now=served.clock.now())
    await served.execute("UPDATE replies SET state = 'bounced'")
    page = await client.get(path)
    assert "Mail to ada@customer.test has bounced permanently several times. Send anyway" in page.visible_text
    refused = await client.post(f"{path}/replies", FORM)
    assert (refused.status, field(refused, "text")) == (400, TEXT)
    assert "Not sent: " in refused.visible_text
    assert (await client.post(f"{path}/replies", {**FORM, "force": "yes"})).status == 303


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"to": ""}, "To must name at least one address"),
        ({"to": "ada@customer.test, Bob"}, "Bob"),
        ({"to": "support@example.org"}, "support@example.org"),
        ({"text": " "}, "Text must not be empty"),
        ({"subject": "a" * 1000}, "Subject"),
        ({"status": "gone"}, "status"),
    ],
)
async def test_a_refused_reply_keeps_its_form(
    sqlite_served: ServedInstallation, changed: dict[str, str], message: str
) -> None:
    path, client = await open_ticket(sqlite_served)
    form = {**FORM, "cc": "bob@x.test", **changed}
    refused = await client.post(f"{path}/replies", form)
    assert refused.status == 400
    assert message in refused.visible_text
    assert {name: field(refused, name) for name in ("to", "cc", "subject", "text")} == {
        name: form[name] for name in ("to", "cc", "subject", "text")
    }
    assert await sqlite_served.count_rows("replies") == 0


async def test_buttons_fill_the_form(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    path, client = await open_ticket(served, mails.plain(headers={"Cc": "Bob <bob@x.test>"}))
    canned = await served.services.canned_responses.create(served.actor, title="Hours", body="Hello {name}, 9 to 17.")
    template = await served.services.templates.create(
        served.actor, name="Repair", subject="Your repair", body="<h1>Repair</h1><p data-editable>x</p>",
        mode="editable_html",
    )  # fmt: skip
    page = await client.get(path)
    assert "1 other person is in this conversation. Reply all" in page.visible_text
    filled = await client.post(f"{path}/compose", {**FORM, "fill": "all"})
    assert (filled.status, field(filled, "cc"), field(filled, "text")) == (200, "Bob <bob@x.test>", TEXT)
    assert "Reply all" not in filled.visible_text
    filled = await client.post(f"{path}/compose", {**FORM, "fill": "text", "insert": canned.id})
    assert field(filled, "text") == f"{TEXT}\n\nHello Ada Customer, 9 to 17."
    filled = await client.post(f"{path}/compose", {**FORM, "fill": "text", "insert": template.id})
    assert (field(filled, "templateId"), field(filled, "subject")) == (template.id, "Your repair")
    assert "Template Repair : your text takes the place of its editable part." in filled.visible_text
    assert (await client.post(f"{path}/replies", {**FORM, "templateId": template.id})).status == 303
    shown = await client.get(path)
    assert "Repair" in shown.visible_text
    refused = await client.post(f"{path}/compose", {**FORM, "fill": "text", "insert": ""})
    assert (refused.status, field(refused, "text")) == (400, TEXT)


async def test_drafts_of_both_forms(sqlite_served: ServedInstallation) -> None:
    path, client = await open_ticket(sqlite_served)
    await client.post_and_follow(f"{path}/draft", {**FORM, "kind": "reply", "to": "eve@x.test"})
    page = await client.post_and_follow(f"{path}/draft", {"kind": "note", "text": "Ask **Bob**"})
    assert (field(page, "text"), field(page, "to"), page.text.count("Draft saved")) == (TEXT, "eve@x.test", 3)
    assert ">Ask **Bob**</textarea>" in page.text
    other = await (await signed_in_client(sqlite_served, "agent", "b@people.test")).get(path)
    assert (field(other, "text"), "Ask **Bob**" in other.text) == ("", False)


async def test_without_sending_a_mail_program_writes_the_reply(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket(mails.plain())
    client = await signed_in_client(served, "admin")
    page = await client.get(f"/tickets/{ticket_id}")
    assert "No replies can be sent from here yet. Set a smarthost:" in page.visible_text
    (link,) = {unescape(each) for each in re.findall(r'href="(mailto:[^"]+)"', page.text)}
    assert re.fullmatch(
        r"mailto:ada@customer\.test\?cc=support%2Bt-[a-z2-7]{26}@example\.org&subject=Re%3A%20The%20door%20is%20stuck",
        link,
    )
    refused = await client.post(f"/tickets/{ticket_id}/replies", FORM)
    assert (refused.status, "smarthost" in refused.visible_text) == (409, True)


async def test_a_new_sender_is_marked_and_no_recipient(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    path, client = await open_ticket(served, mails.plain(message_id="<1@t.test>", headers={"Cc": "mallory@else.test"}))
    await served.accept_message(mails.reply_to("<1@t.test>", from_="Mallory <mallory@else.test>", text="Me too"))
    await served.execute("UPDATE ticket_messages SET new_sender = 1 WHERE joined_by <> ''")
    page = await client.get(path)
    assert field(page, "to") == "Ada Customer <ada@customer.test>"
    assert "New sender mallory@else.test wrote to this ticket for the first time" in page.visible_text
    filled = await client.post(f"{path}/compose", {**FORM, "fill": "to:mallory@else.test"})
    assert field(filled, "to") == "Ada <ada@customer.test>, mallory@else.test"
