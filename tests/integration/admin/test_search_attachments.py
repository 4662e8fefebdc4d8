"""Search finds tickets by the names of the attachments of their messages."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.mail import parse
from router.mail.contents import Attachment, Contents
from router.search import terms
from tests.support import mails
from tests.support.installation import Installation

NAMES = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(["Invoice", "2024", "é", "注文書", "ﬁ", "\u202e", "../", "\\", "_", "-", " ", ".", "x" * 200]),
        max_size=8,
    ).map("".join),
)


def compose(names: Sequence[str], text: str = "See the attachments.") -> bytes:
    """Returns a message with an attachment of each name (RFC 2231)."""
    parts = [f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"]
    for name in names:
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        parts.append(f"Content-Type: application/pdf\r\nContent-Disposition: {disposition}\r\n\r\ndata\r\n")
    body = "".join(f"--limit\r\n{part}" for part in parts)
    kind = "Content-Type: multipart/mixed; boundary=limit"
    return mails.mail(mails.new_message_id(), extra=("MIME-Version: 1.0", kind), body=f"{body}--limit--")


def contents(*names: str, text: str = "", quoted: str = "") -> Contents:
    files = (Attachment(n, name, "", 1, False, "", "file") for n, name in enumerate(names, 1))
    return Contents(text, quoted, "", tuple(files), ())


@pytest.mark.parametrize("q", ["invoice", "2024", "pdf", "invoice-2024.pdf", "INVOICE 2024", "invo", "see invoice"])
async def test_a_ticket_is_found_by_the_name_of_an_attachment(installation: Installation, q: str) -> None:
    await installation.accept_message(compose(["invoice-2024.pdf"]))
    await installation.accept_message(compose(["photo.png"]))
    assert await installation.search(q) == [1]


async def test_names_of_all_languages_are_found(installation: Installation) -> None:
    await installation.accept_message(compose(["Größe_der_Tür.pdf", "注文書.xlsx"]))
    for q in ("grosse", "tür", "TUR", "注文", "Größe_der_Tür.pdf", "注文書.xlsx"):
        assert await installation.search(q) == [1], q


async def test_names_of_a_message_with_html_are_found(installation: Installation) -> None:
    """Only the worker process parses HTML."""
    content = compose(["invoice-2024.pdf"]).replace(b"text/plain", b"text/html")
    await installation.accept_message(content)
    await installation.contents.parse_missing(60)  # a search waits only 1 s for the worker process
    assert await installation.search("invoice 2024") == [1]


async def test_any_name_is_found(installation: Installation) -> None:
    batches: list[list[str]] = []

    @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(NAMES, max_size=4))
    def gather(names: list[str]) -> None:
        batches.append(names)

    gather()
    for number, names in enumerate(batches, 1):
        message_id = await installation.accept_message(compose(names))
        for attachment in (await installation.contents.get(message_id)).attachments:
            found = await installation.search(attachment.filename)
            assert found[:1] == ([number] if terms.text_words(attachment.filename) else []), attachment


async def test_names_are_indexed_when_an_older_message_is_parsed_again(installation: Installation) -> None:
    message_id = await installation.accept_message(compose(["invoice-2024.pdf"]))
    await installation.contents.get(message_id)
    await installation.execute("UPDATE message_contents SET parser = :old", old=parse.PARSER_VERSION - 1)
    await installation.execute("DELETE FROM ticket_search")
    assert await installation.search("invoice") == []
    await installation.contents.get(message_id)
    assert await installation.search("invoice") == [1]


def test_names_precede_new_text_and_quoted_text() -> None:
    assert terms.message_words(contents("a-b.pdf", text="new b", quoted="old a")) == ["a", "b", "pdf", "new", "old"]
    assert terms.message_words(contents("a", text="n " * terms.MAX_TEXT_LENGTH, quoted="old")) == ["a", "n"]


def test_many_names_do_not_displace_the_text() -> None:
    names = [" ".join(f"n{n}x{m}" for m in range(20)) for n in range(200)]
    words = terms.message_words(contents(*names, text="a text"))
    assert words[-2:] == ["a", "text"]
    assert len(words) == terms.MAX_FILENAME_WORDS + 2


@settings(max_examples=200)
@given(st.lists(st.text(max_size=300), max_size=30), st.text(max_size=300), st.text(max_size=300))
def test_message_words_are_the_words_of_its_parts(names: list[str], text: str, quoted: str) -> None:
    message = contents(*names, text=text, quoted=quoted)
    words = terms.message_words(message)
    assert len(words) == len(set(words)) <= terms.MAX_WORDS
    parts = (*names, text, quoted)
    if sum(map(len, parts)) <= terms.MAX_FILENAME_WORDS:
        assert set(words) == {word for part in parts for word in terms.text_words(part)}
    assert terms.message_words(replace(message, attachments=())) == terms.text_words(f"{text}\n{quoted}")
