"""Hooks of schemathesis, which loads the module that SCHEMATHESIS_HOOKS names.

The hooks protect the user and the API key of the run from random requests, and replace webhook URLs by those of the
Slack stand-in. They insert existing ids into random requests, and send the requests of `tests.system.api.fuzz_good`.
"""

import atexit
import json
import os
import zlib
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from schemathesis.core import NOT_SET
from schemathesis.generation import GenerationMode

_FACTS: dict[str, Any] = json.loads(os.environ["API_FUZZ"])
_KEPT = 200  # maximum number of stored ids for each kind
_KINDS = {
    "users": "user",
    "keys": "key",
    "domains": "dom",
    "integrations": "int",
    "aliases": "alias",
    "tickets": "ticket",
    "tags": "tag",
    "messages": "msg",
    "deliveries": "dlv",
}
_FIELDS = {"domainId": "dom", "integrationId": "int", "defaultIntegrationId": "int", "userId": "user"}

_seen: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_KEPT))
_responses: dict[str, Counter[int]] = defaultdict(Counter)

for _id in _FACTS["ids"]:
    _seen[_id.partition("_")[0]].append(_id)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    path: str = case.operation.path
    if _needs_success(case):
        _make_valid(case)
        return
    if "id" in (case.path_parameters or {}):
        kind = next((kind for noun, kind in _KINDS.items() if f"/{noun}/{{id}}" in path), "")
        case.path_parameters["id"] = _choose_id(kind, str(case.path_parameters["id"]))
    if "n" in (case.path_parameters or {}) and _is_odd(str(case.path_parameters["n"])):
        case.path_parameters["n"] = "1"
    if not isinstance(case.body, dict):
        return
    for field, kind in _FIELDS.items():
        if isinstance(case.body.get(field), str):
            case.body[field] = _choose_id(kind, case.body[field])
    if isinstance(case.body.get("localPart"), str) and _is_odd(case.body["localPart"]):
        case.body["localPart"] = f"desk{zlib.crc32(case.body['localPart'].encode('utf-8', 'replace'))}"
    if isinstance(case.body.get("webhookUrl"), str):
        case.body["webhookUrl"] = _local_url(case.body["webhookUrl"])
    if path == "/auth/login" and set(case.body) == {"email", "password"} and _is_odd(str(case.body["password"])):
        case.body |= _FACTS["login"]


def _needs_success(case: Any) -> bool:
    """Whether to send the valid request of the route instead of the random request."""
    label = case.operation.label
    good = _FACTS["good"].get(label)
    if good is None or _responses[label][good["status"]]:
        return False
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


def _make_valid(case: Any) -> None:
    good = _FACTS["good"][case.operation.label]
    case.path_parameters, case.query = dict(good["path"]), dict(good["query"])
    (case.headers or {}).pop("Idempotency-Key", None)
    body = dict(good["body"] or {})
    if case.operation.path == "/auth/password" and not _responses["DELETE /auth/sessions/{id}"][204]:
        body["password"] = "short"  # a password change would end the session that DELETE /auth/sessions/{id} needs
    if body or case.body is not NOT_SET:
        case.body = body


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    _responses[case.operation.label][response.status_code] += 1
    if response.status_code < 300 and b'"id"' in response.content:
        try:
            _store_ids(json.loads(response.content))
        except ValueError:
            return


def _is_odd(text: str) -> bool:
    """Selects about half of all texts, the same texts in every run."""
    return bool(zlib.crc32(text.encode("utf-8", "replace")) % 2)


def _choose_id(kind: str, value: str) -> str:
    """Replaces about half of the ids by existing ids, and a protected id by an unknown id."""
    known = _seen[kind]
    if known and _is_odd(value):
        value = known[zlib.crc32(value.encode("utf-8", "replace")) // 2 % len(known)]
    return f"{kind}_{'0' * 26}" if value in _FACTS["protected"] else value


def _local_url(url: str) -> str:
    """Replaces a URL that has a host by one of two webhooks of the Slack stand-in: one works, the other was removed."""
    try:
        has_host = bool(urlsplit(url.strip()).netloc)
    except ValueError:
        return url
    stand_in: str = _FACTS["webhooks"][_is_odd(url)]
    return stand_in if has_host else url


def _store_ids(answer: Any) -> None:
    pending = [answer]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            pending += value.values()
            name = value.get("id")
            if isinstance(name, str) and name not in _seen[name.partition("_")[0]]:
                _seen[name.partition("_")[0]].append(name)


def _write_counts() -> None:
    Path(_FACTS["counts"]).write_text(json.dumps({label: dict(counts) for label, counts in _responses.items()}))


atexit.register(_write_counts)
