"""Growth-test subjects for DKIM signatures and keys."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import asdict

from router.dns.answers import DnsAnswer
from router.mail.dkim.key import MAX_RECORD_BYTES, parse_key
from router.mail.dkim.request import answer_request
from router.mail.dkim.signature import MAX_SIGNATURE_BYTES, MAX_SIGNATURES, read_signatures
from router.mail.dkim.tag_list import TagListError
from tests.support.dkim import DOMAIN, KEY_NAME, RECEIVED_AT, SELECTOR, signing_key
from tests.system.growth.shapes import FEW_UNITS, HEADER, Shape
from tests.system.growth.subject import PLAIN, Subject

_HEAD = 262144 - (16 << 10)  # bytes, what `canonicalization` reads, without the signatures
_BODY = 1 << 20  # less than the allowed 10 MiB, but enough to show growth
_EMPTY_BODY_HASHES = {
    "simple": base64.b64encode(hashlib.sha256(b"\r\n").digest()).decode(),
    "relaxed": base64.b64encode(hashlib.sha256(b"").digest()).decode(),
}
_QUESTION = json.dumps(
    [DOMAIN, {KEY_NAME: asdict(DnsAnswer("found", (signing_key("ed25519").record,)))}, RECEIVED_AT]
).encode()
_VALUE = f"{'A' * 86}=="
_NAMES = ":".join(["from", "a"] * 500)


def make_signatures() -> bytes:
    """Returns signatures with all canonicalizations that name one field many times, and that fit an empty body."""
    algorithms = ("simple/simple", "relaxed/simple", "simple/relaxed", "relaxed/relaxed", "relaxed/relaxed")
    return b"".join(
        f"DKIM-Signature: v=1; a=ed25519-sha256; d={DOMAIN}; s={SELECTOR}; c={algorithm}; h={_NAMES}; b={_VALUE};\r\n"
        f" bh={_EMPTY_BODY_HASHES[algorithm.partition('/')[2]]}\r\n".encode()
        for algorithm in algorithms
    )


SIGNATURES = make_signatures()


def verify_message(content: bytes) -> object:
    results = json.loads(answer_request(_QUESTION + content, len(_QUESTION)))
    assert len(results) == MAX_SIGNATURES
    return results


def read_tags(data: bytes) -> object:
    return read_signatures(b"DKIM-Signature: v=1; h=" + data + b"\r\nFrom: a@b\r\n\r\n", "b")


def read_many_signatures(data: bytes) -> object:
    lines = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\nDKIM-Signature: ")
    return read_signatures(b"DKIM-Signature: " + lines + b"\r\n\r\n", "b")


def read_key(data: bytes) -> None:
    for prefix in ("", "v=DKIM1; p=", "p="):
        with suppress(TagListError):
            parse_key(prefix + data.decode("latin-1"))


_TAGS = (b";", b"a=b;", b"=", b"from:", b" :", b"; \r\n ", b";b=", b"; b =A", b"a=b;\n", b"v=1;\n", b"\r\n\t", b"QUJD")
_LINES = (
    b"From: a\r\n",
    b"From : a\r\n",
    b"a:\r\n",
    b"a:",
    b"\r\n ",
    b"a \r\n\t",
    b"  ",
    b"\t ",
    b"DKIM-Signature: b=;\r\n",
)
_SPACES = (b" ", b"\t", b" \r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"  a", b" \r", b"a", b"a" * 78 + b"\r\n")
SUBJECTS = (
    Subject("dkim: tags", read_tags, MAX_SIGNATURE_BYTES, (*PLAIN, _TAGS), quick=(*_TAGS, *FEW_UNITS)),
    Subject("dkim: many signatures", read_many_signatures, _HEAD, (_TAGS, HEADER), quick=_TAGS),
    Subject(
        "dkim: a header",
        lambda data: verify_message(SIGNATURES + data + b"\r\n\r\n"),
        _HEAD,
        (_LINES, HEADER, *PLAIN),
        quick=_LINES,
    ),
    Subject(
        "dkim: one field",
        lambda data: verify_message(SIGNATURES + b"From: a" + data),
        _HEAD,
        (_SPACES, *PLAIN),
        quick=_SPACES,
    ),
    Subject(
        "dkim: a body",
        lambda data: verify_message(SIGNATURES + b"From: a\r\n\r\n" + data),
        _BODY,
        (_SPACES, *PLAIN),
        (Shape(b" ", b"", b"a\r\n"), Shape(b" \t", b"a", b""), Shape(b"\r\n", b"a", b"\r")),
        quick=_SPACES,
    ),
    Subject("dkim: a key record", read_key, MAX_RECORD_BYTES, (*PLAIN, _TAGS), quick=(*_TAGS, *FEW_UNITS)),
)
