"""The API page: complete, safe, and with commands for the reader's URL."""

import html
import re

from api.resources import ROUTES
from api.schema.errors import ERRORS
from tests.support.installation.http import ServedInstallation

# A call has about 5 kB: its fields and an example. The compressed page is a tenth of that.
MAX_BYTES_PER_CALL = 5_250


async def open_page(served: ServedInstallation, host: str | None = None) -> str:
    answer = await served.anonymous.get("/docs", headers={} if host is None else {"Host": host})
    assert answer.status == 200
    return answer.content.decode()


async def test_page_has_each_call_and_each_error_once(sqlite_served: ServedInstallation) -> None:
    page = await open_page(sqlite_served)
    assert len(page.encode()) < MAX_BYTES_PER_CALL * len(ROUTES)
    assert await open_page(sqlite_served) == page
    for route in ROUTES:
        assert page.count(f'<h3 id="{route.operation_id}">') == page.count(f'href="#{route.operation_id}">') - 1 == 1
        command = page.partition(f'id="curl-{route.operation_id}">')[2].partition("</pre>")[0]
        url = re.escape(f"{sqlite_served.root}/api") + re.sub(r"\\{\w+\\}", "[^/?']+", re.escape(route.path))
        assert re.search(rf"(^|\s)'?{url}[?']?", html.unescape(command)), command
        assert ("Bearer er_YOUR_KEY" in command) == (route.role is not None)
    assert re.findall(r'<tr id="error-(\w+)">', page) == list(ERRORS)
    assert not re.findall(r"\{(?:url|key)\}", page)


async def test_page_describes_nested_fields_and_who_may_call(sqlite_served: ServedInstallation) -> None:
    page = await open_page(sqlite_served)
    claim, _, _ = page.partition('id="claimTicket"')[2].partition("</article>")
    assert "Requires the role <code>agent</code> or a higher one." in claim
    assert 'href="#error-already_claimed">409 <code>already_claimed</code>' in claim
    assert "error-unavailable" not in claim
    assert 'Every call has <a href="#error-invalid_request">400' in page
    assert "Id of the assignee (<code>user_...</code>)" in claim
    detail, _, _ = page.partition('id="getTicket"')[2].partition("</article>")
    assert "File name, safe to store; never empty." in detail
    create, _, _ = page.partition('id="createIntegration"')[2].partition("</article>")
    assert "Type slack" in create
    assert "Shown instead of the name of the webhook." in create


async def test_page_loads_only_own_files(sqlite_served: ServedInstallation) -> None:
    answer = await sqlite_served.anonymous.get("/docs")
    page = answer.content.decode()
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", page)
    sources = re.findall(r'(?:<script src|<img class="mark" src|<link rel="\w+" href)="([^"]+)"', page)
    assert len(sources) == 8
    for source in sources:
        assert (await sqlite_served.anonymous.get(f"/{source}")).status == 200, source
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(re.findall(r'\sid="([^"]+)"', page))


async def test_commands_have_the_host_of_the_reader(sqlite_served: ServedInstallation) -> None:
    for host, shown in (
        ("router.lan:8080", "http://router.lan:8080"),
        ("[fd00::7]:8080", "http://[fd00::7]:8080"),
        ('x"><script>alert(1)</script>', "http://127.0.0.1:8080"),
        ("x';id;'", "http://127.0.0.1:8080"),
        (f"{'x' * 300}.test", "http://127.0.0.1:8080"),
    ):
        page = await open_page(sqlite_served, host)
        assert set(re.findall(r"curl (?:-X \w+ )?'?(\w+://[^']*?)/api/", html.unescape(page))) == {shown}
        assert "alert(1)" not in page
