"""The demo: its link, its tickets, its ports and its stand-in for Slack. It leaves no files behind."""

import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from emailrouter.demo import installation, ports
from emailrouter.demo import slack as demo_slack
from tests.support.mails import plain
from tests.support.process import Program
from tests.support.smtp import send_mail


def list_files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_interrupted_demo_leaves_no_files(tmp_path: Path) -> None:
    async with Program("demo", "--verbose", env={"TMPDIR": str(tmp_path)}, cwd=tmp_path) as program:
        await program.wait_until(lambda: '"blocks": [' in program.stdout_text, "the Slack message, while mails arrive")
        assert list_files(tmp_path) != []
        assert await program.terminate() in (0, 1), "0 if all steps had finished"
    assert list_files(tmp_path) == []
    assert "Traceback" not in program.stderr_text


async def test_demo_shows_its_tickets_to_the_reader(tmp_path: Path) -> None:
    """Everything that the demo prints works while it runs, and nothing of it afterwards."""
    async with Program("demo", env={"TMPDIR": str(tmp_path)}, cwd=tmp_path) as program:
        await program.wait_until(lambda: "New Slack messages:" in program.stdout_text, "the end of the story")
        printed = program.stdout_text
        assert len([line for line in printed.splitlines() if line]) <= 12
        assert '"blocks"' not in printed
        link, slack = printed_url("Dashboard", printed), printed_url("Slack", printed)
        (smtp_port,) = re.findall(r"smtp://127\.0\.0\.1:(\d+)", printed)
        key, api = re.search(r"Bearer (er_\w+)' (\S+)/emails/tickets", printed).groups()  # type: ignore[union-attr]
        async with aiohttp.ClientSession() as http:
            await check_link(http, link, api.removesuffix("/api"))
            await check_tickets(http, api, key)
            await check_slack_page(http, slack)
            await check_replies(http, api, key, printed_url("Sent mail", printed))
        reply = await send_mail("127.0.0.1", int(smtp_port), "ada@customer.test", ["support@example.org"], plain())
        assert reply.code == 250
        shown = "#support: New ticket #30"
        await program.wait_until(lambda: shown in program.stdout_text, shown)
        assert await program.terminate() == 0
        assert program.stderr_text == ""
        for url in (link, slack):  # nothing listens any more
            with pytest.raises(ConnectionRefusedError), socket.socket() as client:
                client.connect(("127.0.0.1", urlsplit(url).port or 0))
    assert list_files(tmp_path) == []


def printed_url(label: str, printed: str) -> str:
    found = re.search(rf"^  {label} +(http://127\.0\.0\.1:\S+)$", printed, re.MULTILINE)
    assert found is not None
    return found[1]


async def check_link(http: aiohttp.ClientSession, link: str, dashboard: str) -> None:
    """The link signs in several times, but only at a loopback address, and with its token."""
    port = urlsplit(link).port or 0
    for _ in range(2):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as reader:
            async with reader.get(link) as page:
                assert (page.status, str(page.url)) == (200, f"{dashboard}/tickets")
                assert "Which bulb for the Arc 30?" in await page.text()
            assert {cookie.key for cookie in reader.cookie_jar} == {"er_session", "er_device"}
            assert all(cookie["httponly"] for cookie in reader.cookie_jar)
    refused = [(link[:-1], None), (link.partition("?")[0], None), (link, {"Host": f"rebound.example:{port}"})]
    for url, headers in refused:
        async with http.get(url, headers=headers, allow_redirects=False) as response:
            assert (response.status, "Set-Cookie" in response.headers) == (404, False)
    async with http.head(link) as response:
        assert response.status == 405
    with pytest.raises(ConnectionRefusedError), socket.socket() as client:
        client.connect(("127.0.0.2", port))  # listens on one address only
    # The dashboard has a page at the same path, which knows nothing of the token.
    async with http.get(f"{dashboard}{urlsplit(link).path}?{urlsplit(link).query}") as response:
        assert "Set-Cookie" not in response.headers


