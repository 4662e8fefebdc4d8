"""Executes the action of a form with a token once, even if the form is submitted more than once.

Users may submit a form again after a timeout, a lost connection or an accidental second click. Each new form has
its own token, which it keeps when it is shown again after an error. A failed action can be repeated.
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

SUBMISSION_FIELD = "submission"  # name of the hidden form field with the token


def submission_digest(form: Mapping[str, str]) -> str:
    return hashlib.sha256(urlencode(sorted(form.items())).encode()).hexdigest()


class Submissions:
    """Runs the submitted forms of one page route."""

    def __init__(self, idempotency: IdempotencyService) -> None:
        self._idempotency = idempotency
        self._tasks: set[asyncio.Task[PageResult]] = set()

    async def run_once(self, visit: Visit, handler: Handler) -> PageResult:
        """Runs the handler, or returns the redirect of an earlier successful run for the same submission.

        Raises `Refused` while an earlier run is in progress.
        """
        files = {f"file {n}": f"{each.size} {each.filename}" for n, each in enumerate(visit.uploads)}
        digest = submission_digest({**visit.form, **files})
        scope = f"form:{visit.actor.user_id} {visit.request.path}"
        try:
            claim = await self._idempotency.claim(scope, digest, digest)
        except Refused as refusal:
            raise Refused("conflict", "This form is still being processed; try again in a moment") from refusal
        if isinstance(claim, StoredResponse):
            return Redirect(**json.loads(claim.body))
        # A time limit or a disconnect must not cancel the handler halfway.
        task = asyncio.ensure_future(self._run(visit, handler, claim))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _run(self, visit: Visit, handler: Handler, claim: IdempotencyClaim) -> PageResult:
        try:
            outcome = await handler(visit)
        except BaseException:
            await self._idempotency.release(claim)
            raise
        if isinstance(outcome, Redirect):
            await self._idempotency.store_response(claim, 303, json.dumps(asdict(outcome)))
        else:
            await self._idempotency.release(claim)
        return outcome
