"""A stand-in for Slack's incoming webhooks, which answers by the rules in `slack_rules`."""

import re

from tests.support.behaviours import FixedResponse, Post
from tests.support.slack_rules import rejection_reason
from tests.support.webhook_stand_in import WebhookStandIn

_WEBHOOK_PATH = re.compile(r"/services/T[^/]+/B[^/]+/[^/]+")


class SlackStandIn(WebhookStandIn):
    def path(self, name: str = "general") -> str:
        return f"/services/T000/B000/{name}"

    def answer(self, post: Post) -> FixedResponse:
        if post.path in self.removed_paths or not _WEBHOOK_PATH.fullmatch(post.path):
            return FixedResponse(404, "no_service")
        if post.method != "POST" or post.payload is None:
            return FixedResponse(400, "invalid_payload")
        wrong = rejection_reason(post.payload)
        return FixedResponse(400, wrong) if wrong else FixedResponse()
