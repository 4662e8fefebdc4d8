"""What strangers write as large as they can: the pages stay light, and what they leave out is a click away."""

import re

from tests.support import mails
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation

MAX_PAGE_BYTES = 100_000
FILES = 300
LENGTH = 60_000  # characters of each mail


def heavy_message(n: int, more: str = "", files: int = 0) -> bytes:
    """Each octet of it is five on a page."""
    named = f'--b\r\nContent-Type: application/x-a\r\nContent-Disposition: attachment; filename="{"&" * 180}'
    parts = "".join(f'{named}{k}"\r\n\r\nx\r\n' for k in range(files))
    return (
        f'From: "{"&" * 900}" <ada@customer.test>\r\nTo: support@example.org\r\nMessage-ID: <{n}@customer.test>\r\n'
        f"Subject: {'&' * 900}{n}\r\n{more}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n{'&' * LENGTH}\r\n{parts}--b--\r\n"
    ).encode()


async def test_lists(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.alias()
    for n in range(51):
        await sqlite_served.mail(heavy_message(n))
    client = await signed_in_client(sqlite_served, "admin")
    for path in ("/tickets", "/tickets/unassigned", "/activity?state=all"):
        seen = await client.get(path)
        assert seen.text.count("data-row") == 50
        assert len(seen.text.encode()) < MAX_PAGE_BYTES, path


async def test_a_ticket(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.alias()
    ticket = await sqlite_served.ticket(heavy_message(0, files=FILES))
    for n in range(1, 31):
        await sqlite_served.mail(heavy_message(n, "In-Reply-To: <0@customer.test>\r\n", FILES))
    client = await signed_in_client(sqlite_served, "admin")
    seen = await client.get(f"/tickets/{ticket}")
    whole = "&amp;" * LENGTH
    assert len(re.findall(rf"(?<=>){whole}(?=<)", seen.text)) == 2, "the first and the newest"
    assert len(seen.text.encode()) < 2.5 * MAX_PAGE_BYTES + 2 * len(whole), "thirty such mails"
    begun = re.findall(r'<div class="text" dir="auto">(&amp;){100,}', seen.text)
    assert len(begun) == 31, "each shows its beginning"
    assert "more attachments" in seen.visible_text
    links = re.findall(r'href="(/tickets/[^"]+/text)"', seen.text)
    assert (await client.get(links[-1])).text.count("&") >= LENGTH


async def test_a_mail_of_some_files_has_them_all(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.alias()
    client = await signed_in_client(sqlite_served, "viewer")
    seen = await client.get(f"/tickets/{await sqlite_served.ticket(heavy_message(0, files=8))}")
    assert len(re.findall(r'href="/api/emails/messages/[^"]+/attachments/\d+"', seen.text)) == 8
    assert "more attachments" not in seen.visible_text


async def test_a_bounce_names_some_of_its_recipients(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.alias()
    client = await signed_in_client(sqlite_served, "viewer")
    failed = ", ".join(f"{'a' * 200}{n}@customer.test" for n in range(8)).encode()
    ticket = await sqlite_served.ticket(
        mails.plain().replace(b"Subject:", b"X-Failed-Recipients: " + failed + b"\r\nSubject:")
    )
    seen = await client.get(f"/tickets/{ticket}")
    assert "Not delivered to aaa" in seen.visible_text
    assert "and 3 more" in seen.visible_text
    assert "a" * 101 not in seen.text


async def test_a_text_that_weighs_most_at_its_beginning(sqlite_served: ServedInstallation) -> None:
    """What is cut of it by its average weight is still too much: nothing is left for what follows."""
    await sqlite_served.alias()
    client = await signed_in_client(sqlite_served, "viewer")
    mail = heavy_message(0).replace(b"&" * LENGTH, b"\r\n".join([b"<" * 500] * 40 + [b"a" * 500] * 80))
    ticket = await sqlite_served.ticket(mail)
    seen = await client.get(f"/tickets/{ticket}")
    assert seen.status == 200
    assert "&lt;" * 500 in seen.text
