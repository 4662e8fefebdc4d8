"""Parsing in a process of its own: real processes, really killed, and mails that end the parser."""

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
from router.errors import Unavailable
from router.mail import parse, text_parts
from tests.support import mails
from tests.support.waiting import child_pids, is_alive, wait_until

ROOT = Path(__file__).parents[2]
POISONED = (
    sys.executable,
    "-c",
    "import runpy; runpy.run_module('tests.support.poisoned_worker', run_name='__main__')",
)
LARGE = mails.of_size(MAX_SMALL_BYTES + 1)


_before: set[int] = set()  # workers of other tests in this process, whose stores end with it


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_worker_imports_this_program_and_the_standard_library() -> None:
    show = (
        "import sys; sys.path.insert(0, sys.argv[1]); import router, secrets as s; print(router.__file__, s.__file__)"
    )
    # -S: without the environment's packages, where this program is installed.
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
    """The processes that the running test has started and not waited for."""
    return [pid for pid in child_pids(os.getpid()) if pid not in _before and _is_worker(pid)]


def _is_worker(pid: int) -> bool:
    try:
        return b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # it ended while we looked
        return False


def large(word: str) -> bytes:
    return LARGE + word.encode() + b"\r\n"


@pytest.mark.parametrize("content", [mails.plain(), LARGE, mails.with_attachment(content=bytes(300_000))])
async def test_the_answer_is_the_same_wherever_it_is_parsed(parser: Parser, content: bytes) -> None:
    assert (await parser.parse(content)).contents == parse.parse(content)
    for n in (-1, 0, 1, 2, 1 << 40):
        assert await parser.extract_attachment(content, n) == parse.extract_attachment(content, n)


async def test_a_small_mail_starts_no_process_and_a_large_one_does(parser: Parser) -> None:
    await parser.parse(mails.plain())
    assert workers() == []
    await parser.parse(LARGE)
    await parser.parse(LARGE)
    assert len(workers()) == 1


def test_little_but_parts_is_not_small() -> None:
    assert pool.is_small(b"x" * MAX_SMALL_BYTES)
    assert not pool.is_small(b"x" * (MAX_SMALL_BYTES + 1))
    assert not pool.is_small(b"\n--" * 600)


