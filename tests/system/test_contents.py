"""What is kept of a mail: once, whatever the parser made of it, and made anew only by a newer one."""

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


class Counting(NullMeter):
    """Remembers what was counted of parsing."""

    def __init__(self) -> None:
        self.results: list[ParseResult] = []

    def record_parse(self, result: ParseResult) -> None:
        self.results.append(result)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
async def at(store: Store, counting: Counting, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    """An installation whose parser obeys the message, see `tests.support.poisoned_worker`."""
    monkeypatch.chdir(ROOT)
    async with seeded_installation(store, parser=Parser(POISONED, timeout_seconds=5), meter=counting) as found:
        yield found


@pytest.mark.parametrize(("word", "why"), [("endless", "parsing timed out"), ("abort", "the parser process crashed")])
async def test_a_mail_that_no_parser_gets_through_is_shown_raw_and_not_tried_again(
    at: Installation, counting: Counting, word: str, why: str
) -> None:
    content = large(word)
    message_id = await at.accept_message(content)
    with capture_logs() as logs:
        shown = await at.contents.get(message_id)
    assert shown.warnings == (f"{why}: raw message shown",)
    assert shown.text.startswith("From: Ada Customer <ada@customer.test>\nTo: ")
    assert counting.results == ["failed"]
    (line,) = [line for line in logs if line["event"] == "parsing.failed"]
    assert (line["message_id"], line["reason"]) == (message_id, why)
    assert await at.contents.get(message_id) == shown
    assert counting.results == ["failed"]
    assert await at.search("ada") == [1]
    assert await at.contents.get_attachment(message_id, 1) is None


async def test_a_newer_parser_reads_it_again(at: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = await at.accept_message(mails.plain(text="Hello."))
    await at.contents.get(message_id)
    await at.execute("UPDATE message_contents SET text = 'old'")
    assert (await at.contents.get(message_id)).text == "old"
    monkeypatch.setattr(parse, "PARSER_VERSION", parse.PARSER_VERSION + 1)
    assert (await at.contents.get(message_id)).text == "Hello."
    (row,) = await at.execute("SELECT parser FROM message_contents")
    assert row["parser"] == parse.PARSER_VERSION


async def test_where_the_octets_were_erased_the_text_stays(at: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = await at.accept_message(mails.plain(text="Hello."))
    before = await at.contents.get(message_id)
    await at.execute("DELETE FROM raw_chunks")
    monkeypatch.setattr(parse, "PARSER_VERSION", parse.PARSER_VERSION + 1)
    assert await at.contents.get(message_id) == before


async def test_a_mail_that_was_erased_while_it_was_read_leaves_nothing(at: Installation) -> None:
    message_id = await at.accept_message(mails.plain())
    await at.execute("DELETE FROM tickets")
    await at.execute("DELETE FROM messages")
    await at.contents.parse(message_id)
    assert await at.execute("SELECT message_id FROM message_contents") == []
    assert await at.execute("SELECT ticket_id FROM ticket_search") == []


async def test_what_is_counted(at: Installation, counting: Counting) -> None:
    for content in (mails.plain(), corpus_mail("broken-base64"), large("")):
        await at.contents.get(await at.accept_message(content))
    assert counting.results == ["clean", "warnings", "clean"]


async def test_catching_up_reads_what_nobody_has_read(at: Installation, counting: Counting) -> None:
    for n in range(3):
        await at.accept_message(mails.plain(subject=f"Mail {n}"))
    await at.contents.parse_missing(timeout_seconds=30)
    await at.contents.parse_missing(timeout_seconds=30)
    assert counting.results == ["clean"] * 3
    assert await at.search("mail") == [3, 2, 1]


async def test_what_was_read_is_not_looked_at_again(at: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents_store, "CATCH_UP_MARGIN_SECONDS", 0.0)
    asked: list[str] = []
    all_rows = at.store.database.fetch_all

    async def noted(query: str, /, **values: object) -> object:
        if query == "search_unindexed":
            asked.append(str(values["after"]))
        return await all_rows(query, **values)

    at.store.database.fetch_all = noted  # type: ignore[method-assign, assignment]  # it listens
    message_id = await at.accept_message(mails.plain())
    await at.contents.parse_missing(timeout_seconds=30)
    await at.contents.parse_missing(timeout_seconds=30)
    assert asked[0] == ""
    assert asked[1] > message_id


async def test_one_unlucky_mail_does_not_keep_others_from_being_found(at: Installation) -> None:
    await at.accept_message(mails.plain(subject="door"))
    bad = await at.accept_message(mails.plain(subject="door"))
    broken = at.contents.parse

    async def parse(message_id: str, *, retry: bool = False) -> Contents:
        if message_id == bad:
            raise RuntimeError("a fault of ours")
        return await broken(message_id, retry=retry)

    at.contents.parse = parse  # type: ignore[method-assign]  # a fault that no mail can make
    with capture_logs() as logs:
        assert await at.search("door") == [1]
    assert [line["message_id"] for line in logs if line["event"] == "parsing.prefetch_failed"] == [bad]


async def test_the_program_parses_in_a_process_that_ends_with_it(tmp_path: Path, slack: SlackStandIn) -> None:
    """Under the program's own event loop; once it is stopped, and once it is killed."""
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
                    os.kill(program.pid, signal.SIGKILL)  # this process alone, not its group
                    await program.wait()
                await wait_until(
                    lambda pids=tuple(workers): not any(map(is_alive, pids)),  # type: ignore[misc]
                    "the end of the worker",
                )
