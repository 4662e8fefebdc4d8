"""Pages of templates and canned responses, and how replies from an alias look."""

from tests.support import mails
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation


async def test_templates_are_added_previewed_and_removed(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    await served.accept_ticket(mails.plain(from_="Ann <Lee> <ann@customer.test>", subject="Tea"))
    admin = await signed_in_client(served)
    assert "No templates yet." in (await admin.get("/manage/templates")).visible_text
    fields = {"name": "Received", "mode": "text", "subject": "", "body": "Hi {nme}"}
    wrong = await admin.post("/manage/templates", fields)
    assert (wrong.status, ">Hi {nme}</textarea>" in wrong.text) == (400, True)
    assert 'Text contains "{nme}", which is not a placeholder. Write {{ for a literal brace.' in wrong.visible_text
    added = await admin.post_and_follow("/manage/templates", fields | {"body": "Hi {name},\n{agent}"})
    assert "Template added." in added.visible_text
    assert "Hi Ada Sample," in added.visible_text
    (template,) = await served.services.templates.list_all(served.actor)
    path = f"/manage/templates/{template.id}"
    assert "Hi Ann" in (await admin.get(f"{path}?ticket=1")).visible_text
    assert "Ticket not found" in (await admin.get(f"{path}?ticket=99")).visible_text
    html = {"name": "Page", "mode": "static_html", "subject": "Re {ticket}", "body": "<p onclick=x>Hi {name}</p>"}
    saved = await admin.post_and_follow(path, html)
    assert 'sandbox="allow-same-origin allow-popups' in saved.text
    assert "&lt;p&gt;Hi {name}&lt;/p&gt;" in saved.text
    frame = await admin.get(f"{path}/html?ticket=1")
    assert "<p>Hi Ann" in frame.text
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    viewer = await signed_in_client(served, "viewer")
    assert "Save" not in (await viewer.get(path)).visible_text
    assert "No templates yet." in (await admin.post_and_follow(f"{path}/delete", {})).visible_text


async def test_canned_responses_belong_to_an_alias_or_to_all(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, _, alias = await served.create_alias()
    admin = await signed_in_client(served)
    fields = {"title": "Hours", "aliasId": alias, "body": "Hi {name|there}"}
    added = await admin.post_and_follow("/manage/canned-responses", fields)
    assert "Hi Ada Sample" in added.visible_text
    assert "support@example.org" in (await admin.get("/manage/canned-responses")).visible_text
    (response,) = await served.services.canned_responses.list_all(served.actor)
    await admin.post_and_follow(f"/manage/canned-responses/{response.id}", fields | {"aliasId": ""})
    assert "All aliases" in (await admin.get("/manage/canned-responses")).visible_text.partition("Changed")[2]
    taken = await admin.post("/manage/canned-responses", fields | {"aliasId": "", "title": "HOURS"})
    assert (taken.status, "The canned response HOURS already exists" in taken.visible_text) == (409, True)


async def test_reply_settings_of_an_alias_are_saved_and_audited(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration, alias = await served.create_alias()
    template = await served.services.templates.create(served.actor, name="Received", body="Hi")
    admin, path = await signed_in_client(served), f"/manage/aliases/{alias}"
    fields = {"senderName": "{agent}", "signature": "{agent}\nAcme", "replyToToken": "yes", "acknowledge": template.id}
    saved = await admin.post_and_follow(f"{path}/replies", fields)
    assert "Reply settings saved." in saved.visible_text
    for shown in (
        'value="{agent}"',
        ">{agent}\nAcme</textarea>",
        f'value="{template.id}" selected',
        'value="yes" checked',
    ):
        assert shown in saved.text, shown
    await admin.post_and_follow(path, {"integrationId": integration, "forwardedFrom": ""})
    found = await served.services.aliases.get(served.actor, alias)
    assert (found.sender_name, found.reply_to_token) == ("{agent}", 1)
    wrong = await admin.post(f"{path}/replies", fields | {"signature": "{x}"})
    assert (wrong.status, "is not a placeholder" in wrong.visible_text) == (400, True)
    assert "support@example.org" in (await admin.get(f"/manage/templates/{template.id}")).visible_text
    await admin.post_and_follow(f"{path}/replies", {"senderName": "", "signature": "", "acknowledge": ""})
    text = (await admin.get("/activity/audit")).visible_text
    for sentence in (
        "set the sender name of support@example.org to “ {agent} ”",
        "reset the sender name of support@example.org",
        "changed the signature of support@example.org",
        "set that support@example.org acknowledges mail with the template Received",
        "disabled the acknowledgements of support@example.org",
        "set that the Reply-To of answers from support@example.org does not name the ticket",
        "added the template Received",
    ):
        assert sentence in text, sentence
