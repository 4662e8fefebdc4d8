"""The preview of check policies: which of the newest messages they would have held or warned of."""

import json

import pytest

from router.admin.routes import check_previews
from router.checks.decision import SenderFacts
from router.checks.effect import CheckEffect
from router.checks.results import MessageChecks, to_values
from router.checks.spam_verdict import SpamVerdict
from router.errors import Refused
from router.model import Actor
from tests.support import mails
from tests.support.installation import Installation

FAIL = SenderFacts(from_domain="a.test", dmarc="fail", dmarc_policy="reject")
SPAM = SpamVerdict("rspamd", 9.0, 15.0, "add header")


async def accept_checked(
    installation: Installation, *names: str, content: bytes | None = None, checks: MessageChecks
) -> None:
    message_id = await installation.accept_message(content, *names)
    await installation.database.execute("check_store", message_id=message_id, **to_values(checks))


async def preview(installation: Installation, **changes: object) -> CheckEffect:
    return await installation.services.check_previews.preview_workspace(installation.actor, changes)


def done(facts: SenderFacts = FAIL, spam: SpamVerdict | None = None) -> MessageChecks:
    return MessageChecks("done", 1, facts=facts, spam=spam)


async def test_the_newest_messages_are_judged_by_other_settings(installation: Installation) -> None:
    assert await preview(installation) == CheckEffect(0, 0, 0)
    await accept_checked(installation, checks=done())
    await accept_checked(installation, checks=done(SenderFacts(dmarc="pass"), SPAM))
    await accept_checked(installation, checks=done(SenderFacts(dmarc="pass")))
    await accept_checked(installation, checks=MessageChecks("skipped", 1))
    await installation.accept_message()
    assert await preview(installation) == CheckEffect(3, held=1, warned=1)
    assert await preview(installation, on_fail="quarantine") == CheckEffect(3, held=2, warned=0)
    assert await preview(installation, on_fail="show", on_spam="show") == CheckEffect(3, held=0, warned=0)
    assert await preview(installation, on_spam="flag", spam_score=9) == CheckEffect(3, held=0, warned=2)
    assert await preview(installation, spam_score=9.5) == CheckEffect(3, held=0, warned=1)
    with pytest.raises(Refused, match="spamScore"):
        await preview(installation, spam_score=-1)


async def test_a_later_message_of_a_ticket_would_only_get_a_warning(installation: Installation) -> None:
    first = mails.new_message_id()
    passed = done(SenderFacts(dmarc="pass"))
    await accept_checked(installation, content=mails.plain(message_id=first), checks=passed)
    await accept_checked(installation, content=mails.reply_to(first), checks=done())
    assert await installation.count_rows("tickets") == 1
    assert await preview(installation, on_fail="quarantine") == CheckEffect(2, held=0, warned=1)


async def test_an_alias_keeps_its_own_settings(installation: Installation) -> None:
    support, billing = installation.aliases["support"], installation.aliases["billing"]
    await accept_checked(installation, "support", checks=done())
    await accept_checked(installation, "billing", checks=done())
    await installation.services.aliases.change(installation.actor, support, sender_checks={"on_fail": "show"})
    assert await preview(installation, on_fail="quarantine") == CheckEffect(2, held=1, warned=0)
    preview_alias = installation.services.check_previews.preview_alias
    assert await preview_alias(installation.actor, support, {}) == CheckEffect(1, 0, 0)
    assert await preview_alias(installation.actor, support, {"on_fail": "quarantine"}) == CheckEffect(1, 1, 0)
    assert await preview_alias(installation.actor, billing, {"on_fail": None}) == CheckEffect(1, 0, 1)
    other = await installation.add_workspace()
    assert await preview_alias(Actor(other.workspace_id, "admin"), support, {}) == CheckEffect(0, 0, 0)


async def test_the_number_of_messages_is_limited(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await accept_checked(installation, checks=done())
    monkeypatch.setattr(check_previews, "MAX_MESSAGES", 2)
    assert (await preview(installation)).messages == 2
    monkeypatch.setattr(check_previews, "MAX_SCANNED", 1)
    assert (await preview(installation)).messages == 1
    assert json.loads(str((await installation.execute("SELECT facts FROM message_checks"))[0]["facts"]))
