"""A rejected envelope sender is replaced by the next one, wherever the smarthost rejects it."""

import pytest

from tests.integration.outbound.smarthost.submitting import CLIENT, TOKEN_SENDER, access_to, submit
from tests.support.smarthost import Rule, ScriptedSmarthost

ALIAS = "support@example.com"


def reject_token(sender: str) -> str | None:
    return "553 5.7.1 Not allowed to use this address" if sender.startswith("b-") else None


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("mail", reject_token),
        ("rcpt", f"553 5.7.1 <{TOKEN_SENDER}>: Sender address rejected: not owned by user mailer"),
        ("final", "554 5.2.252 SendAsDenied; mailer@example.com not allowed to send as b-x@example.com"),
        ("final", "554 Message rejected: Email address is not verified."),
    ],
)
async def test_next_sender_is_tried(step: str, answer: Rule) -> None:
    async with ScriptedSmarthost(answers={step: answer if callable(answer) else [answer]}) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost))
    assert (outcome.kind, outcome.envelope_from) == ("accepted", ALIAS)
    assert [sent.sender for sent in smarthost.accepted] == [ALIAS]


@pytest.mark.parametrize("answer", ["530 5.7.0 Authentication required", "451 4.7.1 Later", "552 5.3.4 Too large"])
async def test_other_rejections_of_mail_are_final(answer: str) -> None:
    async with ScriptedSmarthost(answers={"mail": [answer]}) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost))
    assert (outcome.kind == "accepted", outcome.envelope_from) == (False, TOKEN_SENDER)
    assert smarthost.connection_count == 1


async def test_rejected_recipient_is_not_tried_again() -> None:
    async with ScriptedSmarthost(answers={"rcpt": ["550 5.1.1 No such user"]}) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost))
        await smarthost.wait_until_idle()
    assert (outcome.kind, outcome.envelope_from) == ("recipient", TOKEN_SENDER)
    assert smarthost.commands[-1] == "QUIT"


async def test_all_senders_are_rejected() -> None:
    async with ScriptedSmarthost(answers={"mail": "553 5.7.1 Not allowed"}) as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost))
    assert (outcome.kind, outcome.stage, outcome.envelope_from) == ("smarthost", "mail", ALIAS)
    assert smarthost.connection_count == 2


async def test_null_sender() -> None:
    async with ScriptedSmarthost() as smarthost:
        outcome = await submit(CLIENT, access_to(smarthost), senders=[""])
    assert (outcome.kind, outcome.envelope_from) == ("accepted", "")
    assert smarthost.accepted[0].sender == ""
