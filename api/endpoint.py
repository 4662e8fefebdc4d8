"""Serves one route: decodes the request, calls the handler and encodes its result. Implements `Idempotency-Key`."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from api import body, file_form, multipart, responses
from api.compression import COMPRESSIBLE
from api.declaration import DeclaredHandler
from api.file_form import ReceivedForm
from api.request_keys import ADDRESS, CALLER
from api.route import Call, FileForm, Route
from api.schema import shape
from api.schema.shape import Answer
from router.admin.access.authentication import Caller
from router.admin.idempotency import IdempotencyClaim, StoredResponse
from router.errors import Refused
from router.services import Services

IDEMPOTENCY_KEY = "Idempotency-Key"


class Endpoint(DeclaredHandler):
    """The aiohttp handler of a route."""

    def __init__(self, route: Route, services: Services, *, max_body: int) -> None:
        super().__init__(route)
        self.route = route
        self._services = services
        self._body_limit = route.body_limit(max_body)
        self._running: set[asyncio.Task[web.StreamResponse]] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        caller, form = request.get(CALLER), self.route.form
        if form is not None and caller is not None and body.content_type(request)[0] == multipart.MEDIA_TYPE:
            return await self._serve_form(request, form, caller)
        # The body of a request for a download is not read.
        content = b"" if self.route.media else await body.read(request, self._body_limit)
        return await self._handle(request, content, *body.content_type(request))

    async def _serve_form(self, request: web.Request, form: FileForm, caller: Caller) -> web.StreamResponse:
        uploads = self._services.uploads
        received = await file_form.receive(request, form, uploads, caller.actor, max_text=self._body_limit)
        try:
            return await self._handle(request, received.body, "application/json", "", received)
        except BaseException:
            await uploads.delete_many(caller.actor, received.uploads)
            raise

    async def _handle(
        self, request: web.Request, content: bytes, media_type: str, charset: str, form: ReceivedForm | None = None
    ) -> web.StreamResponse:
        ids = dict(request.match_info)
        body.check_storable(ids)
        call: Call[Any, Any] = Call(
            services=self._services,
            caller=request.get(CALLER),
            ids=ids,
            body=shape.validate(self.route.body, body.decode(content, media_type, charset)),
            query=shape.validate(self.route.query, _query_parameters(request)),
            request=request,
            address=request[ADDRESS],
            uploads=() if form is None else form.uploads,
        )
        key = request.headers.get(IDEMPOTENCY_KEY)
        if self.route.creates and key is not None and call.caller is not None:
            return await self._serve_once(call, call.caller, key, content if form is None else form.digest)
        return self._encode(await self.route.handler(call))

    def _encode(self, answer: Answer | web.StreamResponse | None) -> web.StreamResponse:
        if answer is None:
            return web.Response(status=204)
        if not isinstance(answer, Answer):
            return answer
        response = responses.json(answer, self.route.status)
        response[COMPRESSIBLE] = not answer.is_secret
        return response

    async def _serve_once(self, call: Call[Any, Any], caller: Caller, key: str, content: bytes) -> web.StreamResponse:
        idempotency = self._services.idempotency
        path = self.route.path.format_map(call.ids)
        digest = hashlib.sha256(call.request.query_string.encode() + b"\0" + content).hexdigest()
        claim = await idempotency.claim(f"{caller.scope} {self.route.method} {path}", key, digest)
        if isinstance(claim, StoredResponse):
            await self._services.uploads.delete_many(caller.actor, call.uploads)
            response = responses.json_text(claim.body, claim.status)
            response.headers["Idempotency-Replayed"] = "true"
            return response
        # A disconnect or a timeout must not leave the key claimed.
        task = asyncio.create_task(self._handle_claimed(call, claim))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _handle_claimed(self, call: Call[Any, Any], claim: IdempotencyClaim) -> web.StreamResponse:
        idempotency = self._services.idempotency
        try:
            answer = await self.route.handler(call)
        except BaseException:
            await idempotency.release(claim)
            raise
        text = answer.to_json() if isinstance(answer, Answer) and not answer.is_secret else None
        await idempotency.store_response(claim, self.route.status, text)
        return self._encode(answer)


def _query_parameters(request: web.Request) -> Mapping[str, str]:
    parameters: dict[str, str] = {}
    for name, value in request.query.items():
        if name in parameters:
            raise Refused("invalid_request", f"{name[:50]} is given more than once", name[:200])
        parameters[name] = value
    body.check_storable(parameters)
    return parameters
