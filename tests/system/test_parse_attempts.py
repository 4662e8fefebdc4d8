"""Mails that ended the program while they were parsed: shown as they came the next time, and only those."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from router.admin.tickets.reparse import ReparseService
from router.contents import attempts
from router.contents.pool import Parser
from router.errors import Unavailable
from router.mail import parse
from tests.support import mails
from tests.support.installation import Installation, migrated_installation, seeded_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail
from tests.support.stores import Store
from tests.support.waiting import child_pids
from tests.system.test_parsing import POISONED, ROOT, large

HTML = b"Subject: door\r\nContent-Type: text/html\r\n\r\n<p>The <b>door</b> is open."
WARNING = "an earlier parsing attempt was interrupted: raw message shown"
_PRINT_OWNER = (
    "import sys; from router.lease_owner import new_lease_owner; print(new_lease_owner(), flush=True); sys.stdin.read()"
)


@pytest.fixture
async def at(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.chdir(ROOT)
    async with seeded_installation(store, parser=Parser(POISONED, timeout_seconds=5)) as found:
        yield found


@pytest.fixture
def other_process() -> Iterator[subprocess.Popen[str]]:
    """A process that says which name it has, and lives until the test ends it."""
    with subprocess.Popen(
        [sys.executable, "-c", _PRINT_OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield process
        process.kill()


def owner_of(process: subprocess.Popen[str], *, dead: bool) -> str:
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    if dead:
        process.kill()
        process.wait()
    return name


async def record(
    at: Installation, message_id: str, owner: str, *, age: int = 0, parser: int = parse.PARSER_VERSION
) -> None:
    started_at = at.clock.now() - age
    await at.execute(
        "INSERT INTO parse_attempts (message_id, owner, parser, started_at) "
        f"VALUES ('{message_id}', '{owner}', {parser}, {started_at})"
    )


async def recorded(at: Installation) -> list[object]:
    return [row["message_id"] for row in await at.execute("SELECT message_id FROM parse_attempts")]


async def until_recorded(where: Installation | Installation) -> None:
    async with asyncio.timeout(30):
        while True:
            if await where.execute("SELECT message_id FROM parse_attempts"):
                return
            await asyncio.sleep(0)


async def test_a_mail_whose_process_is_dead_is_shown_as_it_came(
    at: Installation, other_process: subprocess.Popen[str]
) -> None:
    message_id = await at.accept_message(HTML)
    await record(at, message_id, owner_of(other_process, dead=True))
    shown = await at.contents.get(message_id)
    assert shown.warnings == (WARNING,)
    assert "<p>The <b>door</b>" in shown.text
    assert await recorded(at) == []
    assert await at.contents.get(message_id) == shown
    assert await at.contents.get_attachment(message_id, 1) is None
    assert await at.search("door") == [1]


async def test_a_mail_that_another_process_parses_now_is_parsed(
    at: Installation, other_process: subprocess.Popen[str]
) -> None:
    message_id = await at.accept_message(HTML)
    await record(at, message_id, owner_of(other_process, dead=False))
    assert await at.contents.get(message_id) == parse.parse(HTML)


async def test_an_attempt_that_is_too_old_to_run_counts_as_failed(
    at: Installation, other_process: subprocess.Popen[str]
) -> None:
    message_id = await at.accept_message(HTML)
    await record(at, message_id, owner_of(other_process, dead=False), age=attempts.MAX_ATTEMPT_AGE + 1)
    assert (await at.contents.get(message_id)).warnings == (WARNING,)


async def test_a_newer_parser_tries_again(at: Installation, other_process: subprocess.Popen[str]) -> None:
    message_id = await at.accept_message(HTML)
    await record(at, message_id, owner_of(other_process, dead=True), parser=parse.PARSER_VERSION - 1)
    assert await at.contents.get(message_id) == parse.parse(HTML)
    assert await recorded(at) == []


async def test_reparse_tries_again(at: Installation, other_process: subprocess.Popen[str]) -> None:
    message_id = await at.accept_message(HTML)
    await record(at, message_id, owner_of(other_process, dead=True))
    reparse = ReparseService(at.store.database, at.contents)
    assert await reparse.run(0, workspace_id=None, on_progress=lambda _: None) == 1
    assert await at.contents.get(message_id) == parse.parse(HTML)
    assert await recorded(at) == []


@pytest.mark.parametrize("word", ["abort", "endless", ""])
async def test_nothing_is_left_of_an_attempt_whose_program_lives(at: Installation, word: str) -> None:
    await at.contents.get(await at.accept_message(large(word)))
    assert await recorded(at) == []


async def test_a_stop_is_no_fault_of_the_mail(at: Installation) -> None:
    message_id = await at.accept_message(large("stop"))
    reading = asyncio.create_task(at.contents.get(message_id))
    await until_recorded(at)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert await recorded(at) == []


async def test_a_stop_while_the_attempt_is_recorded_is_no_fault_of_the_mail(
    at: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = await at.accept_message(HTML)
    run, committed = at.store.database.execute, asyncio.Event()

    async def stalled(name: str, **values: object) -> int:
        changed = await run(name, **values)
        if name == "parse_attempt_begin":
            committed.set()
            await asyncio.Event().wait()
        return changed

    monkeypatch.setattr(at.store.database, "execute", stalled)
    reading = asyncio.create_task(at.contents.get(message_id))
    await asyncio.wait_for(committed.wait(), 30)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert await recorded(at) == []


async def test_a_worker_that_does_not_start_is_no_fault_of_the_mail(store: Store) -> None:
    async with seeded_installation(store, parser=Parser(("/does/not/exist",))) as at:
        message_id = await at.accept_message(HTML)
        with pytest.raises(Unavailable):
            await at.contents.get(message_id)
        assert await recorded(at) == []


async def test_two_that_read_one_mail_at_once_both_get_it(at: Installation) -> None:
    message_id = await at.accept_message(HTML)
    both = await asyncio.gather(*(at.contents.get(message_id) for _ in range(2)))
    assert both == [parse.parse(HTML)] * 2
    assert await recorded(at) == []


@pytest.mark.parametrize(("content", "statements"), [(mails.plain(), 0), (HTML, 1)])
async def test_what_a_record_costs(at: Installation, content: bytes, statements: int) -> None:
    """One statement in a transaction of its own, and none for a mail that no worker parses."""
    asked: list[str] = []
    run = at.store.database.execute

    async def noted(query: str, /, **values: object) -> int:
        asked.append(query)
        return await run(query, **values)

    at.store.database.execute = noted  # type: ignore[method-assign]  # it listens
    await at.contents.get(await at.accept_message(content))
    assert asked == ["parse_attempt_begin"] * statements


async def test_the_program_does_not_parse_again_what_it_was_killed_with(tmp_path: Path, slack: SlackStandIn) -> None:
    """The worker is stopped in the middle of the mail, and the program is killed with SIGKILL."""
    async with migrated_installation(tmp_path, slack) as installation:
        async with Program("serve", env=installation.settings, cwd=tmp_path) as program:
            host, port = split_address((await program.ready())["smtp"][0])
            await send_mail(host, port, "ada@customer.test", ["support@example.org"], _mail(1))
            await slack.wait_for(1)
            assert not has_sanitiser(program.pid)  # HTML is parsed elsewhere
            (worker,) = child_pids(program.pid)
            assert has_sanitiser(worker)
            os.kill(worker, signal.SIGSTOP)
            await send_mail(host, port, "ada@customer.test", ["support@example.org"], _mail(2))
            await until_recorded(installation)
            os.kill(program.pid, signal.SIGKILL)  # this process alone, not its group
            await program.wait()
            os.kill(worker, signal.SIGKILL)
        async with Program("serve", env=installation.settings, cwd=tmp_path) as program:
            await program.ready()
            post = (await slack.wait_for(2))[-1]
            assert WARNING in json.dumps(post.payload)
            assert await installation.count_rows("parse_attempts") == 0


def has_sanitiser(pid: int) -> bool:
    """Whether the process has loaded the library that parses HTML."""
    return "nh3" in Path(f"/proc/{pid}/maps").read_text()


def _mail(n: int) -> bytes:
    return HTML.replace(b"Subject: door", b"Subject: door %d\r\nMessage-ID: <%d@customer.test>" % (n, n))
