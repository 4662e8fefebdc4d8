"""The standard library's parser finds the intended structure in the messages of `tests.support.mails`."""

from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from tests.support import mails

ALL: dict[str, Callable[..., bytes]] = {
    "plain": mails.plain,
    "html": mails.html,
    "attachment": mails.with_attachment,
    "reply": lambda **fields: mails.reply_to("<parent@example.org>", **fields),
    "bounce": mails.bounce,
    "out of office": mails.out_of_office,
    "list": mails.list_mail,
}


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("name", ALL)
def test_each_message_is_well_formed(name: str) -> None:
    raw = ALL[name](message_id="<fixed@customer.test>")
    assert raw == ALL[name](message_id="<fixed@customer.test>")
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    assert raw.endswith(b"\r\n")
    raw.decode("ascii")
    message = read(raw)
    assert message["Message-ID"] == "<fixed@customer.test>"
    assert not [part.defects for part in message.walk() if part.defects]
    assert read(ALL[name]())["Message-ID"] != read(ALL[name]())["Message-ID"]


def test_headers_of_special_messages() -> None:
    attached = read(mails.with_attachment())
    (file,) = attached.iter_attachments()
    assert attached["Subject"] == "Die Tür klemmt: 扉が開きません 🚪"
    assert file.get_filename() == "Tür, Foto.png"
    assert read(mails.reply_to("<b@x>", references=("<a@x>",)))["References"] == "<a@x> <b@x>"
    assert read(mails.html(text="both")).get_content_type() == "multipart/alternative"
    assert read(mails.html()).get_content_type() == "text/html"
    report = read(mails.bounce())
    assert report.get_content_type() == "multipart/report"
    kinds = [part.get_content_type() for part in report.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert b"Status: 5.1.1" in mails.bounce()
    assert "jürgen@kunde.test".encode() in mails.internationalized()


@pytest.mark.parametrize("size", [1000, 1001, *range(1070, 1080), 100_000])
def test_message_of_a_given_size(size: int) -> None:
    raw = mails.of_size(size)
    assert len(raw) == size
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
