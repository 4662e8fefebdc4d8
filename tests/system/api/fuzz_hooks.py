"""What schemathesis is told about our API while `tests.system.api.fuzz` runs it; loaded by it as SCHEMATHESIS_HOOKS.

It must not saw off the branch it sits on (its own user and key), must not leave this machine (every webhook is the
stand-in's), and half of what it names (ids, the login) should exist. Each call is created with a request that has to
succeed until it did once (`tests.system.api.fuzz_good`). All answers are counted, to see that each call was really
created.
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
_KEPT = 200  # ids of each kind, the latest
_KINDS = {
    "users": "user",
    "keys": "key",
    "domains": "dom",
    "integrations": "int",
    "aliases": "alias",
    "tickets": "ticket",
    "messages": "msg",
    "deliveries": "dlv",
}
_FIELDS = {"domainId": "dom", "integrationId": "int", "defaultIntegrationId": "int", "userId": "user"}

_seen: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_KEPT))
_answers: dict[str, Counter[int]] = defaultdict(Counter)

for _id in _FACTS["ids"]:
    _seen[_id.partition("_")[0]].append(_id)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Called before each request that is sent."""
    path: str = case.operation.path
    if _is_wanted(case):
        _make_good(case)
        return
    if "id" in (case.path_parameters or {}):
        kind = next((kind for noun, kind in _KINDS.items() if f"/{noun}/{{id}}" in path), "")
        case.path_parameters["id"] = _chosen(kind, str(case.path_parameters["id"]))
    if "n" in (case.path_parameters or {}) and _odd(str(case.path_parameters["n"])):
        case.path_parameters["n"] = "1"
    if not isinstance(case.body, dict):
        return
    for field, kind in _FIELDS.items():
        if isinstance(case.body.get(field), str):
            case.body[field] = _chosen(kind, case.body[field])
    if isinstance(case.body.get("localPart"), str) and _odd(case.body["localPart"]):
        case.body["localPart"] = f"desk{zlib.crc32(case.body['localPart'].encode('utf-8', 'replace'))}"
    if isinstance(case.body.get("webhookUrl"), str):
        case.body["webhookUrl"] = _here(case.body["webhookUrl"])
    if path == "/auth/login" and set(case.body) == {"email", "password"} and _odd(str(case.body["password"])):
        case.body |= _FACTS["login"]


def _is_wanted(case: Any) -> bool:
    """Whether this call still has to succeed, and a valid request of it is to be sent."""
    label = case.operation.label
    good = _FACTS["good"].get(label)
    if good is None or _answers[label][good["status"]]:
        return False
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


def _make_good(case: Any) -> None:
    good = _FACTS["good"][case.operation.label]
    case.path_parameters, case.query = dict(good["path"]), {}
    (case.headers or {}).pop("Idempotency-Key", None)
    body = dict(good["body"] or {})
    if case.operation.path == "/auth/password" and not _answers["DELETE /auth/sessions/{id}"][204]:
        body["password"] = "short"  # a new one would end the session that the other call is to end
    if body or case.body is not NOT_SET:
        case.body = body


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Called with each answer."""
    _answers[case.operation.label][response.status_code] += 1
    if response.status_code < 300 and b'"id"' in response.content:
        try:
            _remember(json.loads(response.content))
        except ValueError:
            return  # not JSON: a mail


def _odd(text: str) -> bool:
    """The same for the same text: half of all texts."""
    return bool(zlib.crc32(text.encode("utf-8", "replace")) % 2)


def _chosen(kind: str, value: str) -> str:
    """An id that exists for every second one that is asked for; never one of our own."""
    known = _seen[kind]
    if known and _odd(value):
        value = known[zlib.crc32(value.encode("utf-8", "replace")) // 2 % len(known)]
    return f"{kind}_{'0' * 26}" if value in _FACTS["protected"] else value


def _here(url: str) -> str:
    """A URL of the stand-in, every second one of which is dead, for whatever could be asked somewhere.

    What is no URL stays, to be refused.
    """
    try:
        goes_out = bool(urlsplit(url.strip()).netloc)
    except ValueError:
        return url
    stand_in: str = _FACTS["webhooks"][_odd(url)]
    return stand_in if goes_out else url


def _remember(answer: Any) -> None:
    waiting = [answer]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            name = value.get("id")
            if isinstance(name, str) and name not in _seen[name.partition("_")[0]]:
                _seen[name.partition("_")[0]].append(name)


@atexit.register
def _write() -> None:
    Path(_FACTS["counts"]).write_text(json.dumps({label: dict(counts) for label, counts in _answers.items()}))
