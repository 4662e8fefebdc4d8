"""A form that is sent more than once is carried out once: by a token that each rendering of the form has.

Sent twice is a form whose answer did not arrive: a time limit, a lost connection, a second click. The same token with
other text is another submission.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from urllib.parse import urlencode

from api.dashboard.page import Handler, PageResult, Redirect, Visit
from router.admin.idempotency import IdempotencyClaim, IdempotencyService, StoredResponse
from router.errors import Refused

SUBMISSION_FIELD = "submission"  # the hidden field of such a form


def submission_digest(form: Mapping[str, str]) -> str:
    """Names a submission: its token and everything else that was sent."""
    return hashlib.sha256(urlencode(sorted(form.items())).encode()).hexdigest()


class Submissions:
    """One for each page."""

    def __init__(self, idempotency: IdempotencyService) -> None:
        self._idempotency = idempotency
        self._tasks: set[asyncio.Task[PageResult]] = set()

    async def run_once(self, visit: Visit, handler: Handler) -> PageResult:
        """What the handler returns; where this form was carried out before, what it returned then."""
        digest = submission_digest(visit.form)
        scope = f"form:{visit.actor.user_id} {visit.request.path}"
        try:
            begun = await self._idempotency.claim(scope, digest, digest)
        except Refused as refusal:
            raise Refused("conflict", "This form is still being processed; try again in a moment") from refusal
        if isinstance(begun, StoredResponse):
            return Redirect(**json.loads(begun.body))
        # A task of its own: a time limit or a client that hangs up must not end it halfway.
        task = asyncio.ensure_future(self._run(visit, handler, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _run(self, visit: Visit, handler: Handler, begun: IdempotencyClaim) -> PageResult:
        try:
            outcome = await handler(visit)
        except BaseException:
            await self._idempotency.release(begun)
            raise
        if isinstance(outcome, Redirect):
            await self._idempotency.store_response(begun, 303, json.dumps(asdict(outcome)))
        else:
            await self._idempotency.release(begun)
        return outcome
