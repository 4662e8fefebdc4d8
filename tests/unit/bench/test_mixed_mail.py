"""The fixed mix of messages: valid, of the promised sizes, and the same in every run."""

import email

from bench.mixed_mail import mixed_messages


def test_half_of_the_messages_are_plain_text_and_half_are_html() -> None:
    for number, (header, body) in enumerate(mixed_messages()):
        message = email.message_from_bytes(header + b"\r\n" + body)
        kinds = [part.get_content_type() for part in message.walk()]
        if number % 2 == 0:
            assert kinds == ["text/plain"]
            assert 4000 <= len(body) <= 4400
        else:
            assert kinds == ["multipart/alternative", "text/plain", "text/html"]
            assert 20_000 <= len(body) <= 21_500


def test_no_body_needs_dot_stuffing() -> None:
    for _, body in mixed_messages():
        assert body.endswith(b"\r\n")
        assert not any(line.startswith(b".") for line in body.split(b"\r\n"))


def test_the_messages_are_the_same_in_every_run() -> None:
    assert mixed_messages() == mixed_messages()
