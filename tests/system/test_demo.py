"""The demo leaves no files behind and prints later Slack messages. Its Slack stand-in rejects invalid messages."""

import re
from pathlib import Path

import aiohttp
import pytest

from emailrouter.demo import slack as demo_slack
from tests.support.mails import plain
from tests.support.process import Program
from tests.support.smtp import send_mail


def list_files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_interrupted_demo_leaves_no_files(tmp_path: Path) -> None:
    async with Program("demo", env={"TMPDIR": str(tmp_path)}, cwd=tmp_path) as program:
        await program.wait_until(lambda: list_files(tmp_path) != [], "its temporary directory")
        assert await program.terminate() in (0, 1), "0 if all steps had finished"
    assert list_files(tmp_path) == []
    assert "Traceback" not in program.stderr_text


async def test_later_slack_messages_are_printed(tmp_path: Path) -> None:
    async with Program("demo", env={"TMPDIR": str(tmp_path)}, cwd=tmp_path) as program:
        await program.wait_until(lambda: "The demo keeps running" in program.stdout_text, "the end of the steps")
        address = re.search(r"accepts mail at 127\.0\.0\.1:(\d+)", program.stdout_text)
        assert address is not None
        reply = await send_mail("127.0.0.1", int(address[1]), "ada@customer.test", ["support@example.org"], plain())
        assert reply.code == 250
        shown = "Slack /services/T000/B000/support: New ticket #2"
        await program.wait_until(lambda: shown in program.stdout_text, shown)
        assert await program.terminate() == 0
    assert list_files(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "body", "status", "reply"),
    [
        ("/services/T000/B000/support", b'{"text": "Hello"}', 200, "ok"),
        ("/services/T000/B000/support", b'{"blocks": [{"type": "divider"}]}', 200, "ok"),
        ("/services/T000/B000/support", b'{"text": ""}', 400, "no_text"),
        ("/services/T000/B000/support", b'["text"]', 400, "invalid_payload"),
        ("/services/T000/B000/support", b"text=\xff", 400, "invalid_payload"),
        ("/elsewhere", b'{"text": "Hello"}', 404, "404: Not Found"),
    ],
)
async def test_demo_slack_rejects_invalid_messages(path: str, body: bytes, status: int, reply: str) -> None:
    async with demo_slack.run_slack() as slack, aiohttp.ClientSession() as http:
        async with http.post(f"http://127.0.0.1:{slack.port}{path}", data=body) as response:
            assert (response.status, await response.text()) == (status, reply)
        assert slack.messages.qsize() == (status == 200)
