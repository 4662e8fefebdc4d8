"""The audit log in sentences: every action has one, with the words and names that users know."""

import json
import re
from collections.abc import Mapping

import pytest

from api.dashboard.audit_phrases import SENTENCES
from api.dashboard.audit_sentences import SentenceContext, describe_actor, describe_entry
from router.enumerations import AUDIT_ACTIONS
from router.model import AuditEntry

AIKO, NORA, INTEGRATION, GONE = (f"{prefix}_{'0' * 25}{n}" for n, prefix in enumerate(("user", "user", "int", "user")))
CONTEXT = SentenceContext(
    names={AIKO: "Aiko Mori", NORA: "Nora Lind", INTEGRATION: "#support"},
    types={"slack": "Slack"},
    settings={"threadId": "Thread ID", "webhookUrl": "Webhook URL"},
)


def entry(
    action: str,
    target: str,
    detail: Mapping[str, object] | None = None,
    *,
    user_id: str | None = NORA,
    address: str = "",
) -> AuditEntry:
    return AuditEntry("evt_1", "ws_1", 0, user_id, None, address, action, target, json.dumps(detail or {}))


def described(action: str, target: str, detail: Mapping[str, object] | None = None) -> str:
    return re.sub(r"<[^>]*>", "", str(describe_entry(entry(action, target, detail), CONTEXT)))


def test_every_action_has_a_sentence() -> None:
    assert set(SENTENCES) == set(AUDIT_ACTIONS)
    for action in AUDIT_ACTIONS:
        assert described(action, AIKO) != f"{action} Aiko Mori"


@pytest.mark.parametrize(
    ("action", "target", "detail", "sentence"),
    [
        (
            "user.change",
            AIKO,
            {"role": "admin", "name": "Aiko Mori", "before": {"role": "agent", "name": "Aiko Mori"}},
            "changed the role of Aiko Mori from agent to admin",
        ),
        ("user.change", AIKO, {"role": "admin"}, "changed the role of Aiko Mori to admin"),
        (
            "user.change",
            AIKO,
            {"disabled": True, "keysRevoked": 2},
            "disabled Aiko Mori, and revoked their API keys (2)",
        ),
        ("user.change", AIKO, {"disabled": False}, "enabled Aiko Mori"),
        ("user.change", NORA, {"password": "changed"}, "set a new password"),
        ("user.change", AIKO, {}, "saved the user Aiko Mori"),
        ("user.change", GONE, {"role": "viewer"}, "changed the role of a removed user to viewer"),
        ("user.create", GONE, {"email": "x@a.test", "role": "agent", "invited": True}, "invited x@a.test as agent"),
        (
            "key.create",
            "key_1",
            {"name": "CI", "role": "viewer", "userId": AIKO},
            "created the API key CI for Aiko Mori with the role viewer",
        ),
        ("integration.create", INTEGRATION, {"type": "slack", "name": "x"}, "added the Slack integration #support"),
        (
            "integration.change",
            INTEGRATION,
            {"hint": "...", "settings": {"threadId": None}, "secrets": ["webhookUrl"]},
            "changed the settings of #support (Thread ID: none), and replaced the Webhook URL of #support",
        ),
        ("integration.change", INTEGRATION, {"hint": "..."}, "saved the settings of #support"),
        (
            "integration.test",
            INTEGRATION,
            {"ok": False, "status": 410},
            "sent a test message to #support, which failed (HTTP 410)",
        ),
        ("delivery.replay", "ws_1", {"state": "dead", "replayed": 3}, "retried 3 failed deliveries"),
        (
            "delivery.replay",
            INTEGRATION,
            {"state": "pending", "replayed": 1},
            "retried 1 queued deliveries to #support",
        ),
        ("delivery.replay", "dlv_1", {}, "retried a delivery"),
        (
            "alias.change",
            "alias_1",
            {"email": "a@b.test", "status": "disabled", "before": {"status": "active"}},
            "disabled the alias a@b.test",
        ),
        (
            "alias.change",
            "alias_1",
            {"email": "a@b.test", "status": "active", "before": {"status": "active"}},
            "saved the alias a@b.test",
        ),
        (
            "alias.change",
            "alias_1",
            {"email": "a@b.test", "onFail": "quarantine", "spamScore": "", "before": {"onFail": "", "spamScore": "8"}},
            "changed the action for messages that fail DMARC of a@b.test to hold as spam, "
            "and made a@b.test inherit the spam score from the workspace",
        ),
        (
            "workspace.change",
            "ws_1",
            {"onSpam": "flag", "spamScore": "8", "before": {"onSpam": "quarantine", "spamScore": "6.5"}},
            "changed the action for spam from hold as spam to warn, and changed the spam score from 6.5 to 8",
        ),
        ("workspace.change", "ws_1", {"name": "B", "before": {"name": "A"}}, "renamed the workspace from A to B"),
        (
            "tag.change",
            "tag_1",
            {"name": "vip", "color": "#fff", "before": {"name": "vip", "color": ""}},
            "set the colour of the tag vip to #fff",
        ),
        ("blocked_sender.create", "@spam.test", {}, "blocked @spam.test"),
        ("blocked_sender.create", "@s.test", {"asSpam": True}, "blocked @s.test (its mail is held as spam)"),
        (
            "blocked_sender.change",
            "@s.test",
            {"asSpam": False, "note": "x", "before": {"asSpam": True, "note": "x"}},
            "set that mail from @s.test is rejected",
        ),
        (
            "allowed_sender.change",
            "@s.test",
            {"requireAuth": True, "note": "", "before": {"requireAuth": True, "note": "x"}},
            "removed the note of @s.test",
        ),
        ("allowed_sender.create", "@s.test", {"requireAuth": True}, "allowed @s.test (if authenticated)"),
        ("allowed_sender.create", "::/0", {"requireAuth": False}, "allowed ::/0 (without authentication)"),
        ("ticket.delete", "ticket_1", {"number": 7}, "erased the ticket #7"),
        ("future.thing", "thing_1", {}, "future.thing thing_1"),
    ],
)
def test_sentences(action: str, target: str, detail: dict[str, object], sentence: str) -> None:
    assert described(action, target, detail) == sentence


def test_values_of_others_are_escaped() -> None:
    shown = str(describe_entry(entry("domain.create", "dom_1", {"domain": "<i>"}), CONTEXT))
    assert "&lt;i&gt;" in shown
    assert "<i>" not in shown
    braces = describe_entry(entry("workspace.change", "ws_1", {"name": "{target}<b>"}), CONTEXT)
    assert "{target}&lt;b&gt;" in str(braces)


def test_actors_without_a_user() -> None:
    found = [
        describe_actor(each, CONTEXT.names)
        for each in (
            entry("user.sign_in", AIKO, user_id=AIKO),
            entry("user.sign_in", GONE, user_id=GONE),
            entry("user.sign_in_failed", AIKO, user_id=None, address="192.0.2.1"),
            entry("domain.verify", "dom_1", {"by": "recheck"}, user_id=None),
            entry("domain.create", "dom_1", user_id=None),
        )
    ]
    assert found == ["Aiko Mori", "Removed user", "Someone", "System", "Operator"]
