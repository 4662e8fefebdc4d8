"""Growth-test subjects for DMARC and for the header field Authentication-Results."""

from __future__ import annotations

import asyncio

from router.checks.dmarc import evaluate
from router.checks.dmarc_answers import fetch_alignment_answers, fetch_author_answers
from router.dns.answers import DnsAnswer, RecordType
from router.mail.auth_results import AuthResult
from router.mail.authentication_results import read_authserv_id, render
from router.mail.forged_results import ForgedResultsFilter
from router.mail.relay_results import read_relay_results
from tests.system.growth.subject import PLAIN, Subject, decode_text

_TXT = 65535  # maximum bytes of a DNS message over TCP
_MAIL = 1 << 19
_IDS = ("mx.test",)
_FIELD = b"Authentication-Results:"
_FIELDS = (
    _FIELD,
    b"\n" + _FIELD,
    b"\r" + _FIELD,
    b"\r\n" + _FIELD + b" mx.test;",
    _FIELD + b'"\xc3\xbc',
    b"\n\n" + _FIELD,
)
_RESULTS = (b"; spf=pass", b"smtp.mailfrom=a.b ", b'a="', b'\\"', b"a/1=", b"\n mx.test")
_TAGS = (b"p=", b";p=reject", b"rua=mailto:a@b,", b"; t = y", b"a:%20!1m,", b"v=DMARC1;")


def remove_forged_fields(data: bytes) -> None:
    for prefix in (b"", b"a\n\nb", b"a\r\rb", b"X: a\r\n" + _FIELD, b"X: a\r\n" + _FIELD + b"("):
        forged = ForgedResultsFilter(_IDS)
        forged.feed(prefix + data)
        forged.close()


def read_results(data: bytes) -> None:
    read_authserv_id(data)
    read_relay_results(_FIELD + b" mx.test;" + data, _IDS)


def render_results(data: bytes) -> None:
    text = decode_text(data)
    found = [AuthResult(method, "pass", text, text, text, text) for method in ("spf", "dkim", "dmarc", "iprev")]
    for mail_from in (text, ""):
        render(text, found, mail_from=mail_from, helo=text, peer=text, from_domain=text)


def evaluate_dmarc(data: bytes) -> None:
    """Evaluates `data` as records, and as domains in From and in the results."""
    text = decode_text(data)

    async def query(name: str, record_type: RecordType) -> DnsAnswer:
        return DnsAnswer("found", (text, f"v=DMARC1;{text}"))

    async def run(domains: list[str]) -> None:
        spf = AuthResult("spf", "pass", text)
        dkim = [AuthResult("dkim", "pass", f"{text[:100]}.example")]
        answers, from_exists = await fetch_author_answers(query, domains)
        answers = await fetch_alignment_answers(query, domains, answers, spf, dkim)
        evaluate(domains, answers, spf, dkim, from_exists=from_exists)

    for domains in (["a.example"], [f"{text[:200]}.example"], [text], text.split(",")):
        asyncio.run(run(domains))


SUBJECTS = (
    Subject("forged_results: a header", remove_forged_fields, _MAIL, (*PLAIN, _FIELDS), quick=(b"\n", *_FIELDS)),
    Subject("relay_results: fields", read_results, _MAIL, (*PLAIN, _RESULTS, _FIELDS)),
    Subject("authentication_results: values", render_results, _TXT),
    Subject("dmarc: records and domains", evaluate_dmarc, _TXT, (*PLAIN, _TAGS)),
)
