"""What each signature and each key record result in."""

import re

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dns.answers import AnswerFault, AnswerStatus, DnsAnswer
from router.mail.dkim.canonicalization import read_message
from router.mail.dkim.verify import MAX_CLOCK_SKEW_SECONDS, verify
from router.mail.headers import find_header_block
from tests.support.dkim import (
    DOMAIN,
    KEY_NAME,
    MAIL,
    RECEIVED_AT,
    SELECTOR,
    SIGNED_AT,
    SigningKey,
    check,
    judge,
    sign,
    signing_key,
)

RSA = signing_key()
BARE_KEY = RSA.record.rpartition("p=")[2]


def outcome(content: bytes, *records: str, received_at: int = RECEIVED_AT) -> tuple[str, str]:
    (result,) = check(content, *(records or (RSA.record,)), received_at=received_at)
    return result.result, result.reason


@pytest.mark.parametrize("algorithms", ["simple", "relaxed", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
@pytest.mark.parametrize("key", [RSA, signing_key(bits=2048), signing_key("ed25519")], ids=["1024", "2048", "ed25519"])
def test_correct_signatures(algorithms: str, key: SigningKey) -> None:
    assert outcome(sign(MAIL, key, {"c": algorithms}), key.record) == ("pass", "")


@pytest.mark.parametrize(
    ("record", "word", "reason"),
    [
        (f"v=DKIM1; p={BARE_KEY}", "pass", ""),
        (f"p={BARE_KEY}", "pass", ""),
        (f" v = DKIM1 ; k = rsa;\tp = {BARE_KEY[:50]} \t{BARE_KEY[50:]} ; ", "pass", ""),
        (f"k=rsa; h=sha1:sha256; s=tlsrpt:email; t=x:s; n=a b; x=y; p={BARE_KEY}", "pass", ""),
        (f"v=DKIM1; s=*; g=; p={BARE_KEY}", "pass", ""),
        (f"v=DKIM1; t=y; p={BARE_KEY}", "pass", "the domain tests DKIM (t=y)"),
        (f"v=DKIM1; h=sha1; p={BARE_KEY}", "permerror", "the key does not allow SHA-256"),
        (f"v=DKIM1; s=tlsrpt; p={BARE_KEY}", "permerror", "the key is not for mail"),
        ("v=DKIM1; p=", "permerror", "the key was revoked"),
        ("v=DKIM1; t=y; p=", "neutral", "the domain tests DKIM (t=y): the key was revoked"),
        (f"v=DKIM1; k=ed25519; p={BARE_KEY}", "permerror", "the key has another type than the signature"),
        (f"v=DKIM1; k=RSA; p={BARE_KEY}", "permerror", "the key has another type than the signature"),
        ("v=DKIM1; p=QUJD", "permerror", "the key is invalid"),
        ("v=DKIM1; p=MCowBQYDK2VwAyEAlBZ9GShvbQEtyyaGs+0Nd4aurH7ERq6UOIvXGb5/tXA=", "permerror", "the key is invalid"),
        ("v=DKIM1; p=*", "permerror", "the key record is malformed: p= is not Base64"),
        ("v=DKIM1; k=rsa", "permerror", "the key record is malformed: it has no p="),
        (f"k=rsa; v=DKIM1; p={BARE_KEY}", "permerror", "the key record is malformed: it does not begin with v=DKIM1"),
        (f"v=dkim1; p={BARE_KEY}", "permerror", "the key record is malformed: it does not begin with v=DKIM1"),
        ("v=spf1 -all", "permerror", "the key record is malformed: it does not begin with v=DKIM1"),
        ("hello", "permerror", "the key record is malformed: the tag list is malformed"),
        ("v=DKIM1; p=; p=", "permerror", "the key record is malformed: the tag list has a tag twice"),
        (f"v=DKIM1; n={'a' * 9000}; p={BARE_KEY}", "permerror", "the key record is malformed: it is larger than 8 kB"),
        (signing_key(bits=1025).record, "fail", "the header or the signature was changed after signing"),
    ],
)
def test_key_records(record: str, word: str, reason: str) -> None:
    assert outcome(sign(MAIL, RSA), record) == (word, reason)


def test_other_records_at_the_name_of_the_key() -> None:
    mail = sign(MAIL, RSA)
    assert outcome(mail, "v=spf1 -all", RSA.record, "site-verification=1") == ("pass", "")
    assert outcome(mail, RSA.record, RSA.record) == ("permerror", "there are several keys")
    assert outcome(mail, "v=DKIM1; p=", RSA.record) == ("permerror", "there are several keys")


@pytest.mark.parametrize(
    ("status", "fault", "word", "reason"),
    [
        ("no_domain", "", "permerror", "there is no key"),
        ("no_data", "", "permerror", "there is no key"),
        ("failed", "timeout", "temperror", "the DNS query for the key timed out"),
        ("failed", "refused", "temperror", "the DNS server did not answer the query for the key"),
        ("failed", "malformed", "temperror", "the DNS response with the key is malformed"),
        ("failed", "limit", "temperror", "too many DNS queries for one message"),
        ("failed", "", "temperror", "the DNS query for the key failed"),
    ],
)
def test_answers_without_a_key(status: AnswerStatus, fault: AnswerFault, word: str, reason: str) -> None:
    (result,) = verify(sign(MAIL, RSA), DOMAIN, {KEY_NAME: DnsAnswer(status, fault=fault)}, RECEIVED_AT)
    assert (result.result, result.reason) == (word, reason)


def test_answer_that_did_not_come_in_time() -> None:
    (result,) = verify(sign(MAIL, RSA), DOMAIN, {}, RECEIVED_AT)
    assert (result.result, result.reason) == ("temperror", "the DNS query for the key timed out")


# A key of 768 bits: cryptography no longer generates one, and its signature is not verified anyway.
_SHORT = (
    "v=DKIM1; p=MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAMWJZyD2ta6RexSav6OxXq5S2aZwrZI+CNWHj9h10HEKXfdbtlEib"
    "+voyhv5ibcrLcpnImIYEqb2ej1OR8EYluy9B1FZOD/N/LlkASmaZFCdS1TmjHRBXuSRk0vlKzuu4wIDAQAB"
)


def test_weak_signatures() -> None:
    assert outcome(sign(MAIL, RSA), _SHORT) == ("policy", "the key has 768 bits, not 1024 to 8192")
    assert outcome(sign(MAIL, RSA, {"a": "rsa-sha1"})) == ("policy", "SHA-1 is not accepted")


def test_length() -> None:
    body = "It is open.\r\n"  # the relaxed body
    reason = "only the start of the body is signed (l=)"
    assert outcome(sign(MAIL, RSA, {"l": "0"})) == ("policy", reason)
    complete = sign(MAIL, RSA, {"l": str(len(body))})
    assert outcome(complete) == ("pass", "")
    appended = complete.rstrip(b"\r\n") + b"\r\nPay here.\r\n"
    assert outcome(appended) == ("policy", reason)
    assert judge(appended, RSA.record)
    assert outcome(complete.replace(b"open", b"OPEN")) == ("fail", "the body was changed after signing")
    assert outcome(sign(MAIL, RSA, {"l": "100"})) == ("fail", "the body is shorter than l=")
    assert outcome(sign(MAIL, RSA, {"l": "9" * 76})) == ("fail", "the body is shorter than l=")


def test_times() -> None:
    expired = "the signature had expired when the message was received"
    mail = sign(MAIL, RSA, {"x": str(SIGNED_AT + 60)})
    assert outcome(mail, received_at=(SIGNED_AT + 60) * 1_000_000) == ("pass", "")
    assert outcome(mail, received_at=(SIGNED_AT + 61) * 1_000_000) == ("policy", expired)
    # Only a correct signature can have expired.
    changed = mail.replace(b"open", b"OPEN")
    assert outcome(changed, received_at=(SIGNED_AT + 61) * 1_000_000)[0] == "fail"
    early = (SIGNED_AT - MAX_CLOCK_SKEW_SECONDS) * 1_000_000
    assert outcome(sign(MAIL, RSA), received_at=early) == ("pass", "")
    assert outcome(sign(MAIL, RSA), received_at=early - 1_000_000) == ("policy", "the signature is dated in the future")


def test_identity_below_the_domain() -> None:
    mail = sign(MAIL, RSA, {"i": "ada@news.example.com"})
    assert outcome(mail) == ("pass", "")
    strict = RSA.record.replace("k=rsa", "t=s")
    assert outcome(mail, strict) == ("permerror", "the key does not allow a subdomain in i=")
    assert outcome(sign(MAIL, RSA, {"i": "ada@EXAMPLE.com"}), strict) == ("pass", "")


def test_international_domain() -> None:
    (result,) = check(sign(MAIL, RSA, {"d": "b\u00fccher.example"}), RSA.record, from_domain="b\u00fccher.example")
    assert (result.result, result.domain) == ("pass", "xn--bcher-kva.example")


@pytest.mark.parametrize("added", ["From", "Subject", "To", "Date", "Message-ID"])
def test_field_that_was_added(added: str) -> None:
    """Programs display the first of several fields, the signature covers the last."""
    mail = sign(MAIL, RSA)
    field = f"{added}: Mallory <mallory@example.com>\r\n".encode()
    assert outcome(field + mail) == ("policy", f"the message has a further {added} field that is not signed")
    assert judge(field + mail, RSA.record) == (added != "From")
    assert outcome(b"X-Spam: no\r\nReceived: by a\r\n" + mail) == ("pass", "")
    oversigned = sign(MAIL, RSA, {"h": f"from:to:subject:date:message-id:{added}"})
    assert outcome(oversigned) == ("pass", "")
    assert outcome(field + oversigned)[0] == "fail"


def test_signed_fields() -> None:
    missing = sign(MAIL, RSA, {"h": "from:cc:cc"})
    assert outcome(missing) == ("pass", "")
    assert outcome(b"Cc: mallory@example.com\r\n" + missing)[0] == "fail"
    twice = b"Received: by a\r\nReceived: by b\r\n" + MAIL
    mail = sign(twice, RSA, {"h": "Received:FROM:received"})
    assert outcome(mail) == ("pass", "")
    assert outcome(mail.replace(b"by a", b"by c"))[0] == "fail"
    # A later signature covers an earlier one, and neither covers itself.
    both = sign(sign(MAIL, RSA), RSA, {"h": "from:dkim-signature", "c": "simple"})
    assert [result.result for result in check(both, RSA.record)] == ["pass", "pass"]
    assert [result.result for result in check(both.replace(b"t=1700000000", b"t=1700000001"), RSA.record)] == [
        "fail"
    ] * 2


def test_testing_domain_has_no_failures() -> None:
    changed = sign(MAIL, RSA).replace(b"open", b"OPEN")
    reason = "the domain tests DKIM (t=y): the body was changed after signing"
    assert outcome(changed, RSA.record.replace("k=rsa", "t=y:s")) == ("neutral", reason)


@pytest.mark.parametrize(
    "content",
    [
        MAIL.replace(b"\r\n", b"\n"),
        b"From: a@example.com\r\n\r\n",
        b"From: a@example.com\r\n",
        b"From: a@example.com",
        b"From: a@example.com\r\n\r\nno line ending",
        "From: J\u00fcrgen <a@example.com>\r\nSubject: 8-bit \u00e4\r\n\r\n\u00e4\r\n".encode("latin-1"),
        b"From: a@example.com\r\nSubject: a\r\n \t b\r\n\tc\r\n\r\n \r\n \t a  b\t \r\n",
        b"From: a@example.com\r\nSubject: nul \x00\r\n\r\n\x00\r\n",
    ],
    ids=["LF", "empty", "header", "unended", "incomplete", "8-bit", "folded", "NUL"],
)
@pytest.mark.parametrize("algorithms", ["simple/simple", "relaxed/relaxed"])
def test_forms_of_messages(content: bytes, algorithms: str) -> None:
    header, body = (word.encode() for word in algorithms.split("/"))
    fields = [b"from", b"subject"]
    field = dkim.sign(content, b"s1", b"example.com", RSA.pem, canonicalize=(header, body), include_headers=fields)
    received = dkim_time(field) * 1_000_000
    assert outcome(field + content, received_at=received) == ("pass", "")
    # A gateway may replace line endings.
    assert outcome(field + content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), received_at=received)[0] == "pass"


def dkim_time(field: bytes) -> int:
    found = re.search(rb"t=(\d+)", field)
    assert found is not None
    return int(found[1])


_LINES = st.lists(
    st.sampled_from([b"a", b"It is  open.", b" b \t", b"", b"", b".", b"\xe4\x00", b"From: c", b"-- "]), max_size=8
)
_WELL_FORMED = re.compile(rb"[!-9;-~]+:(?:[^\r\v\f]|\r\n)*")
_VALUES = st.sampled_from([b"Parcel", b" two  words \t", b"folded\r\n\tvalue", b"", b"\xe4", b"a: b; b=c"])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_dkimpy_agrees(data: st.DataObject) -> None:
    """What dkimpy signs is a pass; after a change of one byte it is a pass only if dkimpy says so, too."""
    header, body = (data.draw(st.sampled_from([b"simple", b"relaxed"])) for _ in range(2))
    head = b"From: a@example.com\r\nSubject: " + data.draw(_VALUES) + b"\r\nX-A:" + data.draw(_VALUES) + b"\r\n"
    # In a last line without CRLF, which DATA cannot send, dkimpy keeps the white space at the end.
    content = head + b"\r\n" + b"".join(line + b"\r\n" for line in data.draw(_LINES))
    names = [b"from", *data.draw(st.lists(st.sampled_from([b"subject", b"x-a", b"to", b"from"]), max_size=4))]
    options = {"canonicalize": (header, body), "include_headers": names, "length": data.draw(st.booleans())}
    field = dkim.sign(content, SELECTOR.encode(), DOMAIN.encode(), RSA.pem, **options)
    mail, received = field + content, dkim_time(field) * 1_000_000
    assert judge(mail, RSA.record)
    assert outcome(mail, received_at=received) == ("pass", "")
    at = data.draw(st.integers(0, len(mail) - 1))
    changed = mail[:at] + bytes([data.draw(st.integers(0, 255))]) + mail[at + 1 :]
    words = {result.result for result in check(changed, RSA.record, received_at=received)}
    if find_header_block(changed).warnings or not all(
        map(_WELL_FORMED.fullmatch, (f.raw for f in read_message(changed).fields))
    ):
        return  # dkimpy rejects such fields, ends the header elsewhere than the parser, or strips a bare CR
    if at >= len(field) and judge(changed, RSA.record):
        assert words <= {"pass", "policy"}
    elif words == {"pass"}:
        assert judge(changed, RSA.record)


@given(st.binary(max_size=200), st.text(max_size=100), st.text(max_size=30))
def test_any_bytes(content: bytes, record: str, from_domain: str) -> None:
    for mail in (content, b"DKIM-Signature:" + content, sign(MAIL, signing_key("ed25519")) + content):
        assert check(mail, record, from_domain=from_domain)
