"""Trace header fields. Values from the peer cannot end a field or add one."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from router.mail.trace_headers import render
from router.model import Message

MESSAGE = Message(
    id="msg_1",
    workspace_id="ws_1",
    reverse_path="eva@customer.example",
    helo="mail.customer.example",
    peer="192.0.2.1",
    protocol="ESMTPS",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
    received_by="mx.acme.example",
    size=10,
    received_at=1763715600_000_000,
    rfc_message_id="",
    reference_ids="[]",
    from_address="",
    from_name="",
    subject="",
    sent_at=None,
    automatic="",
)


def test_render() -> None:
    assert render(MESSAGE, ["support@acme.example"]).decode() == (
        "Return-Path: <eva@customer.example>\r\n"
        "Received: from mail.customer.example ([192.0.2.1]) by mx.acme.example\r\n"
        "\twith ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id msg_1\r\n"
        "\tfor <support@acme.example>; Fri, 21 Nov 2025 09:00:00 +0000\r\n"
    )


def test_null_reverse_path_ipv6_and_several_recipients() -> None:
    found = render(replace(MESSAGE, reverse_path="", peer="2001:db8::1", tls=""), ["a@x", "b@x"]).decode()
    assert found.startswith("Return-Path: <>\r\n")
    assert "([IPv6:2001:db8::1])" in found
    assert " for " not in found


@given(text=st.text(max_size=400), recipients=st.lists(st.text(max_size=50), max_size=2))
def test_peer_values_cannot_end_a_field(text: str, recipients: list[str]) -> None:
    message = replace(
        MESSAGE, helo=text, reverse_path=text, peer=text, protocol=text, tls=text, received_by=text, id=text
    )
    data = render(message, recipients)
    assert data.endswith(b"\r\n")
    assert b"\x00" not in data
    assert data.count(b"\n") == data.count(b"\r") == data.count(b"\r\n")
    assert message_from_bytes(data + b"\r\nbody").keys() == ["Return-Path", "Received"]


def test_forged_helo() -> None:
    data = render(replace(MESSAGE, helo="x)\r\nFrom: forged (\r\n\r\n<script>"))
    assert message_from_bytes(data).keys() == ["Return-Path", "Received"]
