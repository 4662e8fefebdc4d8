"""Bounces in the forms of the usual mail servers. The texts are ours; the structure is that of the servers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.delivery_reports import BounceReport, RecipientReport, read_bounce
from tests.support.bounces import FORMS, report, text_bounce

NINA = "nina@customer.test"


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    form = FORMS[name]
    found = read_bounce(form.build(NINA))
    expected = RecipientReport((NINA,), form.action, form.status, form.code, form.text)
    assert replace(found.recipients[0], text="") == replace(expected, text="")
    assert expected.text in found.recipients[0].text
    assert len(found.recipients) == 1
    assert found.is_report == form.has_report
    assert BounceReport.from_json(found.to_json()) == found


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "delayed", "failed"])
def test_actions(action: str) -> None:
    content = report(f"Final-Recipient: rfc822; {NINA}\nAction: {action.title()}\nStatus: 2.0.0")
    assert [found.action for found in read_bounce(content).recipients] == [action]


def test_the_recipient_may_be_named_by_its_original_address() -> None:
    fields = "Original-Recipient: rfc822;Nina@Customer.test\nFinal-Recipient: rfc822;n@elsewhere.test\nAction: failed"
    found = read_bounce(report(fields)).recipients[0]
    assert found.addresses == (NINA, "n@elsewhere.test")


def test_a_report_without_addresses_is_a_report() -> None:
    found = read_bounce(report("Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 Mailbox full"))
    assert found.recipients == (RecipientReport((), "failed", "5.2.2", 552, "Mailbox full"),)


def test_the_fields_of_the_message_are_no_recipient() -> None:
    assert read_bounce(report("Reporting-MTA: dns; mx.test\nArrival-Date: today")) == BounceReport()


def test_a_text_that_names_nobody() -> None:
    assert read_bounce(text_bounce("Your message could not be delivered.")) == BounceReport()
    assert read_bounce(text_bounce("Delivery attempts will continue to be made.")) == BounceReport(is_delay=True)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    read_bounce(data)
    read_bounce(text_bounce("x").replace(b"x", data))
    for part in (b"Status: ", b"Final-Recipient: ", b"Diagnostic-Code: smtp; "):
        read_bounce(report("X: y").replace(b"X: ", part + data))
