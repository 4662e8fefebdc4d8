"""Fuzzes everything that parses and displays a message.

`python -m tests.unit.mail.fuzz --seconds 900` runs `check` on mutations of tests/corpus. `make fuzz` also starts it.
The state folder (`--state`) stores failures. It also stores messages with new results, which are mutated as well.
Minimise a failure manually and add it to tests/corpus. The exit status is 1 after a failure.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import random
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from router.channels import slack_message
from router.channels.contract import TicketNotification
from router.dispatch import ticket_notification
from router.mail.contents import Contents
from router.mail.headers import HeaderFacts, read_headers
from router.mail.parse import RAW_MESSAGE_SHOWN, extract_attachment, parse
from router.search import terms
from tests.support.payloads import assert_valid_payload

CORPUS = Path(__file__).parents[2] / "corpus"
LINK = "https://mail.example.com/tickets/ticket_1"
# Maximum CPU time for one message. Elapsed time would depend more on other programs on the machine.
SLOW_SECONDS = 1.0
MAX_MUTATION_BYTES = 200_000

# Tokens that mutations insert.
TOKENS: tuple[bytes, ...] = tuple(
    ast.literal_eval(line) for line in Path(__file__).with_name("fuzz_tokens.txt").read_text().splitlines()
)


def check(content: bytes) -> tuple[HeaderFacts, Contents]:
    """Asserts what must hold for any bytes. Returns the parsed header and contents."""
    facts = read_headers(content)
    contents = parse(content)
    assert not any(warning.endswith(RAW_MESSAGE_SHOWN) for warning in contents.warnings), "the parser raised"
    assert_storable(facts._asdict())
    assert_storable(asdict(contents))
    assert Contents.from_json(contents.to_json()) == contents
    for listed in contents.attachments[:5]:
        taken = extract_attachment(content, listed.n)
        assert taken is not None
        assert taken.attachment.filename == listed.filename
        assert taken.attachment.size == listed.size == len(taken.data)
    assert_storable(terms.text_words(f"{facts.from_name} {facts.subject} {contents.text}"))
    notice = build_notification(facts, contents)
    for payload in (slack_message.render_ticket(notice), slack_message.render_plain_ticket(notice)):
        assert_valid_payload(payload, (LINK,))
    return facts, contents


def build_notification(facts: HeaderFacts, contents: Contents) -> TicketNotification:
    """Builds the notification of a message as `router.dispatch` does."""
    row = {
        "event": "replied" if facts.reference_ids else "opened",
        "ticket_id": "ticket_1",
        "number": 42,
        "subject": facts.subject,
        "from_name": facts.from_name,
        "from_address": facts.from_address,
        "address": "support@example.com",
        "status": "open",
        "priority": "high",
        "received_at": facts.sent_at or 0,
        "automatic": facts.automatic,
        "protocol": "ESMTP",
        "rfc_message_id": "a@b.test",
        "timezone": "UTC",
        "check_results": None,
        "awaiting": None,
        "warning": "",
        "released": 0,
        "new_sender": 0,
    }
    return ticket_notification.from_row(row, contents, LINK)


def assert_storable(value: object) -> None:
    """Asserts that all texts are valid UTF-8 without NUL."""
    if isinstance(value, str):
        assert "\x00" not in value
        value.encode("utf-8")
    elif isinstance(value, dict):
        for item in value.values():
            assert_storable(item)
    elif isinstance(value, list | tuple):
        for item in value:
            assert_storable(item)


def mutate_message(rng: random.Random, mails: Sequence[bytes]) -> bytes:
    content = bytearray(rng.choice(mails))
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice((1, 4, 20, 100, 1000)))
        match rng.randrange(8):
            case 0 | 1:
                content[at:at] = rng.choice(TOKENS)
            case 2:
                del content[at:end]
            case 3:
                content[at:at] = content[at:end] * rng.choice((1, 2, 10, 300))
            case 4:
                content[at:end] = rng.randbytes(rng.choice((1, 2, 10)))
            case 5:
                content[at:at] = rng.choice(TOKENS) * rng.choice((2, 30, 2000))
            case 6:
                other = rng.choice(mails)
                start = rng.randrange(len(other) + 1)
                content[at:end] = other[start : start + rng.choice((20, 200, 2000))]
            case _:
                lines = content.split(b"\n")
                rng.shuffle(lines) if rng.random() < 0.1 else lines.insert(rng.randrange(len(lines)), rng.choice(lines))
                content = bytearray(b"\n".join(lines))
    return bytes(content[:MAX_MUTATION_BYTES])


class _State:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("interesting", "failures"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.file = folder / "state.json"
        kept = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.runs: int = kept.get("tried", 0)
        self.seconds: float = kept.get("seconds", 0.0)
        self.slowest: float = kept.get("slowest", 0.0)
        self.seen: set[str] = set(kept.get("seen", ()))
        own = sorted(CORPUS.glob("*.eml"))
        self.mails = [path.read_bytes() for path in (*own, *sorted((folder / "interesting").iterdir()))]

    def keep(self, kind: str, content: bytes, why: str = "") -> None:
        path = self.folder / kind / f"{hashlib.sha256(content).hexdigest()[:16]}.eml"
        path.write_bytes(content)
        if why:
            path.with_suffix(".txt").write_text(why)

    def save(self) -> None:
        kept = {"tried": self.runs, "seconds": self.seconds, "slowest": self.slowest, "seen": sorted(self.seen)}
        self.file.write_text(json.dumps(kept))


def _features(facts: HeaderFacts, contents: Contents) -> list[str]:
    """Returns labels that describe the results. A message with a new label is kept and mutated further."""
    value = contents.warnings
    shape = f"{facts.automatic} {bool(contents.html)} {bool(contents.quoted)} {len(contents.attachments).bit_length()}"
    pairs = [f"{a} + {b}" for a in value for b in value if a < b]
    return [*value, *pairs, shape, *(f"{a.kind} {a.inline} {a.content_type[:20]}" for a in contents.attachments[:5])]


def run(seconds: float, state: _State) -> int:
    """Checks mutations for `seconds`. Returns the number of failures."""
    failed = 0
    rng = random.Random(state.runs)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        content = mutate_message(rng, state.mails)
        used = time.process_time()
        try:
            facts, contents = check(content)
            used = time.process_time() - used
            assert used < SLOW_SECONDS, f"{used:.2f} s"
        except Exception:  # noqa: BLE001 - each failure is recorded, and fuzzing continues
            failed += 1
            state.keep("failures", content, traceback.format_exc())
            sys.stderr.write(f"failed: {traceback.format_exc(limit=-1)}\n")
            continue
        state.runs += 1
        state.slowest = max(state.slowest, used)
        new = set(_features(facts, contents)) - state.seen
        if new and len(state.seen) < 5000:
            state.seen |= new
            state.mails.append(content)
            state.keep("interesting", content)
        if state.runs % 1000 == 0:
            state.save()
    state.seconds += time.monotonic() - began
    state.save()
    return failed


def main() -> int:
    options = argparse.ArgumentParser(description="Fuzz the parsing and display of messages.")
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--state", type=Path, default=Path(".fuzz"))
    arguments = options.parse_args()
    state = _State(arguments.state)
    failed = run(arguments.seconds, state)
    sys.stdout.write(
        f"{state.runs} messages in {state.seconds:.0f} s (all runs), {len(state.mails)} to start from, "
        f"slowest {state.slowest:.2f} s, {failed} failed in this run\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