async def check_tickets(http: aiohttp.ClientSession, api: str, key: str) -> None:
    async def get(path: str) -> dict[str, Any]:
        async with http.get(f"{api}{path}", headers={"Authorization": f"Bearer {key}"}) as response:
            found: dict[str, Any] = await response.json()
            return found

    listed = (await get("/emails/tickets?limit=200"))["tickets"]
    held = (await get("/emails/tickets?limit=200&spam=true"))["tickets"]
    assert (len(listed), len(held)) == (26, 3)
    numbers = [ticket["number"] for ticket in (*listed, *held)]
    assert sorted(numbers) == list(range(1, 30))
    assert all("is blocked" in ticket["spamReason"] for ticket in held)
    tickets = [await get(f"/emails/tickets/{ticket['id']}") for ticket in listed]
    messages = [message for ticket in tickets for message in ticket["messages"]]
    assert sum(len(ticket["messages"]) > 1 for ticket in tickets) >= 5
    assert {ticket["status"] for ticket in tickets} == {"open", "in_progress", "waiting", "resolved"}
    assert {ticket["priority"] for ticket in tickets} == {"urgent", "high", "normal", "low"}
    assert len({ticket["assignedTo"] for ticket in tickets} - {None}) == 3
    assert len({tag for ticket in tickets for tag in ticket["tags"]}) >= 4
    types = {attachment["contentType"] for message in messages for attachment in message["attachments"]}
    assert types >= {"application/pdf", "image/png", "text/csv"}
    assert {message["automatic"] for message in messages} >= {"bounce", "auto-reply", "bulk"}
    assert sum(message["html"] != "" for message in messages) >= 3
    dmarc = [message["auth"].get("dmarc") for message in messages]
    assert dmarc.count("pass") >= 20
    warned = [message for message in messages if "may be forged" in message["checks"]["warning"]]
    assert [message["subject"] for message in warned] == ["Urgent: payment before noon"]
    subjects = "".join(ticket["subject"] for ticket in tickets)
    assert re.search("[\u3040-\u30ff]", subjects)
    assert re.search("[\u0600-\u06ff]", subjects)
    assert max(len(message["text"]) for message in messages) > 3000
    assert len({ticket["receivedAt"][:10] for ticket in tickets}) >= 5
    states = [
        delivery
        for ticket in tickets
        for delivery in ticket["deliveries"]
        if delivery["state"] != "delivered" and delivery["target"] == "integration"
    ]
    assert [delivery["lastError"] for delivery in states] == [
        "Slack returned 410 channel_is_archived: the Slack channel is archived"
    ]
    assert (await get("/health"))["deliverer"]["alive"] is True


async def check_replies(http: aiohttp.ClientSession, api: str, key: str, page: str) -> None:
    """A conversation is answered, one reply bounced, and one can still be undone."""
    tickets, states = await list_tickets(http, api, key), []
    for ticket in tickets:
        headers = {"Authorization": f"Bearer {key}"}
        async with http.get(f"{api}/emails/tickets/{ticket['id']}/replies", headers=headers) as response:
            states += [reply["state"] for reply in (await response.json())["replies"]]
    assert sorted(states) == ["bounced", "queued", "sent", "sent"]
    async with http.get(page) as response:
        text = await response.text()
    assert ("your parcel left the depot this morning" in text, "good catch" in text) == (True, False)


async def list_tickets(http: aiohttp.ClientSession, api: str, key: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"}
    async with http.get(f"{api}/emails/tickets?limit=200", headers=headers) as response:
        found: list[dict[str, Any]] = (await response.json())["tickets"]
        return found


async def check_slack_page(http: aiohttp.ClientSession, slack: str) -> None:
    async with http.get(f"{slack}channels/support") as response:
        page = await response.text()
    assert "Lamp gets very hot and smells burnt</h2>" in page
    assert re.search(r'<a href="http://127\.0\.0\.1:\d+/tickets/ticket_\w+">View ticket #\d+</a>', page)
    async with http.get(f"{slack}channels/wholesale") as response:
        assert "This channel is archived" in await response.text()


@pytest.mark.parametrize(
    ("path", "body", "status", "reply"),
    [
        ("/services/T000/B000/support", b'{"text": "Hello"}', 200, "ok"),
        ("/services/T000/B000/support", b'{"blocks": [{"type": "divider"}]}', 200, "ok"),
        ("/services/T000/B000/support", b'{"text": ""}', 400, "no_text"),
        ("/services/T000/B000/support", b'["text"]', 400, "invalid_payload"),
        ("/services/T000/B000/support", b"text=\xff", 400, "invalid_payload"),
        ("/services/T000/B000/old", b'{"text": "Hello"}', 410, "channel_is_archived"),
        ("/elsewhere", b'{"text": "Hello"}', 404, "404: Not Found"),
    ],
)
async def test_demo_slack_rejects_invalid_messages(path: str, body: bytes, status: int, reply: str) -> None:
    async with demo_slack.run_slack() as slack, aiohttp.ClientSession() as http:
        slack.archived = frozenset({"old"})
        async with http.post(f"{slack.base}{path}", data=body) as response:
            assert (response.status, await response.text()) == (status, reply)
        assert slack.messages.qsize() == (status == 200)


async def test_free_ports_replace_fixed_ports_that_are_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for free in ports.candidates(fixed=False):
        monkeypatch.setattr(ports, "FIXED", free)
    fixed = ports.FIXED
    async with installation.run_demo(print, keeps_running=True) as first:
        assert first.web == f"http://127.0.0.1:{fixed.web}"
        assert first.smtp == ("127.0.0.1", fixed.smtp)
        async with installation.run_demo(print, keeps_running=True) as second:
            assert len({first.web, second.web, first.slack.base, second.slack.base}) == 4
    with socket.create_server(("127.0.0.1", fixed.smtp)):  # the last port that the demo opens
        async with installation.run_demo(print, keeps_running=True) as third:
            assert third.smtp[1] != fixed.smtp
            assert third.web != first.web
