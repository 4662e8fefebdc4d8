"""Encoded bodies, including undecodable data."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail import uuencode
from router.mail.contents import Contents
from router.mail.parse import extract_attachment, parse
from router.mail.transfer_encoding import decode, decoded_size, parse_mechanism

SENTENCE = b"My question: what does the large lamp cost, and when can it be sent to Hamburg?\n"
FILE = (
    b"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n\r\nSee the file.\r\n--z\r\n"
    b"Content-Type: application/x; name=a.bin\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n--z--\r\n"
)
PIECES = st.sampled_from(
    [
        *(b"QUJD", b"QQ==", b"Q", b"=", b"!", b" ", b"\r\n", b"\n", b"A" * 76, base64.encodebytes(SENTENCE)),
        b"list footer",
    ]
)


def encode_run(data: bytes) -> bytes:
    return base64.b64encode(data) + b"\r\n"


def encode_uuencode(data: bytes, name: bytes = b"a.bin") -> bytes:
    lines = (binascii.b2a_uu(data[at : at + 45], backtick=True) for at in range(0, len(data), 45))
    return b"begin 644 " + name + b"\n" + b"".join(lines) + b"`\nend\n"


def parse_as_text(body: bytes, encoding: bytes = b"base64") -> Contents:
    return parse(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"base64", "base64"),
        (b"BASE64 (by hand) x", "base64"),
        (b"base-64;", "base64"),
        (b'"Quoted-Printable";', "quoted-printable"),
        (b"quoted_printable", "quoted-printable"),
        (b"X-UUE", "uuencode"),
        (b"7bit", "7bit"),
        (b"x-unknown words", "x-unknown"),
        (b"", ""),
        (b"\xff(", "\ufffd"),
        (b"(a comment) Base64", "base64"),
        (b"base 64", "base64"),
        (b"X-Base64", "base64"),
        (b"base32", "base32"),
        (b"quoted printable", "quoted-printable"),
        (b"quoted-printeable", "quoted-printable"),
    ],
)
def test_the_mechanism_is_the_first_word(value: bytes, expected: str) -> None:
    assert parse_mechanism(value) == expected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (encode_run(b"One.\n") + encode_run(b"Two.\n") + encode_run(b"3\n"), "One.\nTwo.\n3"),
        (base64.b64encode(b"One.\n") + base64.b64encode(b"Two.\n"), "One.\nTwo."),
        (b"T25l \r\n Lgo=\r\n", "One."),
        (b"VGhlIGxhcmdlIGxhbXAu\r\n IEZvciBIYW1idXJnCg\r\n", "The large lamp. For Hamburg"),
        (b"VGhlIGxhcmdlIGxhbXAu\r\n IEZvciBNaWxhbi4K\r\n", "The large lamp. For Milan."),
        (b"VGhlIGxhcmdlIGxhbXAgZm9y IEhhbWJ1cmcu\r\n\tCg==\r\n", "The large lamp for Hamburg."),
    ],
)
def test_base64_in_several_runs(body: bytes, text: str) -> None:
    found = parse_as_text(body)
    assert (found.text, found.warnings) == (text, ())
    assert decode(body, "base64") == (f"{text}\n".encode(), True)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (encode_run(b"hello world")[:-2] + b" ignored\r\n", "hello world"),
        (
            base64.encodebytes(SENTENCE) + b"_____\r\nlist footer, Regards\r\nBob\r\n",
            "_____\nlist footer, Regards\nBob",
        ),
        (b"[EXTERNAL] Take care.\r\n\r\n" + encode_run(SENTENCE), "[EXTERNAL] Take care."),
        (b"aGVsbG8!gd29ybGQgYW5kIG1vcmU=\r\n", "hello world and more"),
    ],
)
def test_words_around_base64_stay_in_the_text_and_out_of_a_file(body: bytes, text: str) -> None:
    found = parse_as_text(body)
    assert text in found.text
    assert b"[EXTERNAL]" not in decode(body, "base64")[0]
    assert b"footer" not in decode(body, "base64")[0]
    if b"!" not in body:
        assert found.warnings == ("malformed base64",)
    if b"question" in decode(body, "base64")[0]:
        assert SENTENCE.decode().strip() in found.text


@pytest.mark.parametrize(
    "body", [b"Hello,\nthis is plain.\n", b"Hello\nthis is plain.\nBob\n", b"Thanks\n", b"foo= bar\n"]
)
def test_plain_text_labelled_as_base64(body: bytes) -> None:
    found = parse_as_text(body)
    assert found.text == body.decode().strip()
    assert found.warnings == ("malformed base64",)


@pytest.mark.parametrize("damage", [b"", b"\xff", b"!", b"xy"])
def test_damage_stays_in_its_base64_line(damage: bytes) -> None:
    lines = [f"Line {number}: where is the order für Müller, please? äöü\n" for number in range(9)]
    body = base64.encodebytes("".join(lines).encode())
    body = body[:100] + damage + body[101:]
    found = parse_as_text(body)
    assert sum(line.strip() in found.text for line in lines) >= len(lines) - 2
    assert "malformed base64" in found.warnings
    assert decoded_size(body, "base64") == (len(decode(body, "base64")[0]), False)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"one = \t\r\ntwo =", "one two "),
        (b"token=3Da== and a==3D", "token=a== and a=="),
        (b"one =\rtwo", "one two"),
        (b"one=\r\r\ntwo", "onetwo"),
        (b"5 = 5 =\n", "5 = 5 "),
    ],
)
def test_damaged_quoted_printable(body: bytes, text: str) -> None:
    assert decode(body, "quoted-printable") == (text.encode(), True)


def test_trailing_base64_character_is_dropped() -> None:
    assert decode(b"QUJDR", "base64") == (b"ABC", False)
    assert decode(b"QUJDREU", "base64") == (b"ABCDE", True)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_the_size_is_that_of_the_decoded_bytes(data: bytes) -> None:
    for encoding in ("base64", "quoted-printable", "uuencode", "8bit"):
        body, whole = decode(data, encoding)
        assert decoded_size(data, encoding) == (len(body), whole)


@pytest.mark.parametrize(
    ("encoding", "body", "data"),
    [
        (b"base64", encode_run(b"%PDF a") + encode_run(b"more"), b"%PDF amore"),
        (b"base64", encode_run(b"hello world") + b"\r\nSent by our list.", b"hello world"),
        (b"base64", b"", b""),
        (b"quoted-printable", b"a=3Db=\r\nc", b"a=bc"),
        (b"7bit", b"a\r\nb", b"a\r\nb"),
        (b"x-uuencode", encode_uuencode(bytes(range(100))), bytes(range(100))),
        (b"X-UUE (by hand)", encode_uuencode(b"hello").replace(b"\n", b"\r\n"), b"hello"),
    ],
)
def test_the_list_has_the_size_of_the_download(encoding: bytes, body: bytes, data: bytes) -> None:
    content = FILE % (encoding, body)
    [listed] = parse(content).attachments
    taken = extract_attachment(content, 1)
    assert taken is not None
    assert (taken.data, taken.attachment, listed.size) == (data, listed, len(data))


def test_a_file_that_cannot_be_decoded_is_listed_with_a_warning() -> None:
    assert parse(FILE % (b"base64", encode_run(b"hello world") + b"Sent by our list.")).warnings == (
        "malformed base64 in attachment 1",
    )
    assert parse(FILE % (b"x-uuencode", b"no such line")).warnings == ("malformed uuencode in attachment 1",)


def test_a_multipart_that_is_encoded_as_a_whole() -> None:
    inner = (
        b"--z\r\nContent-Type: text/plain\r\n\r\nOrder 4711.\r\n--z\r\nContent-Type: a/b; name=c\r\n\r\nd\r\n--z--\r\n"
    )
    head = b"Content-Type: multipart/mixed; boundary=z\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    found = parse(head + base64.encodebytes(inner))
    assert (found.text, [listed.filename for listed in found.attachments], found.warnings) == ("Order 4711.", ["c"], ())


def test_encoded_cr_before_a_line_ending_adds_no_empty_line() -> None:
    assert parse_as_text(b"One=0D\r\nTwo=0D=0A=\r\nThree\r\n", b"quoted-printable").text == "One\nTwo\nThree"


@given(st.binary(max_size=200))
def test_uuencode_is_decoded(data: bytes) -> None:
    assert uuencode.decode(encode_uuencode(data)) == (data, True)
    blanks = encode_uuencode(data).replace(b"`", b" ").replace(b"\n", b"\r\n")
    assert uuencode.decode(blanks) == (data, True)


def test_uuencoded_files_in_a_text_are_attachments() -> None:
    data = bytes(range(256))
    body = (
        b"Two files.\n\n"
        + encode_uuencode(data, "pr\u00fcfung.bin".encode())
        + b"\nand\n\n"
        + encode_uuencode(b"abc", b"b")
        + b"Bye\n"
    )
    for encoding, encoded in (
        (b"8bit", body),
        (b"base64", base64.encodebytes(body)),
        (b"quoted-printable", binascii.b2a_qp(body)),
    ):
        head = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: " + encoding + b"\n\n"
        found = parse(head + encoded)
        assert found.text.split() == ["Two", "files.", "and", "Bye"]
        assert [(listed.filename, listed.size) for listed in found.attachments] == [("pr\u00fcfung.bin", 256), ("b", 3)]
        taken = extract_attachment(head + encoded, 1)
        assert taken is not None
        assert taken.data == data


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 times\nI SAID SO\nend",
        "begin with the lamp\nend",
        "begin 644 LIST\nORDER 5 LAMPS\nend",
        "begin 644 X\n!OK\nend",
        encode_uuencode(bytes(200)).decode().removesuffix("end\n").strip(),
        encode_uuencode(bytes(200)).decode().replace("M", "N", 1).strip(),
    ],
)
def test_prose_and_malformed_blocks_stay_text(text: str) -> None:
    found = parse(f"Content-Type: text/plain\n\nHello.\n{text}\n".encode())
    assert (found.text, found.attachments) == (f"Hello.\n{text}", ())


def test_unpadded_last_group() -> None:
    block = b"begin 664 a\n!80\n`\nend\n"
    assert [found.name for found in uuencode.find_blocks(block)] == [b"a"]
    assert uuencode.decode(block) == (b"a", True)


def test_quoted_block_stays_text() -> None:
    block = encode_uuencode(b"abc")
    assert len(list(uuencode.find_blocks(block))) == 1
    assert list(uuencode.find_blocks(b"> " + block.replace(b"\n", b"\n> "))) == []


@pytest.mark.parametrize("word", [b"Disclaimer", b"Regards", b"12345", b"NOVIRUS99"])
@pytest.mark.parametrize("data", [SENTENCE, SENTENCE[:-1], SENTENCE[:-2]])
def test_word_after_base64_is_not_part_of_the_file(data: bytes, word: bytes) -> None:
    for body in (base64.encodebytes(data) + word + b"\r\n", base64.encodebytes(data) + word + b"\nand more words\n"):
        assert decode(body, "base64") == (data, False)
        assert decoded_size(body, "base64") == (len(data), False)
        assert word in decode(body, "base64", keep_text=True)[0]
