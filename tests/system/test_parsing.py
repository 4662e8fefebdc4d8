"""Parsing in the program itself and in worker processes, which may be killed, crash or hang."""

import asyncio
import base64
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from router.contents import pool
from router.contents.pool import MAX_SMALL_BYTES, Parser, UnparsableMessage
from router.dns.answers import DnsAnswer
from router.errors import Unavailable
from router.mail import parse, text_parts
from router.mail.compose.html import CleanHtml
from router.mail.dkim.signature import MAX_BYTES
from tests.support import dkim, mails
from tests.support.waiting import child_pids, is_alive, wait_until

ROOT = Path(__file__).parents[2]
POISONED = (
    sys.executable,
    "-c",
    "import runpy; runpy.run_module('tests.support.poisoned_worker', run_name='__main__')",
)
LARGE = mails.of_size(MAX_SMALL_BYTES + 1)
KEY = dkim.signing_key("ed25519")


_before: set[int] = set()  # PIDs of the workers that earlier tests left running


@pytest.fixture(autouse=True)
def _isolate_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _before.clear()
    _before.update(workers())


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    found = Parser()
    yield found
    await found.close()


@pytest.fixture
async def poisoned() -> AsyncIterator[Parser]:
    found = Parser(POISONED, timeout_seconds=5)
    yield found
    await found.close()


def test_worker_imports_this_program_and_the_standard_library() -> None:
    show = (
        "import sys; sys.path.insert(0, sys.argv[1]); import router, secrets as s; print(router.__file__, s.__file__)"
    )
    # -S omits site-packages, which would make this program importable.
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, sys.argv[1]); {show}",
        pool.WORKER_COMMAND[-1],
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found == [str(ROOT / "router" / "__init__.py"), secrets.__file__]


def workers() -> list[int]:
    return [pid for pid in child_pids(os.getpid()) if pid not in _before and _is_worker(pid)]


def _is_worker(pid: int) -> bool:
    try:
        return b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def _has_loaded_cryptography(pid: int) -> bool:
    return "cryptography" in Path(f"/proc/{pid}/maps").read_text()


def large(command: str) -> bytes:
    return LARGE + command.encode() + b"\r\n"


@pytest.mark.parametrize("content", [mails.plain(), LARGE, mails.with_attachment(content=bytes(300_000))])
async def test_result_does_not_depend_on_the_process(parser: Parser, content: bytes) -> None:
    assert (await parser.parse(content)).contents == parse.parse(content)
    for n in (-1, 0, 1, 2, 1 << 40):
        assert await parser.extract_attachment(content, n) == parse.extract_attachment(content, n)


async def test_only_large_messages_start_a_process(parser: Parser) -> None:
    await parser.parse(mails.plain())
    assert workers() == []
    await parser.parse(LARGE)
    await parser.parse(LARGE)
    assert len(workers()) == 1


def test_message_with_many_parts_is_not_small() -> None:
    assert pool.is_small(b"x" * MAX_SMALL_BYTES)
    assert not pool.is_small(b"x" * (MAX_SMALL_BYTES + 1))
    assert not pool.is_small(b"\n--" * 600)


