"""Growth-test subjects for DNS answers, and for the settings, responses and messages of channels."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime

import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver

from router.channels import CHANNELS, slack, slack_blocks, untrusted_text
from router.channels.contract import DigestEntry, OperatorAlert, TestMessage, TicketNotification
from router.checks import rspamd
from router.checks.iprev import check_iprev
from router.checks.spf import check_spf
from router.dispatch import ticket_notification
from router.dns import exchange, records, resolver
from router.dns.answers import DnsAnswer, RecordType
from router.errors import Refused
from router.mail.contents import Attachment, Contents
from router.outbound import client, recorder
from router.outbound.addresses import non_public_reason
from router.unicode_text import is_visible
from tests.system.growth.shapes import CHARACTERS, JSON, PUNCTUATION, TEXT, URL
from tests.system.growth.subject import PLAIN, Subject, decode_text

_MESSAGE = 65535  # maximum bytes of a DNS message over TCP
_SPAM_RESPONSE = 262144  # less than the allowed 8 MiB, but enough to show growth
_NAME = dns.name.from_text("example.com.")
_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_OURS = (("mx1.example.net", 10), ("mx2.mail.example.net", 20))


def _make_answer(kind: dns.rdatatype.RdataType, data: bytes) -> dns.resolver.Answer | None:
    request = dns.message.make_query(_NAME, kind, id=0)
    try:
        response = exchange.decode_response(data, request)
        return dns.resolver.Answer(_NAME, kind, dns.rdataclass.IN, response)  # type: ignore[arg-type]
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return None


def _wire(kind: int, rdatas: list[bytes], owner: bytes = b"\xc0\x0c") -> bytes:
    question = b"\x07example\x03com\0" + kind.to_bytes(2, "big") + b"\0\1"
    head = b"\0\0\x84\0\0\1" + len(rdatas).to_bytes(2, "big") + b"\0\0\0\0"
    rows = (
        owner + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data for data in rdatas
    )
    return head + question + b"".join(rows)


def parse_dns_response(data: bytes) -> None:
    for kind in (dns.rdatatype.MX, dns.rdatatype.TXT):
        question = b"\x07example\x03com\0" + int(kind).to_bytes(2, "big") + b"\0\1"
        for count in (b"\0\1", b"\0\xc0"):
            _make_answer(kind, b"\0\0\x84\0\0\1" + count + b"\0\0\0\0" + question + data)


def evaluate_txt_records(data: bytes) -> None:
    rdatas = []
    for start in range(0, len(data), 2000):
        value = data[start : start + 2000]
        rdatas.append(b"".join(bytes([len(p := value[at : at + 255])]) + p for at in range(0, len(value), 255)))
    answer = _make_answer(dns.rdatatype.TXT, _wire(16, rdatas)[:_MESSAGE])
    if answer is None or answer.rrset is None:
        return
    values = sorted(b"".join(record.strings).decode("utf-8", "replace")[:1000] for record in answer)[:50]
    resolver._cname_target(answer)
    for texts in (tuple(values), tuple(f"{records.TXT_PREFIX}{value}" for value in values)):
        records.check_txt("example.com", resolver.DnsRecords(texts), "token")


def evaluate_mx_records(data: bytes) -> None:
    rdatas = []
    for start in range(0, len(data), 240):
        host = data[start : start + 240]
        labels = (host[at : at + 60] for at in range(0, len(host), 60))
        rdatas.append(b"\0\1" + b"".join(bytes([len(label)]) + label for label in labels) + b"\0")
    answer = _make_answer(dns.rdatatype.MX, _wire(15, rdatas)[:_MESSAGE])
    if answer is None or answer.rrset is None:
        return
    found = sorted(resolver.MxRecord(record.preference, resolver._host_text(record.exchange)) for record in answer)[:50]
    records.check_mx("example.com", resolver.DnsRecords(tuple(found)), _OURS)
    records.check_upstream_mx("example.com", resolver.DnsRecords(tuple(found)))


def evaluate_spf_record(data: bytes) -> None:
    """Evaluates a record that includes `data` nine times. Each host has ten names and many addresses."""
    names = tuple(f"h{n}.example.com" for n in range(10))
    addresses = tuple(f"198.51.{n}.1" for n in range(exchange.MAX_RECORDS))
    first = "v=spf1 " + " ".join(f"include:{n}.example.net" for n in range(9))
    included = f"v=spf1 {data.decode('latin-1')}"[: resolver.MAX_TXT_BYTES - 1]
    values = {"A": addresses, "MX": tuple(f"1 {name}" for name in names), "PTR": names, "AAAA": ("2001:db8::2",)}

    async def lookup(name: str, record_type: RecordType) -> DnsAnswer:
        text = first if name == "example.com" else included
        return DnsAnswer("found", (text,) if record_type == "TXT" else values[record_type])

    async def check() -> None:
        for peer in ("192.0.2.1", "2001:db8::1"):
            await check_spf(lookup, peer=peer, helo="a." * 100 + "test", reverse_path=f"{'a.' * 60}a@example.com")
            await check_iprev(lookup, peer)

    asyncio.run(check())


def process_channel_response(data: bytes) -> None:
    """Processes responses that contain `data` as the head, as a header field and as the body."""
    for received in (data, b"HTTP/1.1 100 Continue\r\n" + data, b"HTTP/1.1 200 OK\r\n" + data):
        recorder.parse_head(received[: recorder._MAX_RECORDED])
    headers = client._first_values({"Retry-After": decode_text(data)[:8190]})
    for body in (data[: client.MAX_BODY_BYTES], b'{"error": "' + data[:1000], b'{"code": ' + data[:1000] + b"}"):
        excerpt = client._to_printable(body[:1024])
        for channel in CHANNELS.values():
            for status in (200, 400, 429):
                channel.classify_response(client.HttpResponse(status, headers, excerpt, body=body), _NOW)


def validate_webhook_url(data: bytes) -> None:
    value = decode_text(data)
    for url in (value, f"https://{value}", f"https://a.example/{value}", f"https://{value}/a", f"https://[{value}]/a"):
        with suppress(Refused):
            settings = slack.CHANNEL.parse_settings({"webhookUrl": url})
            slack.CHANNEL.hint(settings)
            client._parse_url(settings["webhookUrl"])
    with suppress(ValueError):
        non_public_reason(value)


def validate_text_settings(data: bytes) -> None:
    value = decode_text(data)
    for channel in CHANNELS.values():
        for field in channel.fields:
            with suppress(Refused):
                field.parse(value, allow_private=False)


def build_notification(data: bytes) -> TicketNotification:
    """Puts `data` in fields that a sender controls."""
    value = decode_text(data)
    row = {"event": "opened", "ticket_id": "ticket_1", "number": 1, "received_at": 0}
    row |= {"status": "open", "priority": "high"} | {
        "subject": value[:998],
        "from_name": value[:320],
        "from_address": value[:320],
        "address": value[:320],
    }
    row |= {"automatic": "", "protocol": "ESMTP", "rfc_message_id": "a@b.test", "timezone": "UTC"}
    signature = {"method": "dkim", "result": "fail", "domain": value[:253], "selector": value[:100]}
    row |= {"warning": value[:400], "released": 1, "awaiting": None, "check_results": json.dumps([signature] * 9)}
    row |= {"new_sender": 1}
    files = tuple(
        Attachment(n, value[:120], "a/b", 1, inline=False, content_id="", kind="file") for n in range(len(value) // 100)
    )
    return ticket_notification.from_row(row, Contents(value, value, "", files[:200], (value[:200],)), None)


def render_messages(data: bytes) -> None:
    notification = build_notification(data)
    entry = DigestEntry("opened", 1, notification.subject, notification.from_address, notification.address)
    for channel in CHANNELS.values():
        channel.render(notification)
        channel.render_plain(notification)
        channel.render_digest([entry] * channel.digest_limit)
        channel.render_alert(OperatorAlert("a", decode_text(data)[:50_000], "a", 0))
        channel.render_test(TestMessage("a", decode_text(data)[:200], 0))


def prepare_text(data: bytes) -> None:
    value = data.decode("utf-8", "surrogatepass" if data.isascii() else "replace")
    is_visible(untrusted_text.normalize_line(value))
    untrusted_text.truncate(untrusted_text.normalize_text(value), 3000)
    slack_blocks.MARKUP.escape(value, 3000)


def parse_spam_verdict(data: bytes) -> None:
    """Parses `data` as a response of rspamd, as the names and texts of symbols, and as facts about a session."""
    value = decode_text(data)
    symbols = {
        f"{start}{value[start : start + 500]}": {"score": start, "description": value[start : start + 1000]}
        for start in range(0, len(value), 2000)
    }
    body = {"action": "reject", "score": 1, "required_score": 2, "symbols": symbols}
    for response in (data, b'{"action": "' + data, json.dumps(body).encode()):
        with suppress(rspamd.VerdictError):
            rspamd.parse_verdict(response)
    address = value[:254]
    facts = rspamd.SessionFacts(value, value, value, f"a@{address}", (address,), "msg_1", value)
    list(rspamd.request_headers(facts, "mx1.example.com"))


_WORDS = (PUNCTUATION, TEXT, CHARACTERS, (b"\n", b"\r", b"\n \n", b" \n", b"@channel", b"\0"))

SUBJECTS = (
    Subject(
        "dns: a message",
        parse_dns_response,
        _MESSAGE,
        (PUNCTUATION, TEXT, (b"\xc0\x0c", b"\xc0\x0c\0\x0f\0\1\0\0\0\0\0\0")),
    ),
    Subject("dns: TXT records", evaluate_txt_records, 60_000, (PUNCTUATION, TEXT, (b'" "', b"\t"))),
    Subject("dns: MX records", evaluate_mx_records, 12_000, (PUNCTUATION, TEXT, (b"mx1example", b"10 ", b"xn--"))),
    Subject(
        "checks: SPF records",
        evaluate_spf_record,
        resolver.MAX_TXT_BYTES,
        (
            PUNCTUATION,
            (b"ip4:192.0.2.9 ", b"ip6:2001:db8::9/64 ", b"a ", b"x=%{l} ", b"%{d1", b"x=%{d", b"1"),
            (b"exists:" + b"%{p}" * 62 + b" ", b"exists:" + b"%{sr-}" * 40 + b" ", b"exists:%{H}.test "),
        ),
    ),
    Subject(
        "channels: a response",
        process_channel_response,
        client.MAX_BODY_BYTES,
        (*PLAIN, JSON, (b"HTTP/1.1 100 a\r\n", b"retry-after:")),
    ),
    Subject(
        "rspamd: a response",
        parse_spam_verdict,
        _SPAM_RESPONSE,
        (*PLAIN, JSON),
        quick=(b"[", b'{"a":', b'{"symbols":', b"a", b"\\", b'"', b"1", b"\xff", b" ", "\u202e".encode(), b"xn--a."),
    ),
    Subject("channels: a webhook's URL", validate_webhook_url, 1100, (*PLAIN, URL)),
    Subject("channels: a setting", validate_text_settings, 65_536, (*PLAIN,)),
    Subject("channels: a notification", render_messages, 262144, _WORDS),
    Subject("channels: pieces of text", prepare_text, 262144, _WORDS),
)
