"""Original messages, attachments and traces over REST."""

import asyncio
import re

import pytest

from tests.support import mails
from tests.support.corpus import corpus_mail
from tests.support.installation.http import ServedInstallation


async def test_raw_message_is_unchanged_below_the_trace_headers(served: ServedInstallation) -> None:
    await served.create_alias()
    content = mails.of_size(700_000)
    message_id = await served.accept_message(content)
    answer = await served.admin.get(f"/emails/messages/{message_id}/raw")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "message/rfc822"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.content.endswith(content)
    head = answer.content[: -len(content)]
    assert head.startswith(
        b"Return-Path: <ada@customer.test>\r\n"
        b"Authentication-Results: mx1.host.test; none\r\n"
        b"Received: from customer.test"
    )
    assert message_id.encode() in head
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert (await served.admin.request("HEAD", f"/emails/messages/{message_id}/raw")).content == b""
    original = await served.admin.get(f"/emails/messages/{message_id}/raw?original=true")
    assert original.content == content
    assert int(original.headers["Content-Length"]) == len(content)


async def test_results_are_on_top_and_forged_ones_left_out(served: ServedInstallation) -> None:
    await served.create_alias()
    forged = b"Authentication-Results: (a) MX1.Host.TEST 1;\r\n\tdmarc=pass header.from=bank.test\r\n"
    other = b"Authentication-Results: mx.customer.test; spf=pass\r\n"
    simple = b"Subject: x\r\nFrom: ada@customer.test\r\n"
    body = b"\r\n" + forged
    # A header that ends in the second chunk, and one that never ends.
    long_header = b"X-Long: " + b"a" * 300_000 + b"\r\n"
    for head, end in ((b"", body), (long_header, body), (long_header, b"")):
        message_id = await served.accept_message(forged + simple + head + other + forged + end)
        checks = '[{"method": "spf", "result": "pass", "domain": "customer.test", "reason": "x"}]'
        await served.execute(
            "INSERT INTO message_checks (message_id, state, checked_at, results) VALUES (:id, 'done', 1, :results)",
            id=message_id,
            results=checks,
        )
        path = f"/emails/messages/{message_id}/raw"
        answer = await served.admin.get(path)
        fields, separator, remaining = answer.content.partition(simple)
        assert b"\r\nAuthentication-Results: mx1.host.test; spf=pass smtp.mailfrom=customer.test\r\n" in fields
        assert fields.count(b"Authentication-Results") == 1
        assert separator + remaining == simple + head + other + end
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert (
            await served.admin.get(f"{path}?original=true")
        ).content == forged + simple + head + other + forged + end
    assert (await served.admin.get(f"{path}?original=yes")).status == 400


@pytest.mark.parametrize(
    "name", ["bare-cr", "nul-and-surrogates", "no-header", "raw-8bit-header", "begins-with-empty-line"]
)
async def test_unusual_messages_are_returned_unchanged(sqlite_served: ServedInstallation, name: str) -> None:
    await sqlite_served.create_alias()
    content = corpus_mail(name) + b"bare \r and \n and \x00 and \xff\r\n.\r\n..\r\nend without a line end"
    message_id = await sqlite_served.accept_message(content)
    answer = await sqlite_served.admin.get(f"/emails/messages/{message_id}/raw")
    assert answer.content.endswith(content)
    head = answer.content.removesuffix(content)
    fields = [line for line in head.split(b"\r\n") if line and not line.startswith((b" ", b"\t"))]
    assert [field.partition(b":")[0] for field in fields] == [b"Return-Path", b"Authentication-Results", b"Received"]
    assert head.endswith(b"\r\n")


async def test_attachment_is_always_a_download(served: ServedInstallation) -> None:
    await served.create_alias()
    mail = mails.with_attachment(name="böse\r\n.html", content=b"<script>1</script>", maintype="text", subtype="html")
    message_id = await served.accept_message(mail)
    answer = await served.admin.get(f"/emails/messages/{message_id}/attachments/1")
    assert answer.status == 200
    assert answer.content == b"<script>1</script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    for download in (answer, await served.admin.get(f"/emails/messages/{message_id}/raw")):
        policy = download.headers["Content-Security-Policy"]
        assert policy == "sandbox; default-src 'none'; frame-ancestors 'none'"
        assert download.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert download.headers["X-Content-Type-Options"] == "nosniff"
    for n in ("0", "2", "-1", "1x", "99999999999999999999", "%2E%2E"):
        assert (await served.admin.get(f"/emails/messages/{message_id}/attachments/{n}")).status == 404


async def test_content_that_is_erased_during_a_download_is_never_presented_as_complete(
    served: ServedInstallation,
) -> None:
    await served.create_alias()
    content = bytes(range(256)) * 2800
    message_id = await served.accept_message(mails.with_attachment(content=content))
    path = f"/emails/messages/{message_id}"
    assert (await served.admin.get(f"{path}/attachments/1")).content == content
    # As for a reader of the first chunk before the erasure and of the others after it.
    await served.execute("DELETE FROM raw_chunks WHERE n > 0")
    assert (await served.admin.get(f"{path}/attachments/1")).status == 404
    reader, writer = await asyncio.open_connection(*served.server.address)
    writer.write(f"GET /api{path}/raw HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.login.key}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()  # the server closes the connection
    writer.close()
    (size,) = re.findall(rb"Content-Length: (\d+)", head)
    assert 256 * 1024 < len(body) < int(size)
    assert b"HTTP/1.1" not in body
    await served.execute("DELETE FROM raw_chunks")
    for erased in (f"{path}/raw", f"{path}/raw?original=true", f"{path}/attachments/1"):
        assert (await served.admin.get(erased)).status == 404


async def test_trace(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration_id, alias_id = await served.create_alias()
    message_id = await served.accept_message(None, "support+urgent@example.org")
    answer = await served.admin.get(f"/emails/messages/{message_id}/trace")
    assert answer.status == 200
    assert answer.body["messageId"] == message_id
    assert len(answer.body["tickets"]) == 1
    events = {event["event"]: event["detail"] for event in answer.body["events"]}
    assert events["received"]["peer"] == "192.0.2.7"
    assert events["opened"]["aliasId"] == alias_id
    assert events["delivery"]["integrationId"] == integration_id
    assert all(event["at"].endswith("Z") for event in answer.body["events"])
