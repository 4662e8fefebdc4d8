"""The data of a transaction: what is known before and after the final dot, and the extensions SIZE and SMTPUTF8."""

import asyncio

import pytest
import trustme

from router.outbound.smarthost.client import SmarthostClient
from tests.integration.outbound.smarthost.submitting import (
    CLIENT,
    CONTENT,
    RECIPIENT,
    ControlledTime,
    access_to,
    submit,
)
from tests.support.smarthost import CLOSE, LATE, STALL, ScriptedSmarthost

LARGE = b"Subject: x\r\n\r\n" + b"." + b"line\r\n.dot\r\n" * 400_000


def client_of(time: ControlledTime) -> SmarthostClient:
    return SmarthostClient(helo="mail.example.com", time_limit=time.limit)


async def test_final_answer_after_nine_minutes_is_accepted() -> None:
    time = ControlledTime()
    async with ScriptedSmarthost(answers={"final": LATE}) as smarthost:
        submission = asyncio.create_task(submit(client_of(time), access_to(smarthost)))
        await smarthost.wait_for_final_dot()
        time.advance(9 * 60)
        smarthost.release()
        outcome = await submission
    assert (outcome.kind, outcome.stage) == ("accepted", "final")


async def test_no_final_answer_within_ten_minutes() -> None:
    time = ControlledTime()
    async with ScriptedSmarthost(answers={"final": LATE}) as smarthost:
        submission = asyncio.create_task(submit(client_of(time), access_to(smarthost)))
        await smarthost.wait_for_final_dot()
        time.advance(601)
        outcome = await submission
    assert (outcome.kind, outcome.stage, outcome.text) == ("retry", "final", "no answer within 600 s")


@pytest.mark.parametrize("authority", [None, trustme.CA()], ids=["plain", "tls"])
async def test_large_message_arrives_unchanged(authority: trustme.CA | None) -> None:
    async with ScriptedSmarthost(authority) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost), content=LARGE)
    assert outcome.kind == "accepted"
    assert smarthost.accepted[0].content == LARGE


async def test_smarthost_that_stops_reading() -> None:
    client = SmarthostClient(helo="mail.example.com", timeout=0.2)
    async with ScriptedSmarthost(answers={"content": STALL}) as smarthost:
        outcome = await submit(client, access_to(smarthost), content=LARGE * 4)
    assert (outcome.kind, outcome.stage, outcome.text) == ("retry", "data", "no answer within 0.2 s")


async def test_smarthost_that_reads_too_slowly() -> None:
    def limit(seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(0.1 if seconds > 60 else None)  # each part is in time

    client = SmarthostClient(helo="mail.example.com", time_limit=limit)
    async with ScriptedSmarthost(answers={"content": STALL}) as smarthost:
        outcome = await submit(client, access_to(smarthost), content=LARGE * 4)
    expected = f"the smarthost has not read {len(LARGE) * 4} bytes within {60 + len(LARGE) * 4 / 8192:.0f} s"
    assert (outcome.kind, outcome.stage, outcome.text) == ("retry", "data", expected)


async def test_connection_lost_before_the_final_dot() -> None:
    dots: list[str] = []
    async with ScriptedSmarthost(answers={"content": CLOSE}) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost), content=LARGE, dots=dots)
    assert (outcome.kind, outcome.stage, dots) == ("retry", "data", [])
    assert smarthost.transactions == []


@pytest.mark.parametrize(
    ("answer", "kind"), [("552 5.3.4 Too large", "message"), ("451 4.3.0 Later", "retry"), ("250 Thanks", "retry")]
)
async def test_answer_before_the_final_dot_ends_the_transaction(answer: str, kind: str) -> None:
    dots: list[str] = []
    async with ScriptedSmarthost(answers={"content": [answer]}) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost), content=LARGE, dots=dots)
    assert (outcome.kind, outcome.stage, dots) == (kind, "data", [])
    assert smarthost.transactions == []


async def test_failure_before_the_final_dot_sends_nothing() -> None:
    async def fail() -> None:
        raise RuntimeError("the database is away")

    async with ScriptedSmarthost() as smarthost:
        with pytest.raises(RuntimeError, match="database"):
            await CLIENT.submit(
                access_to(smarthost),
                envelope_senders=["support@example.com"],
                recipient=RECIPIENT,
                content=CONTENT,
                needs_smtputf8=False,
                before_final_dot=fail,
            )
        await smarthost.wait_until_idle()
    assert smarthost.transactions == []


async def test_connection_lost_while_the_final_dot_is_recorded() -> None:
    async with ScriptedSmarthost(answers={"content": [CLOSE]}) as smarthost:

        async def wait_for_close() -> None:
            await smarthost.wait_until_idle()

        outcome = await CLIENT.submit(
            access_to(smarthost),
            envelope_senders=["support@example.com"],
            recipient=RECIPIENT,
            content=CONTENT,
            needs_smtputf8=False,
            before_final_dot=wait_for_close,
        )
    assert outcome.kind == "retry"
    assert smarthost.transactions == []


async def test_canceled_submission_closes_the_connection() -> None:
    async with ScriptedSmarthost(answers={"final": LATE}) as smarthost:
        submission = asyncio.create_task(submit(CLIENT, access_to(smarthost)))
        await smarthost.wait_for_final_dot()
        submission.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submission
        smarthost.release()
        await smarthost.wait_until_idle()


async def test_size() -> None:
    async with ScriptedSmarthost(size=len(CONTENT) - 1) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost))
        assert (outcome.kind, outcome.stage, outcome.code) == ("message", "mail", None)
        assert outcome.text == f"the message has {len(CONTENT)} bytes, and the smarthost allows {len(CONTENT) - 1}"
        smarthost.size = 0  # no limit (RFC 1870)
        assert (await submit(CLIENT, access_to(smarthost))).kind == "accepted"
        assert smarthost.accepted[0].parameters == f"SIZE={len(CONTENT)}"
        smarthost.answers["mail"] = "552 5.3.4 Message size exceeds fixed limit"
        outcome = await submit(CLIENT, access_to(smarthost))
        assert (outcome.kind, outcome.stage, outcome.code) == ("message", "mail", 552)


async def test_smtputf8() -> None:
    async with ScriptedSmarthost(smtputf8=False) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost), recipient="jörg@example.test")
        assert (outcome.kind, outcome.stage, outcome.code) == ("unsupported", "mail", None)
        assert (await submit(CLIENT, access_to(smarthost), needs_smtputf8=True)).kind == "unsupported"
        smarthost.smtputf8 = True
        outcome = await submit(CLIENT, access_to(smarthost), recipient="jörg@example.test", needs_smtputf8=True)
    assert outcome.kind == "accepted"
    [sent] = smarthost.accepted
    assert (sent.recipients, sent.parameters) == (["jörg@example.test"], "BODY=8BITMIME SMTPUTF8")


async def test_ids_that_the_smarthost_assigned() -> None:
    async with ScriptedSmarthost() as smarthost:
        smarthost.final_text = "Ok 0102018c0f1b2c3d-1a2b3c4d-1a2b-3c4d-1a2b-1a2b3c4d5e6f-000000"
        outcome = await submit(CLIENT, access_to(smarthost))
    assert outcome.assigned_ids == ("0102018c0f1b2c3d-1a2b3c4d-1a2b-3c4d-1a2b-1a2b3c4d5e6f-000000@amazonses.com",)
