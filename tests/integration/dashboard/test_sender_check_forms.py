"""The forms of the sender checks of the workspace and of an alias, and the count of spam on the overview."""

import re

from router.checks.results import MessageChecks, to_values
from tests.integration.admin.test_check_previews import FAIL
from tests.support.installation.dashboard import PageResponse, signed_in_client
from tests.support.installation.http import ServedInstallation
from tests.support.spam import hold_as_spam

FORM = {"onFail": "quarantine", "onSpam": "flag", "spamScore": "6.5"}


def checked_values(page: PageResponse) -> dict[str, str]:
    """Returns the chosen values, and the spam score."""
    radios = re.findall(r'<input type="radio" name="(on\w+)" value="(\w*)" checked>', page.text)
    score = re.search(r'name="spamScore"[^>]* value="([^"]*)"', page.text)
    assert score is not None
    return {**dict(radios), "spamScore": score[1]}


async def accept_failing(served: ServedInstallation) -> str:
    ticket_id = await served.accept_ticket()
    (row,) = await served.execute("SELECT message_id FROM ticket_messages WHERE ticket_id = :id", id=ticket_id)
    values = to_values(MessageChecks("done", 1, facts=FAIL))
    await served.database.execute("check_store", message_id=row["message_id"], **values)
    return ticket_id


async def test_settings_of_the_workspace(served: ServedInstallation) -> None:
    await served.create_alias()
    admin = await signed_in_client(served, "admin")
    url, page = "/manage/workspace/sender-checks", await admin.get("/manage/workspace")
    assert checked_values(page) == {"onFail": "flag", "onSpam": "quarantine", "spamScore": ""}
    assert "would be held" not in page.visible_text
    nothing = await admin.post(url, FORM | {"preview": "yes"})
    assert "No message was checked yet" in nothing.visible_text
    for _ in range(2):
        await accept_failing(served)
    preview = await admin.post(url, FORM | {"preview": "yes"})
    assert (preview.status, checked_values(preview)) == (200, FORM)
    expected = "Of the last 2 messages, 2 would be held as spam, and 0 would get a warning. Nothing is saved yet."
    assert expected in preview.visible_text
    assert checked_values(await admin.get("/manage/workspace"))["onFail"] == "flag"
    saved = await admin.post_and_follow(url, FORM)
    assert "Sender checks saved." in saved.visible_text
    assert checked_values(saved) == FORM
    for form in (FORM, FORM | {"preview": "yes"}):
        refused = await admin.post(url, form | {"spamScore": "many"})
        assert (refused.status, 'id="e-spamScore"' in refused.text) == (400, True)
        assert "Spam score must be a number" in refused.visible_text
    viewer = await signed_in_client(served, "viewer")
    assert (
        "Messages that fail DMARC: Hold as spam. Spam: Warn. Spam score: 6.5."
        in (await viewer.get("/manage/workspace")).visible_text
    )


async def test_settings_of_an_alias(served: ServedInstallation) -> None:
    _, _, alias_id = await served.create_alias()
    admin = await signed_in_client(served, "admin")
    url = f"/manage/aliases/{alias_id}"
    page = await admin.get(url)
    assert checked_values(page) == {"onFail": "", "onSpam": "", "spamScore": ""}
    assert "Same as the workspace Currently: Warn." in page.visible_text
    await accept_failing(served)
    form = {"onFail": "quarantine", "onSpam": "", "spamScore": ""}
    preview = await admin.post(f"{url}/sender-checks", form | {"preview": "yes"})
    assert "Of the last message, 1 would be held as spam, and 0 would get a warning." in preview.visible_text
    saved = await admin.post_and_follow(f"{url}/sender-checks", form)
    assert checked_values(saved) == form
    assert "changed the action for messages that fail DMARC of" in (await admin.get("/activity/audit")).visible_text
    viewer = await signed_in_client(served, "viewer")
    summary = "Messages that fail DMARC: Hold as spam. Spam: Same as the workspace."
    assert summary in (await viewer.get(url)).visible_text
    inherits = await admin.post_and_follow(f"{url}/sender-checks", form | {"onFail": ""})
    assert checked_values(inherits)["onFail"] == ""
    assert (await admin.post("/manage/aliases/alias_1/sender-checks", form)).status == 404


async def test_the_overview_counts_tickets_held_as_spam(served: ServedInstallation) -> None:
    await served.create_alias()
    admin = await signed_in_client(served, "admin")
    assert "held as spam" not in (await admin.get("/activity/overview")).visible_text
    await hold_as_spam(served, await served.accept_ticket())
    page = await admin.get("/activity/overview")
    assert '<li class="tile"><a href="/tickets/spam"><strong>1</strong> <span>held as spam</span></a></li>' in page.text