def _nest_message(inner: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + inner


_HTML = b"<p>The <b>parcel</b> is open</p>"
_DECLARED = b"Content-Type: text/html\r\n\r\n" + _HTML
_PARTS = b"Content-Type: multipart/%s; boundary=x\r\n\r\n--x\r\n\r\nplain\r\n--x\r\n" + _DECLARED + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "content",
    [
        _DECLARED,
        b"Content-Type: html\r\n\r\n" + _HTML,
        b"Content-Type: TEXT/HTML; charset=utf-7\r\n\r\n+ADw-p+AD4-parcel",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(_HTML),
        b"Content-Type: text/html; name=x.html\r\nContent-Disposition: inline\r\n\r\n" + _HTML,
        b"Content-Type: text/enriched\r\n\r\nThe <bold>parcel</bold>",
        b"Content-Type: text/richtext\r\n\r\nThe <bold>parcel</bold>",
        b"Content-Type: text/html\r\n\r\n",
        _PARTS % b"mixed",
        _PARTS % b"alternative",
        _PARTS % b"related",
        _nest_message(_DECLARED),
        _nest_message(_nest_message(_PARTS % b"alternative")),
    ],
)
async def test_html_is_never_parsed_in_this_process(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    expected, attachment = parse.parse(content), parse.extract_attachment(content, 1)

    def fail_on_call(*_: object, **__: object) -> None:
        raise AssertionError("HTML is parsed in this process")

    for name in ("sanitize_html", "sanitized_to_text", "strip_tags", "truncate_html", "visible_markup"):
        monkeypatch.setattr(text_parts, name, fail_on_call)
    monkeypatch.setattr(HTMLParser, "feed", fail_on_call)
    assert (await parser.parse(content)).contents == expected
    assert await parser.extract_attachment(content, 1) == attachment


async def test_concurrent_parses_use_every_worker(parser: Parser) -> None:
    await asyncio.gather(*(parser.parse(LARGE) for _ in range(10)))
    assert len(workers()) == pool.MAX_WORKERS


async def test_messages_without_html_do_not_wait_for_busy_workers(poisoned: Parser) -> None:
    busy = [asyncio.create_task(poisoned.parse(large("stop"))) for _ in range(pool.MAX_WORKERS)]
    await wait_until(lambda: len(workers()) == pool.MAX_WORKERS, "the workers")
    assert (await poisoned.parse(mails.plain())).contents == parse.parse(mails.plain())
    assert not any(task.done() for task in busy)
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_slow_parse_is_abandoned(poisoned: Parser) -> None:
    with pytest.raises(UnparsableMessage, match="timed out"):
        await poisoned.parse(large("endless"))
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_parse_of_a_stopped_worker_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned = Parser(POISONED, timeout_seconds=0.5)
    with pytest.raises(UnparsableMessage, match="timed out"):
        await poisoned.parse(large("stop"))
    assert workers() == []
    await poisoned.close()


async def test_message_that_crashes_its_worker_is_abandoned(poisoned: Parser) -> None:
    with pytest.raises(UnparsableMessage, match="the parser process crashed"):
        await poisoned.parse(large("abort"))
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_worker_memory_is_limited(poisoned: Parser) -> None:
    with pytest.raises(UnparsableMessage, match="the parser process crashed"):
        await poisoned.parse(large("hungry"))
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_html_beyond_the_estimate_ends_only_its_worker(poisoned: Parser) -> None:
    """The worker exceeds its limits inside the native code of the real sanitiser."""
    bomb = b"<ul><li>" + b"".join(b"<b title=%d>" % n for n in range(1400)) + b"<li>x" * 3000
    with pytest.raises(UnparsableMessage):
        await poisoned.parse(b"Subject: unbounded\r\nContent-Type: text/html\r\n\r\n" + bomb)
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_worker_killed_while_idle_is_replaced(parser: Parser) -> None:
    await parser.parse(LARGE)
    (first,) = workers()
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: not is_alive(first), "the end of the worker")
    assert (await parser.parse(LARGE)).contents == parse.parse(LARGE)
    assert first not in workers()


async def test_parse_of_a_killed_worker_is_retried(poisoned: Parser) -> None:
    """The paused worker is killed between the request and its response."""
    await poisoned.parse(LARGE)
    (first,) = workers()
    os.kill(first, signal.SIGSTOP)
    request = asyncio.create_task(poisoned.parse(LARGE))
    await wait_until(lambda: Path(f"/proc/{first}/stat").read_text().split()[2] == "T", "the worker's stop")
    os.kill(first, signal.SIGKILL)
    assert (await request).contents == parse.parse(LARGE)


async def test_cancelled_caller_leaves_no_partial_response(poisoned: Parser) -> None:
    request = asyncio.create_task(poisoned.parse(large("stop")))
    await wait_until(lambda: bool(workers()), "the worker")
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


@pytest.mark.parametrize("command", [("/does/not/exist",), (sys.executable, "-c", "raise SystemExit(3)")])
async def test_failed_worker_start_is_unavailable(command: tuple[str, ...]) -> None:
    parser = Parser(command)
    with pytest.raises(Unavailable):
        await parser.parse(LARGE)
    with pytest.raises(Unavailable):
        await parser.verify_signatures(dkim.sign(mails.plain(), KEY), dkim.DOMAIN, {}, dkim.RECEIVED_AT)
    assert (await parser.parse(mails.plain())).contents == parse.parse(mails.plain())
    await parser.close()


