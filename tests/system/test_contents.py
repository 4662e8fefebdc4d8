"""Message contents are parsed and stored once, even if parsing fails.

A newer parser version parses again while the raw content exists.
"""

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.contents import store as contents_store
from router.contents.pool import MAX_SMALL_BYTES, Parser
from router.mail import parse
from router.mail.contents import Contents
from router.meter import NullMeter, ParseResult
from tests.support import mails
from tests.support.corpus import corpus_mail
from tests.support.installation import Installation, migrated_installation, seeded_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail
from tests.support.stores import Store
from tests.support.waiting import child_pids, is_alive, wait_until
from tests.system.test_parsing import POISONED, ROOT, large


class ParseCounter(NullMeter):
    """Records the results of parsing."""

    def __init__(self) -> None:
        self.results: list[ParseResult] = []

    def record_parse(self, result: ParseResult) -> None:
        self.results.append(result)


@pytest.fixture
def parse_counter() -> ParseCounter:
    return ParseCounter()


@pytest.fixture
async def installation(
    store: Store, parse_counter: ParseCounter, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Installation]:
    """An installation whose parser obeys the command that `large` puts into a message."""
    monkeypatch.chdir(ROOT)
    async with seeded_installation(store, parser=Parser(POISONED, timeout_seconds=5), meter=parse_counter) as found:
        yield found


@pytest.mark.parametrize(
    ("command", "reason"), [("endless", "parsing timed out"), ("abort", "the parser process crashed")]
)
async def test_unparsable_message_is_shown_raw_and_not_retried(
    installation: Installation, parse_counter: ParseCounter, command: str, reason: str
) -> None:
    content = large(command)
    message_id = await installation.accept_message(content)
    with capture_logs() as logs:
        shown = await installation.contents.get(message_id)
    assert shown.warnings == (f"{reason}: raw message shown",)
    assert shown.text.startswith("From: Ada Customer <ada@customer.test>\nTo: ")
    assert parse_counter.results == ["failed"]
    (line,) = [line for line in logs if line["event"] == "parsing.failed"]
    assert (line["message_id"], line["reason"]) == (message_id, reason)
    assert await installation.contents.get(message_id) == shown
    assert parse_counter.results == ["failed"]
    assert await installation.search("ada") == [1]
    assert await installation.contents.get_attachment(message_id, 1) is None


async def test_newer_parser_parses_again(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = await installation.accept_message(mails.plain(text="Hello."))
    await installation.contents.get(message_id)
    await installation.execute("UPDATE message_contents SET text = 'old'")
    assert (await installation.contents.get(message_id)).text == "old"
    monkeypatch.setattr(parse, "PARSER_VERSION", parse.PARSER_VERSION + 1)
    assert (await installation.contents.get(message_id)).text == "Hello."
    (row,) = await installation.execute("SELECT parser FROM message_contents")
    assert row["parser"] == parse.PARSER_VERSION


async def test_text_is_kept_when_raw_content_was_erased(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = await installation.accept_message(mails.plain(text="Hello."))
    before = await installation.contents.get(message_id)
    await installation.execute("DELETE FROM raw_chunks")
    monkeypatch.setattr(parse, "PARSER_VERSION", parse.PARSER_VERSION + 1)
    assert await installation.contents.get(message_id) == before


async def test_message_erased_during_parsing_leaves_no_contents(installation: Installation) -> None:
    message_id = await installation.accept_message(mails.plain())
    await installation.execute("DELETE FROM tickets")
    await installation.execute("DELETE FROM messages")
    await installation.contents.parse(message_id)
    assert await installation.execute("SELECT message_id FROM message_contents") == []
    assert await installation.execute("SELECT ticket_id FROM ticket_search") == []


async def test_parse_results_are_counted(installation: Installation, parse_counter: ParseCounter) -> None:
    for content in (mails.plain(), corpus_mail("broken-base64"), large("")):
        await installation.contents.get(await installation.accept_message(content))
    assert parse_counter.results == ["clean", "warnings", "clean"]


async def test_parse_missing_parses_each_message_once(installation: Installation, parse_counter: ParseCounter) -> None:
    for n in range(3):
        await installation.accept_message(mails.plain(subject=f"Mail {n}"))
    await installation.contents.parse_missing(timeout_seconds=30)
    await installation.contents.parse_missing(timeout_seconds=30)
    assert parse_counter.results == ["clean"] * 3
    assert await installation.search("mail") == [3, 2, 1]


async def test_parse_missing_skips_indexed_messages(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents_store, "CATCH_UP_MARGIN_SECONDS", 0.0)
    queried: list[str] = []
    fetch_all = installation.store.database.fetch_all

    async def record_fetch(query: str, /, **values: object) -> object:
        if query == "search_unindexed":
            queried.append(str(values["after"]))
        return await fetch_all(query, **values)

    installation.store.database.fetch_all = record_fetch  # type: ignore[method-assign, assignment]  # records the queries
    message_id = await installation.accept_message(mails.plain())
    await installation.contents.parse_missing(timeout_seconds=30)
    await installation.contents.parse_missing(timeout_seconds=30)
    assert queried[0] == ""
    assert queried[1] > message_id


async def test_failing_parse_does_not_hide_other_search_results(installation: Installation) -> None:
    await installation.accept_message(mails.plain(subject="parcel"))
    failing_id = await installation.accept_message(mails.plain(subject="parcel"))
    get_original = installation.contents.get

    async def get(message_id: str) -> Contents:
        if message_id == failing_id:
            raise RuntimeError("an internal error")
        return await get_original(message_id)

    installation.contents.get = get  # type: ignore[method-assign]  # simulates an internal error
    with capture_logs() as logs:
        assert await installation.search("parcel") == [1]
    assert [line["message_id"] for line in logs if line["event"] == "parsing.prefetch_failed"] == [failing_id]


async def test_parser_process_ends_with_the_program(tmp_path: Path, slack: SlackStandIn) -> None:
    """The program runs on uvloop, unlike the parent in `test_workers_end_with_a_killed_parent`."""
    content = mails.with_attachment(content=os.urandom(4 * MAX_SMALL_BYTES))
    async with migrated_installation(tmp_path, slack) as installation:
        for n, end in enumerate(("stop", "kill"), start=1):
            async with Program("serve", env=installation.settings, cwd=tmp_path) as program:
                facts = await program.ready()
                host, port = split_address(facts["smtp"][0])
                mail = content.replace(b"Message-ID: <", b"Message-ID: <%d." % n)
                reply = await send_mail(host, port, "ada@customer.test", ["support@example.org"], mail)
                assert reply.code == 250
                post = (await slack.wait_for(n))[-1]
                assert "T\u00fcr, Foto.png" in json.dumps(post.payload, ensure_ascii=False)
                workers = child_pids(program.pid)
                assert len(workers) == 1
                if end == "stop":
                    assert await program.terminate() == 0
                else:
                    os.kill(program.pid, signal.SIGKILL)  # only this process, not its group
                    await program.wait()
                await wait_until(
                    lambda pids=tuple(workers): not any(map(is_alive, pids)),  # type: ignore[misc]
                    "the end of the worker",
                )
