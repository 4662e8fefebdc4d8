"""A message is shown raw if the process died in an earlier attempt to parse it, or if that attempt expired.

A newer parser version and a reparse try again.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from router.admin.tickets.reparse import ReparseService
from router.contents import attempts, contents_transaction
from router.contents.contents_transaction import BeginAttempt
from router.contents.pool import Parser
from router.errors import Unavailable
from router.mail import parse
from router.store.database import Row, StatementGenerator
from tests.support import mails
from tests.support.installation import Installation, migrated_installation, seeded_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail
from tests.support.stores import Store
from tests.support.waiting import child_pids
from tests.system.test_parsing import POISONED, ROOT, large

HTML = b"Subject: parcel\r\nContent-Type: text/html\r\n\r\n<p>The <b>parcel</b> is open."
WARNING = "an earlier parsing attempt was interrupted: raw message shown"
_PRINT_OWNER = (
    "import sys; from router.lease_owner import new_lease_owner; print(new_lease_owner(), flush=True); sys.stdin.read()"
)


@pytest.fixture
async def installation(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.chdir(ROOT)
    async with seeded_installation(store, parser=Parser(POISONED, timeout_seconds=5)) as found:
        yield found


@pytest.fixture
def other_process() -> Iterator[subprocess.Popen[str]]:
    """A process that prints the lease owner that identifies it, and then waits."""
    with subprocess.Popen(
        [sys.executable, "-c", _PRINT_OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield process
        process.kill()


def read_owner(process: subprocess.Popen[str], *, dead: bool) -> str:
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    if dead:
        process.kill()
        process.wait()
    return name


async def insert_attempt(
    installation: Installation, message_id: str, owner: str, *, age: int = 0, parser: int = parse.PARSER_VERSION
) -> None:
    started_at = installation.clock.now() - age
    await installation.execute(
        "INSERT INTO parse_attempts (message_id, owner, parser, started_at) "
        f"VALUES ('{message_id}', '{owner}', {parser}, {started_at})"
    )


async def attempted_messages(installation: Installation) -> list[object]:
    return [row["message_id"] for row in await installation.execute("SELECT message_id FROM parse_attempts")]


async def wait_for_attempt(installation: Installation) -> None:
    async with asyncio.timeout(30):
        while True:
            if await installation.execute("SELECT message_id FROM parse_attempts"):
                return
            await asyncio.sleep(0)


async def test_message_of_a_dead_process_is_shown_raw(
    installation: Installation, other_process: subprocess.Popen[str]
) -> None:
    message_id = await installation.accept_message(HTML)
    await insert_attempt(installation, message_id, read_owner(other_process, dead=True))
    shown = await installation.contents.get(message_id)
    assert shown.warnings == (WARNING,)
    assert "<p>The <b>parcel</b>" in shown.text
    assert await attempted_messages(installation) == []
    assert await installation.contents.get(message_id) == shown
    assert await installation.contents.get_attachment(message_id, 1) is None
    assert await installation.search("parcel") == [1]


async def test_attempt_of_a_live_process_does_not_prevent_parsing(
    installation: Installation, other_process: subprocess.Popen[str]
) -> None:
    message_id = await installation.accept_message(HTML)
    await insert_attempt(installation, message_id, read_owner(other_process, dead=False))
    assert await installation.contents.get(message_id) == parse.parse(HTML)


async def test_expired_attempt_counts_as_failed(
    installation: Installation, other_process: subprocess.Popen[str]
) -> None:
    message_id = await installation.accept_message(HTML)
    await insert_attempt(
        installation, message_id, read_owner(other_process, dead=False), age=attempts.MAX_ATTEMPT_AGE + 1
    )
    assert (await installation.contents.get(message_id)).warnings == (WARNING,)


async def test_newer_parser_retries(installation: Installation, other_process: subprocess.Popen[str]) -> None:
    message_id = await installation.accept_message(HTML)
    await insert_attempt(
        installation, message_id, read_owner(other_process, dead=True), parser=parse.PARSER_VERSION - 1
    )
    assert await installation.contents.get(message_id) == parse.parse(HTML)
    assert await attempted_messages(installation) == []


async def test_reparse_retries(installation: Installation, other_process: subprocess.Popen[str]) -> None:
    message_id = await installation.accept_message(HTML)
    await insert_attempt(installation, message_id, read_owner(other_process, dead=True))
    reparse = ReparseService(installation.store.database, installation.contents)
    assert await reparse.run(0, workspace_id=None, on_progress=lambda _: None) == 1
    assert await installation.contents.get(message_id) == parse.parse(HTML)
    assert await attempted_messages(installation) == []


@pytest.mark.parametrize("command", ["abort", "endless", ""])
async def test_attempt_is_deleted_after_parsing(installation: Installation, command: str) -> None:
    await installation.contents.get(await installation.accept_message(large(command)))
    assert await attempted_messages(installation) == []


async def test_cancelled_parse_leaves_no_attempt(installation: Installation) -> None:
    message_id = await installation.accept_message(large("stop"))
    parsing = asyncio.create_task(installation.contents.get(message_id))
    await wait_for_attempt(installation)
    parsing.cancel()
    await asyncio.gather(parsing, return_exceptions=True)
    assert await attempted_messages(installation) == []


async def test_parse_cancelled_during_recording_leaves_no_attempt(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = await installation.accept_message(HTML)
    written = asyncio.Event()
    loop = asyncio.get_running_loop()
    begin = contents_transaction._begin_attempts

    def begin_and_report(changes: Sequence[BeginAttempt]) -> StatementGenerator[list[Row | None]]:
        results = yield from begin(changes)
        loop.call_soon_threadsafe(written.set)
        return results

    monkeypatch.setattr(contents_transaction, "_begin_attempts", begin_and_report)
    parsing = asyncio.create_task(installation.contents.get(message_id))
    await asyncio.wait_for(written.wait(), 30)
    parsing.cancel()
    await asyncio.gather(parsing, return_exceptions=True)
    assert await attempted_messages(installation) == []


async def test_failed_worker_start_leaves_no_attempt(store: Store) -> None:
    async with seeded_installation(store, parser=Parser(("/does/not/exist",))) as installation:
        message_id = await installation.accept_message(HTML)
        with pytest.raises(Unavailable):
            await installation.contents.get(message_id)
        assert await attempted_messages(installation) == []


async def test_concurrent_readers_both_get_the_contents(installation: Installation) -> None:
    message_id = await installation.accept_message(HTML)
    both = await asyncio.gather(*(installation.contents.get(message_id) for _ in range(2)))
    assert both == [parse.parse(HTML)] * 2
    assert await attempted_messages(installation) == []


@pytest.mark.parametrize(("content", "attempts"), [(mails.plain(), 0), (HTML, 1)])
async def test_number_of_recorded_attempts(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, content: bytes, attempts: int
) -> None:
    """Parsing without a worker process records no attempt."""
    recorded: list[BeginAttempt] = []
    begin = contents_transaction._begin_attempts

    def begin_and_note(changes: Sequence[BeginAttempt]) -> StatementGenerator[list[Row | None]]:
        recorded.extend(changes)
        return begin(changes)

    monkeypatch.setattr(contents_transaction, "_begin_attempts", begin_and_note)
    await installation.contents.get(await installation.accept_message(content))
    assert len(recorded) == attempts


async def test_restarted_program_does_not_retry_the_interrupted_parse(tmp_path: Path, slack: SlackStandIn) -> None:
    """The program is killed while it waits for the paused worker."""
    async with migrated_installation(tmp_path, slack) as installation:
        async with Program("serve", env=installation.settings, cwd=tmp_path) as program:
            host, port = split_address((await program.ready())["smtp"][0])
            await send_mail(host, port, "ada@customer.test", ["support@example.org"], _numbered_message(1))
            await slack.wait_for(1)
            assert not has_sanitiser(program.pid)
            (worker,) = child_pids(program.pid)
            assert has_sanitiser(worker)
            os.kill(worker, signal.SIGSTOP)
            await send_mail(host, port, "ada@customer.test", ["support@example.org"], _numbered_message(2))
            await wait_for_attempt(installation)
            os.kill(program.pid, signal.SIGKILL)  # only this process, not its group
            await program.wait()
            os.kill(worker, signal.SIGKILL)
        async with Program("serve", env=installation.settings, cwd=tmp_path) as program:
            await program.ready()
            post = (await slack.wait_for(2))[-1]
            assert WARNING in json.dumps(post.payload)
            assert await installation.count_rows("parse_attempts") == 0


def has_sanitiser(pid: int) -> bool:
    """Whether the process has loaded nh3, the library that sanitises HTML."""
    return "nh3" in Path(f"/proc/{pid}/maps").read_text()


def _numbered_message(n: int) -> bytes:
    return HTML.replace(b"Subject: parcel", b"Subject: parcel %d\r\nMessage-ID: <%d@customer.test>" % (n, n))