async def test_close_leaves_no_process() -> None:
    parser = Parser()
    await asyncio.gather(*(parser.parse(LARGE) for _ in range(4)))
    pids = workers()
    assert len(pids) == 2
    await parser.close()
    assert not any(is_alive(pid) for pid in pids)


async def test_worker_ignores_signals_to_the_service(parser: Parser) -> None:
    await parser.parse(LARGE)
    (worker,) = workers()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(worker, number)
    await parser.parse(LARGE)
    assert workers() == [worker]


_PARENT = """
import asyncio, sys
from router.contents.pool import Parser
from tests.support import mails
from tests.system.test_parsing import POISONED, LARGE, large, workers
async def main():
    busy, idle = Parser(POISONED), Parser()
    await idle.parse(LARGE)
    task = asyncio.create_task(busy.parse(large("endless")))
    while len(workers()) < 2:
        await asyncio.sleep(0.01)
    print(*workers(), file=sys.stderr, flush=True)
    await task
asyncio.run(main())
"""


async def test_workers_end_with_a_killed_parent() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", _PARENT, stderr=asyncio.subprocess.PIPE)
    assert parent.stderr is not None
    pids = [int(pid) for pid in (await parent.stderr.readline()).split()]
    assert len(pids) == 2
    parent.kill()
    await parent.wait()
    await wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers")


async def test_signatures_are_verified_in_a_worker(parser: Parser) -> None:
    keys = {dkim.KEY_NAME: DnsAnswer("found", (KEY.record,)), "other.example": DnsAnswer("no_domain")}
    signed = dkim.sign(mails.plain(), KEY)
    (result,) = await parser.verify_signatures(signed, dkim.DOMAIN, keys, dkim.RECEIVED_AT)
    assert (result.result, result.domain, result.selector) == ("pass", dkim.DOMAIN, dkim.SELECTOR)
    assert len(workers()) == 1
    (result,) = await parser.verify_signatures(signed + b"more\r\n", dkim.DOMAIN, keys, dkim.RECEIVED_AT)
    assert (result.result, result.reason) == ("fail", "the body was changed after signing")
    (result,) = await parser.verify_signatures(signed, dkim.DOMAIN, {}, dkim.RECEIVED_AT)
    assert result.result == "temperror"
    # The same worker then parses.
    assert (await parser.parse(LARGE)).contents == parse.parse(LARGE)
    assert len(workers()) == 1


async def test_message_without_a_signature_to_verify_starts_no_worker(parser: Parser) -> None:
    signed = dkim.sign(mails.plain(), KEY)
    for content, word in ((mails.plain(), "none"), (signed + bytes(MAX_BYTES), "neutral")):
        (result,) = await parser.verify_signatures(content, dkim.DOMAIN, {}, dkim.RECEIVED_AT)
        assert result.result == word
    assert workers() == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("endless", "not verified: parsing timed out"),
        ("abort", "not verified: the parser process crashed"),
        ("hungry", "not verified: the parser process crashed"),
    ],
)
async def test_signatures_of_a_message_that_ends_its_worker(poisoned: Parser, command: str, reason: str) -> None:
    content = b"DKIM-Signature: v=0\r\n" + dkim.sign(mails.plain() + command.encode(), KEY)
    found = await poisoned.verify_signatures(content, dkim.DOMAIN, {}, dkim.RECEIVED_AT)
    assert [result.result for result in found] == ["temperror", "neutral"]
    assert (found[0].reason, found[0].domain, len(found[0].signature)) == (reason, dkim.DOMAIN, 8)
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_worker_that_only_parses_does_not_load_cryptography(parser: Parser) -> None:
    await parser.parse(LARGE)
    (worker,) = workers()
    assert not _has_loaded_cryptography(worker)
    await parser.verify_signatures(dkim.sign(mails.plain(), KEY), dkim.DOMAIN, {}, dkim.RECEIVED_AT)
    assert workers() == [worker]
    assert _has_loaded_cryptography(worker)


async def test_html_to_send_is_sanitised_in_a_worker(parser: Parser) -> None:
    html = '<p onclick="x()">Grüße \ud800 <img src="cid:a@b"><img src="cid:other"></p><script>x()</script>'
    clean = await parser.clean_html(html, ["a@b"])
    assert clean == CleanHtml('<p>Grüße ? <img src="cid:a@b"></p>', "Grüße ?")
    assert len(workers()) == 1
    assert await parser.clean_html("<b>" * 60_000) is None