def _in_a_mail(inner: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + inner


_HTML = b"<p>The <b>door</b> is open</p>"
_DECLARED = b"Content-Type: text/html\r\n\r\n" + _HTML
_PARTS = b"Content-Type: multipart/%s; boundary=x\r\n\r\n--x\r\n\r\nplain\r\n--x\r\n" + _DECLARED + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "content",
    [
        _DECLARED,
        b"Content-Type: html\r\n\r\n" + _HTML,
        b"Content-Type: TEXT/HTML; charset=utf-7\r\n\r\n+ADw-p+AD4-door",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(_HTML),
        b"Content-Type: text/html; name=x.html\r\nContent-Disposition: inline\r\n\r\n" + _HTML,
        b"Content-Type: text/enriched\r\n\r\nThe <bold>door</bold>",
        b"Content-Type: text/richtext\r\n\r\nThe <bold>door</bold>",
        b"Content-Type: text/html\r\n\r\n",
        _PARTS % b"mixed",
        _PARTS % b"alternative",
        _PARTS % b"related",
        _in_a_mail(_DECLARED),
        _in_a_mail(_in_a_mail(_PARTS % b"alternative")),
    ],
)
async def test_html_is_never_read_in_this_process(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    expected, attachment = parse.parse(content), parse.extract_attachment(content, 1)

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("HTML is read in this process")

    for name in ("sanitize_html", "sanitized_to_text", "strip_tags", "truncate_html", "visible_markup"):
        monkeypatch.setattr(text_parts, name, refused)
    monkeypatch.setattr(HTMLParser, "feed", refused)
    assert (await parser.parse(content)).contents == expected
    assert await parser.extract_attachment(content, 1) == attachment


async def test_as_many_at_once_as_there_are_workers(parser: Parser) -> None:
    await asyncio.gather(*(parser.parse(LARGE) for _ in range(10)))
    assert len(workers()) == pool.MAX_WORKERS


async def test_mails_without_html_do_not_wait_for_busy_workers(poisoned: Parser) -> None:
    busy = [asyncio.create_task(poisoned.parse(large("stop"))) for _ in range(pool.MAX_WORKERS)]
    await wait_until(lambda: len(workers()) == pool.MAX_WORKERS, "the workers")
    assert (await poisoned.parse(mails.plain())).contents == parse.parse(mails.plain())
    assert not any(task.done() for task in busy)
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_a_mail_that_takes_too_long_is_given_up(poisoned: Parser) -> None:
    with pytest.raises(UnparsableMessage, match="timed out"):
        await poisoned.parse(large("endless"))
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_a_mail_whose_worker_stops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned = Parser(POISONED, timeout_seconds=0.5)
    with pytest.raises(UnparsableMessage, match="timed out"):
        await poisoned.parse(large("stop"))
    assert workers() == []
    await poisoned.close()


async def test_a_mail_that_ends_its_worker_is_given_up(poisoned: Parser) -> None:
    with pytest.raises(UnparsableMessage, match="the parser process crashed"):
        await poisoned.parse(large("abort"))
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_a_mail_that_wants_all_memory_gets_no_more_than_its_share(poisoned: Parser) -> None:
    with pytest.raises(UnparsableMessage, match="the parser process crashed"):
        await poisoned.parse(large("hungry"))
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_html_that_the_estimate_misses_ends_its_worker_alone(poisoned: Parser) -> None:
    """The worker's own bounds, with the real sanitiser: it is ended in the middle of C code."""
    bomb = b"<ul><li>" + b"".join(b"<b title=%d>" % n for n in range(1400)) + b"<li>x" * 3000
    with pytest.raises(UnparsableMessage):
        await poisoned.parse(b"Subject: unbounded\r\nContent-Type: text/html\r\n\r\n" + bomb)
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


async def test_a_worker_that_was_killed_between_two_mails_is_replaced(parser: Parser) -> None:
    await parser.parse(LARGE)
    (first,) = workers()
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: not is_alive(first), "the end of the worker")
    assert (await parser.parse(LARGE)).contents == parse.parse(LARGE)
    assert first not in workers()


async def test_a_worker_that_is_killed_by_others_gets_a_successor_that_answers(poisoned: Parser) -> None:
    """SIGSTOP holds the first try in the middle, so that the kill surely comes between question and answer."""
    await poisoned.parse(LARGE)
    (first,) = workers()
    os.kill(first, signal.SIGSTOP)
    asked = asyncio.create_task(poisoned.parse(LARGE))
    await wait_until(lambda: Path(f"/proc/{first}/stat").read_text().split()[2] == "T", "the worker's stop")
    os.kill(first, signal.SIGKILL)
    assert (await asked).contents == parse.parse(LARGE)


async def test_a_caller_that_gives_up_leaves_no_worker_with_half_an_answer(poisoned: Parser) -> None:
    asked = asyncio.create_task(poisoned.parse(large("stop")))
    await wait_until(lambda: bool(workers()), "the worker")
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert (await poisoned.parse(LARGE)).contents == parse.parse(LARGE)


@pytest.mark.parametrize("command", [("/does/not/exist",), (sys.executable, "-c", "raise SystemExit(3)")])
async def test_a_worker_that_does_not_start_is_no_mails_fault(command: tuple[str, ...]) -> None:
    parser = Parser(command)
    with pytest.raises(Unavailable):
        await parser.parse(LARGE)
    assert (await parser.parse(mails.plain())).contents == parse.parse(mails.plain())
    await parser.close()


async def test_close_leaves_no_process() -> None:
    parser = Parser()
    await asyncio.gather(*(parser.parse(LARGE) for _ in range(4)))
    pids = workers()
    assert len(pids) == 2
    await parser.close()
    assert not any(is_alive(pid) for pid in pids)


async def test_signals_for_all_processes_of_a_service_do_not_cut_a_mail_off(parser: Parser) -> None:
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


async def test_no_worker_outlives_a_parent_that_was_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", _PARENT, stderr=asyncio.subprocess.PIPE)
    assert parent.stderr is not None
    pids = [int(pid) for pid in (await parent.stderr.readline()).split()]
    assert len(pids) == 2
    parent.kill()
    await parent.wait()
    await wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers")
