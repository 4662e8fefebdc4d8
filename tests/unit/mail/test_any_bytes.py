"""Parsing of any bytes raises no exception, and its results can be stored."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.mail.bounces import parse_report
from router.mail.charset_detection import CharsetDecoder
from router.mail.charsets import decode_charset
from router.mail.contents import ParseLimits
from router.mail.decode import clean_line, clean_text, decode_encoded_words, parse_parameters, safe_filename
from router.mail.headers import MAX_ID_BYTES, MAX_PARTICIPANTS, MAX_REFERENCES, MAX_TEXT_LENGTH, read_headers
from router.mail.html_sanitizer import sanitize_html
from router.mail.html_text import sanitized_to_text, strip_tags
from router.mail.mailboxes import normalize_address, read_mailboxes
from router.mail.parse import extract_attachment, parse
from router.mail.quotes import split
from router.mail.structure import read_structure
from tests.support.mail_tree import leaves
from tests.unit.mail.fuzz import assert_storable

CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "corpus").glob("*.eml"))]
PIECES = [
    *(b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Message-ID: ", b"References: ", b"Content-Type: ", b"boundary=b"),
    *(
        b"multipart/mixed; boundary=b",
        b"multipart/alternative; ",
        b"text/html",
        b"text/plain; format=flowed",
        b"--b\r\n",
    ),
    *(
        b"--b--",
        b"message/rfc822",
        b"multipart/related; boundary=b",
        b"Content-Transfer-Encoding: base64\r\n",
        b"=?utf-8?",
    ),
    *(
        b"Q?=C3?=",
        b"B?",
        b"?=",
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"<",
        b">",
        b"@",
        b'"',
        b"\\",
        b"(",
        b")",
    ),
    *(
        b",",
        b";",
        b":",
        b"\x00",
        b"\x1b$B",
        b"\xff",
        b"\xc3\xa4",
        b"charset=utf-16",
        b"charset=iso-2022-jp",
        b"name*0*=",
    ),
    *(
        b"filename=",
        b"utf-8''%",
        b"<p>",
        b"<blockquote>",
        b"</a>",
        b"<a href=",
        b"> ",
        b"On 1 wrote:",
        b"-- \n",
        b"=\r\n",
    ),
]
any_bytes = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
    st.builds(
        lambda mail, cuts: b"".join(mail[a:b] + piece for a, b, piece in cuts),
        st.sampled_from(CORPUS),
        st.lists(st.tuples(st.integers(0, 900), st.integers(0, 1800), st.sampled_from(PIECES)), min_size=1, max_size=4),
    ),
)
SMALL = ParseLimits(
    header_bytes=500, parts=4, depth=3, text=80, html=200, attachments=2, enclosed_bytes=300, enclosed_depth=1
)


@settings(max_examples=300)
@given(content=any_bytes)
def test_read_headers(content: bytes) -> None:
    facts = read_headers(content)
    assert_storable(facts._asdict())
    assert len(facts.rfc_message_id.encode()) <= MAX_ID_BYTES
    assert len(facts.reference_ids) <= MAX_REFERENCES
    assert len(facts.participants) <= MAX_PARTICIPANTS
    assert len(facts.subject) <= MAX_TEXT_LENGTH
    assert not set("\r\n") & set(facts.subject + facts.from_name + facts.from_address)
    assert all(participant == normalize_address(participant) for participant in facts.participants)


@settings(max_examples=300)
@given(content=any_bytes, limits=st.sampled_from([ParseLimits(), SMALL]))
def test_parse(content: bytes, limits: ParseLimits) -> None:
    contents = parse(content, limits=limits)
    assert "could not be parsed: raw message shown" not in contents.warnings
    assert_storable(asdict(contents))
    assert max(len(contents.text), len(contents.quoted)) <= limits.text
    assert len(contents.attachments) <= limits.attachments
    for listed in contents.attachments:
        taken = extract_attachment(content, listed.n, limits=limits)
        assert taken is not None
        assert taken.attachment.filename == listed.filename
        assert not set('/\\\r\n"') & set(listed.filename)


@settings(max_examples=200)
@given(content=any_bytes, parts=st.integers(1, 5), depth=st.integers(0, 4))
def test_part_offsets_lie_within_the_message(content: bytes, parts: int, depth: int) -> None:
    tree = read_structure(content, max_header_bytes=400, max_parts=parts, max_depth=depth)
    found = leaves(tree.root)
    assert len(found) <= parts
    assert all(0 <= leaf.start <= leaf.end <= len(leaf.content) and leaf.depth <= max(depth, 1) for leaf in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@settings(max_examples=200)
@given(data=any_bytes, label=st.text(max_size=20))
def test_helper_parsers(data: bytes, label: str) -> None:
    decode_charset(data, label)
    text, _ = CharsetDecoder(label).decode(data, label, markup=True)
    assert_storable(clean_text(text))
    parse_parameters(data)
    parse_report(data)
    assert_storable(read_mailboxes(data))
    text = decode_encoded_words(data, label)
    assert_storable([clean_line(text, 50), clean_text(text), safe_filename(text)])
    assert_storable([sanitized_to_text(sanitize_html(text) or "", MAX_TEXT_LENGTH), strip_tags(text, MAX_TEXT_LENGTH)])


@settings(max_examples=200)
@given(
    lines=st.lists(
        st.sampled_from(
            ["", "> q", "new", "-- ", "On 1 Jan 2025 Eva wrote:", "From: a", "To: b", "Subject: c", "____" * 8]
        )
    ),
)
def test_split_loses_no_line(lines: list[str]) -> None:
    new, quoted = split("\n".join(lines))
    kept = [line.rstrip() for line in f"{new}\n{quoted}".split("\n") if line.strip()]
    assert kept == [line.rstrip() for line in lines if line.strip()]
