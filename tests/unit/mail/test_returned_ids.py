"""Identities of replies in the content of bounces."""

import base64

import pytest

from router.mail.returned_ids import MAX_IDS, NO_IDS, find_returned_ids

TOKEN, OTHER = "a" * 26, "b" * 26


@pytest.mark.parametrize("break_", ["", "=\r\n", "= \n"])
def test_a_returned_header(break_: str) -> None:
    """The Message-ID names the returned message, whatever the other fields mention before."""
    found = find_returned_ids(
        f"References: <er.t.{TOKEN}@example.com> <er.{OTHER}@Example.com>\r\n"
        f"Message-ID:\r\n <ER.{TOKEN.upper()}@exam{break_}ple.com>\r\nReply-To: x+t-{OTHER}@example.com\r\n".encode()
    )
    assert found.message_ids == (f"er.{TOKEN}@example.com",)
    assert found.mentioned_ids == (f"er.{OTHER}@example.com",)
    assert found.anchors == (TOKEN, OTHER)
    assert found.tokens == ()


@pytest.mark.parametrize("end", ["", "\r\n--b\r\n\r\nOther\r\n--b--\r\n"])
@pytest.mark.parametrize("text", ["", "x", "xy"])  # each length of the last group
def test_a_text_in_base64(text: str, end: str) -> None:
    encoded = base64.encodebytes(f"Message-ID: <er.{TOKEN}@example.com>\r\n{text}".encode()).decode()
    content = f"Subject: x\r\nContent-Transfer-Encoding: BASE64\r\nX: y\r\n\r\n{encoded}{end}"
    assert find_returned_ids(content.encode()).message_ids == (f"er.{TOKEN}@example.com",)


def test_an_assigned_message_id_keeps_its_case() -> None:
    assert find_returned_ids(b"X-Original-Message-Id: <Ab.C@Relay.test>").message_ids == ("Ab.C@Relay.test",)


def test_the_number_of_ids_is_limited() -> None:
    content = b"".join(b"Message-ID: <%d@x.test>\n" % n for n in range(MAX_IDS + 5))
    assert len(find_returned_ids(content).message_ids) == MAX_IDS


def test_other_content() -> None:
    assert find_returned_ids(b"From: a@b.test\n\nHello <a@b.test> +t-short@b.test\n") is NO_IDS
