"""The check for secrets in logs finds private data in lines of JSON, and allows public data."""

import pytest

from tests.support.log_secrets import find_secrets


@pytest.mark.parametrize(
    "text",
    [
        "key er_9Jf9bLrEnDbjJSZMGDriQmnee8vJJdaFf46S",
        "https://hooks.slack.com/services/T000/B000/abc",
        "postgresql://mail:secret@db/mail",
        "Authorization: Bearer abcdefghij",
        "GET /welcome?token=4ydKn9c9fKAZ6WyaU5ruyx",
        "It does not open any more.",
    ],
)
def test_private_data_is_found(text: str) -> None:
    assert find_secrets([f'{{"event": "x", "y": "{text}"}}'.encode()])


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "smtp.accepted", "message_id": "msg_01m81xvhqg7hgffgg80me485p0"}',
        b'{"reason": "postgresql://mail:***@db/mail is unavailable"}',
        b'{"hint": "https://hooks.slack.com/\xe2\x80\xa6/mnop"}',
        b"postgresql://mail:secret@db/mail",
    ],
)
def test_public_data_is_allowed(line: bytes) -> None:
    assert find_secrets([line]) == set()
