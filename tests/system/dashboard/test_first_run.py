"""In an empty directory without a terminal, `serve` writes a setup link to a file."""

import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from tests.support.browser import Window
from tests.support.process import Program

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_setup_link_of_empty_installation(window: Window, tmp_path: Path) -> None:
    env = {"smtp.listen": ["127.0.0.1:0"], "api.listen": "127.0.0.1:0", "server.data_dir": str(tmp_path)}
    async with Program("serve", env=env, cwd=tmp_path) as program:
        facts = await program.ready()
        shown = (tmp_path / "first-login").read_text()
        link = re.search(r"http://127\.0\.0\.1:8080(/welcome\?token=\S+)", shown)
        key = re.search(r"\ber_\w+", shown)
        assert link
        assert key
        page = await window.open(f"http://{facts['api']}{link[1]}")
        await page.get_by_label("Email address").fill("grace@example.org")
        await page.get_by_label("Name (optional)").fill("Grace")
        await page.get_by_label("Password").fill("correct horse battery")
        await page.get_by_role("button", name="Create account").click()
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await expect(page.locator("summary", has_text="Grace")).to_be_visible()
        assert not (tmp_path / "first-login").exists()
        assert await _status_of_key(key[0], facts["api"]) == 401
        window.expect_error("404")
        await page.goto(f"http://{facts['api']}{link[1]}")
        await expect(page.get_by_text("This setup link was used")).to_be_visible()
        # An open event stream does not delay the shutdown.
        await page.goto(f"http://{facts['api']}/tickets")
        assert await program.terminate() == 0
        window.expect_error("ERR_")
        window.expect_error("503")  # the page may reconnect its event stream while the program stops
    assert link[1].partition("=")[2] not in program.stderr_text


async def _status_of_key(key: str, api: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as session, session.get(f"http://{api}/api/auth/me", headers=headers) as answer:
        return answer.status
