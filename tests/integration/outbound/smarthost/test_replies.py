"""Every class of replies at every command has its outcome."""

import base64

import pytest

from router.outbound.smarthost.client import SmarthostClient
from router.outbound.smarthost.outcome import OutcomeKind, Stage
from tests.integration.outbound.calls import StaticResolver
from tests.integration.outbound.smarthost.submitting import CLIENT, CONTENT, RECIPIENT, TOKEN_SENDER, access_to, submit
from tests.support.smarthost import CLOSE, HANG, Rule, ScriptedSmarthost

_STAGES: dict[str, Stage] = {step: step for step in ("greeting", "ehlo", "auth", "mail", "rcpt", "data", "final")}
_TOO_MANY_LINES = b"250-x\r\n" * 10_000
_TOO_LONG_LINE = b"250 " + b"x" * 40_000 + b"\r\n"


def login_required() -> ScriptedSmarthost:
    return ScriptedSmarthost(user="mailer", password="pass word")


async def test_accepted_message_arrives_unchanged() -> None:
    dots: list[str] = []
    async with login_required() as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost), dots=dots)
    [sent] = smarthost.accepted
    assert (outcome.kind, outcome.stage, outcome.code, outcome.envelope_from) == (
        "accepted",
        "final",
        250,
        TOKEN_SENDER,
    )
    assert outcome.text == "2.0.0 Ok: queued as 4F6D2"
    assert outcome.latency > 0
    assert (sent.sender, sent.recipients, sent.content, sent.user) == (TOKEN_SENDER, [RECIPIENT], CONTENT, "mailer")
    assert dots == [RECIPIENT]


# The kind of each code at each step. `mail` is also rejected for the second sender.
_PERMANENT: dict[str, OutcomeKind] = {
    "greeting": "smarthost",
    "ehlo": "smarthost",
    "auth": "smarthost",
    "mail": "smarthost",
    "rcpt": "recipient",
    "data": "message",
    "final": "message",
}


@pytest.mark.parametrize("step", _STAGES)
async def test_reply_class_at_each_command(step: str) -> None:
    expected: list[tuple[Rule, OutcomeKind, int | None]] = [
        ("450 4.2.0 Try later", "retry", 450),
        ("421 4.3.2 Shutting down", "retry", 421),
        ("550 5.1.1 No", _PERMANENT[step], 550),
        ("530 5.7.0 Must authenticate", "smarthost", 530),
        ("535 5.7.8 Wrong password", "smarthost", 535),
        ("199 odd", "retry", None),
        (b"<html>\r\n", "retry", None),
        (b"\xff\xfe\x00\r\n", "retry", None),
        (b"999 9\r\n", "retry", None),
        (_TOO_MANY_LINES, "retry", None),
        (_TOO_LONG_LINE, "retry", None),
        (CLOSE, "retry", None),
    ]
    dots: list[str] = []
    async with login_required() as smarthost:
        for answer, kind, code in expected:
            smarthost.answers[step] = answer
            outcome = await submit(CLIENT, access_to(smarthost), dots=dots)
            assert (outcome.kind, outcome.stage, outcome.code) == (kind, _STAGES[step], code), answer
            assert outcome.text.isprintable()
            assert "<html>" not in outcome.text
    assert len(dots) == len(smarthost.transactions) == (len(expected) if step == "final" else 0)


@pytest.mark.parametrize("step", _STAGES)
async def test_no_answer_within_the_time_limit(step: str) -> None:
    async with login_required() as smarthost:
        smarthost.answers[step] = HANG
        client = SmarthostClient(helo="mail.example.com", timeout=0.1, final_timeout=0.1)
        outcome = await submit(client, access_to(smarthost))
    assert (outcome.kind, outcome.stage, outcome.text) == ("retry", _STAGES[step], "no answer within 0.1 s")


async def test_refused_connection_and_unknown_host() -> None:
    async with ScriptedSmarthost() as smarthost:
        access = access_to(smarthost)
    outcome = await submit(CLIENT, access)
    assert (outcome.kind, outcome.stage, outcome.text) == ("retry", "connect", "connection refused")
    outcome = await submit(CLIENT, access_to(smarthost, host="no-such-host.invalid"))
    assert outcome.text == "cannot resolve host name no-such-host.invalid"


async def test_multiline_reply_is_one_line_without_control_characters() -> None:
    async with ScriptedSmarthost() as smarthost:
        smarthost.answers["rcpt"] = "550 5.7.1 Blocked:\nsee \x1b[31mhttps://example.net\u202e" + "\nmore" * 400
        outcome = await submit(CLIENT, access_to(smarthost))
    assert outcome.text.startswith("5.7.1 Blocked: see [31mhttps://example.net more")
    assert len(outcome.text) == 1000
    assert outcome.text.isprintable()


async def test_echoed_password_is_hidden() -> None:
    def echo(_: str) -> str:
        return "535 No AUTH PLAIN " + base64.b64encode(b"\0mailer\0pass word").decode() + " (pass word)"

    async with login_required() as smarthost:
        smarthost.answers["auth"] = echo
        outcome = await submit(CLIENT, access_to(smarthost))
    assert outcome.text == "No AUTH PLAIN *** (***)"


@pytest.mark.parametrize("methods", [("CRAM-MD5",), ("LOGIN",), ("XOAUTH2", "PLAIN")])
async def test_login_by_each_mechanism(methods: tuple[str, ...]) -> None:
    async with login_required() as smarthost:
        smarthost.auth_methods, smarthost.requires_login = methods, True
        assert (await submit(CLIENT, access_to(smarthost))).kind == "accepted"
        smarthost.auth_methods = ("XOAUTH2",)
        outcome = await submit(CLIENT, access_to(smarthost))
    assert (outcome.kind, outcome.stage, outcome.code) == ("smarthost", "auth", None)


async def test_wrong_password_is_tried_once() -> None:
    async with login_required() as smarthost:
        access = access_to(smarthost)
        smarthost.password = "changed"
        outcome = await submit(CLIENT, access)
    assert (outcome.kind, outcome.stage, outcome.code) == ("smarthost", "auth", 535)
    assert smarthost.commands == ["EHLO mail.example.com", "AUTH ***"]


async def test_address_that_would_add_a_command_is_refused() -> None:
    async with ScriptedSmarthost() as smarthost:
        for recipient in ("a@b.test>\r\nRSET", "a b@b.test", "a@b.test> SIZE=1", "no-domain"):
            outcome = await submit(CLIENT, access_to(smarthost), recipient=recipient)
            assert (outcome.kind, outcome.stage) == ("recipient", "mail")
        outcome = await submit(CLIENT, access_to(smarthost), recipient='"a b"@b.test')
    assert outcome.kind == "accepted"
    assert [sent.recipients for sent in smarthost.accepted] == [['"a b"@b.test']]


async def test_next_address_of_the_host_is_tried() -> None:
    async with ScriptedSmarthost() as smarthost:
        resolver = StaticResolver({"localhost": ["127.0.0.2", "127.0.0.1"]})
        client = SmarthostClient(helo="mail.example.com", resolver=resolver)
        outcome = await submit(client, access_to(smarthost, host="localhost"))
    assert outcome.kind == "accepted"
