"""The messages of tests/corpus, each with its golden result.

`UPDATE_GOLDEN=1 pytest tests/unit/mail/test_corpus.py` rewrites the results. Review the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from router.mail import automatic
from router.mail.contents import Contents
from router.mail.headers import read_headers
from router.mail.parse import extract_attachment, parse

CORPUS = Path(__file__).parents[2] / "corpus"
MAILS = sorted(CORPUS.glob("*.eml"), key=lambda path: path.name)


def _result(content: bytes) -> dict[str, object]:
    facts = read_headers(content)
    headers = facts._asdict()
    assert headers.pop("marks") == ()  # which only our own mail has
    return {
        "headers": headers,
        "verdict with a null reverse-path": automatic.classify_message(
            facts.automatic, null_reverse_path=True, subject=facts.subject
        ),
        "contents": json.loads(parse(content).to_json()),
    }


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_message_matches_its_golden_result(path: Path) -> None:
    found = json.loads(json.dumps(_result(path.read_bytes())))
    golden = path.with_suffix(".json")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_every_listed_attachment_can_be_extracted(path: Path) -> None:
    content = path.read_bytes()
    contents = parse(content)
    for listed in contents.attachments:
        taken = extract_attachment(content, listed.n)
        assert taken is not None
        assert (taken.attachment.filename, taken.attachment.kind) == (listed.filename, listed.kind)
        assert taken.attachment.size == listed.size == len(taken.data)
    assert extract_attachment(content, len(contents.attachments) + 1) is None
    assert extract_attachment(content, 0) is None


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_contents_round_trip_through_json(path: Path) -> None:
    contents = parse(path.read_bytes())
    assert Contents.from_json(contents.to_json()) == contents


def test_corpus_is_complete() -> None:
    assert len(MAILS) >= 35
    assert {path.stem for path in MAILS} == {path.stem for path in CORPUS.glob("*.json")}
