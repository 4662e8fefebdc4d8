"""Lists and conversations with very large messages have a bounded size, and omitted parts are linked."""

import re
from dataclasses import replace

from router.checks.results import MessageChecks
from router.checks.spam_verdict import SpamSymbol
from router.mail.auth_results import AuthResult
from tests.support import mails
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation
from tests.support.sender_checks import SPAM, done, store_checks

MAX_PAGE_BYTES = 100_000
FILES = 300
LENGTH = 60_000  # characters of the text of each message


def heavy_message(n: int, more: str = "", files: int = 0) -> bytes:
    """Builds a message with many `&`, each of which takes five bytes of HTML."""
    named = f'--b\r\nContent-Type: application/x-a\r\nContent-Disposition: attachment; filename="{"&" * 180}'
    parts = "".join(f'{named}{k}"\r\n\r\nx\r\n' for k in range(files))
    return (
        f'From: "{"&" * 900}" <ada@customer.test>\r\nTo: support@example.org\r\nMessage-ID: <{n}@customer.test>\r\n'
        f"Subject: {'&' * 900}{n}\r\n{more}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n{'&' * LENGTH}\r\n{parts}--b--\r\n"
    ).encode()


def large_checks() -> MessageChecks:
    """Returns results with the longest texts that a sender controls, and many findings of the spam filter."""
    signatures = (AuthResult("dkim", "fail", "a" * 253, "a" * 100),) * 5
    spam = replace(SPAM, symbols=(SpamSymbol("&" * 100, 1.0, "&" * 200),) * 100)
    return replace(done("fail", "a" * 253, spam), relay_results=signatures)


async def test_lists_stay_small(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    for n in range(51):
        await sqlite_served.accept_message(heavy_message(n))
    await sqlite_served.core.contents.parse_missing(60)
    client = await signed_in_client(sqlite_served, "admin")
    for path in ("/tickets", "/tickets/unassigned", "/activity/deliveries"):
        response = await client.get(path)
        assert response.text.count("data-row") == (50 if "deliveries" in path else 40)
        assert len(response.text.encode()) < MAX_PAGE_BYTES, path


async def test_ticket_page_stays_small(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    ticket = await sqlite_served.accept_ticket(heavy_message(0, files=FILES))
    for n in range(1, 31):
        await sqlite_served.accept_message(heavy_message(n, "In-Reply-To: <0@customer.test>\r\n", FILES))
    for message in await sqlite_served.services.messages.find(sqlite_served.actor, ticket):
        await store_checks(sqlite_served, message.id, large_checks(), "a" * 400)
    client = await signed_in_client(sqlite_served, "admin")
    response = await client.get(f"/tickets/{ticket}")
    whole = "&amp;" * LENGTH
    assert len(re.findall(rf"(?<=>){whole}(?=<)", response.text)) == 2, (
        "the first and the newest message are shown in full"
    )
    assert len(response.text.encode()) < 3.2 * MAX_PAGE_BYTES + 2 * len(whole), "thirty such messages"
    begun = re.findall(r'<div class="text" dir="auto">(&amp;){100,}', response.text)
    assert len(begun) == 31, "each message shows its beginning"
    assert "more attachments" in response.visible_text
    links = re.findall(r'href="(/tickets/[^"]+/text)"', response.text)
    assert (await client.get(links[-1])).text.count("&") >= LENGTH


async def test_message_with_few_files_lists_all(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    client = await signed_in_client(sqlite_served, "viewer")
    response = await client.get(f"/tickets/{await sqlite_served.accept_ticket(heavy_message(0, files=8))}")
    assert len(re.findall(r'href="/api/emails/messages/[^"]+/attachments/\d+"', response.text)) == 8
    assert "more attachments" not in response.visible_text


async def test_bounce_lists_some_recipients(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    client = await signed_in_client(sqlite_served, "viewer")
    failed = ", ".join(f"{'a' * 200}{n}@customer.test" for n in range(8)).encode()
    ticket = await sqlite_served.accept_ticket(
        mails.plain().replace(b"Subject:", b"X-Failed-Recipients: " + failed + b"\r\nSubject:")
    )
    response = await client.get(f"/tickets/{ticket}")
    assert "Not delivered to aaa" in response.visible_text
    assert "and 3 more" in response.visible_text
    assert "a" * 101 not in response.text


async def test_single_message_with_many_escapes_is_shown_in_full(sqlite_served: ServedInstallation) -> None:
    """The HTML is larger than `MAX_PAGE_BYTES`."""
    await sqlite_served.create_alias()
    client = await signed_in_client(sqlite_served, "viewer")
    mail = heavy_message(0).replace(b"&" * LENGTH, b"\r\n".join([b"<" * 500] * 40 + [b"a" * 500] * 80))
    ticket = await sqlite_served.accept_ticket(mail)
    response = await client.get(f"/tickets/{ticket}")
    assert response.status == 200
    assert "&lt;" * 500 in response.text


async def test_long_notes_are_truncated(sqlite_served: ServedInstallation) -> None:
    """Notes share a limit. A link shows a whole note, and the form that edits one has all of its text."""
    await sqlite_served.create_alias()
    ticket = await sqlite_served.accept_ticket()
    client = await signed_in_client(sqlite_served, "admin")
    for _ in range(33):
        await client.post(f"/tickets/{ticket}/notes", {"text": f"{'&' * 19_990} end"})
    page = await client.get(f"/tickets/{ticket}")
    assert len(page.text.encode()) < MAX_PAGE_BYTES
    older = await client.get(re.findall(r'href="([^"]*before=[^"]*)"', page.text)[0].replace("&amp;", "&"))
    for shown in (page, older):
        for label in ("Show whole note</a>", "Edit<span"):
            assert "&amp; end" not in shown.text
            link = re.findall(rf'href="([^"]*)">{label}', shown.text)[-1].replace("&amp;", "&")
            assert (await client.get(link)).text.count("&amp; end") == 1, link
