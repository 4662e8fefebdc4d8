"""Every class of replies at every command has its outcome."""

from router.outbound.smarthost.client import SmarthostClient
from tests.integration.outbound.smarthost.submitting import CONTENT, RECIPIENT, TOKEN_SENDER, access_to, submit
from tests.support.smarthost import ScriptedSmarthost

CLIENT = {"helo": "mail.example.com", "timeout": 10.0}


async def test_accepted_message_arrives_unchanged() -> None:
    dots: list[str] = []
    async with ScriptedSmarthost(user="mailer", password="pass word") as smarthost:
        outcome = await submit(SmarthostClient(helo="mail.example.com"), access_to(smarthost), dots=dots)
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
