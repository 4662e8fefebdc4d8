"""The Message-IDs in answers of smarthosts."""

import pytest

from router.assigned_ids import find_assigned_ids, normalize_assigned_id

SES_ID = "0102018c0f1b2c3d-1a2b3c4d-1a2b-3c4d-1a2b-1a2b3c4d5e6f-000000"


@pytest.mark.parametrize(
    ("text", "host", "expected"),
    [
        (f"Ok {SES_ID}", "email-smtp.eu-west-1.amazonaws.com", (f"{SES_ID}@amazonses.com",)),
        (f"2.0.0 Ok: queued as {SES_ID}", "relay.example.net", (f"{SES_ID}@amazonses.com",)),
        ("Ok 9f8e7d6c5b4a39281706-new-form", "email-smtp.us-east-2.amazonaws.com", None),
        ("Ok 9f8e7d6c5b4a39281706-new-form", "relay.example.net", ()),
        (
            "2.6.0 <er.mzuhy4hqcmpf@example.com> [InternalId=3, Hostname=x.prod.outlook.com] Queued mail",
            "smtp.office365.com",
            ("er.mzuhy4hqcmpf@example.com",),
        ),
        ("Ok <a@eu-west-1.amazonses.com> <a@email.amazonses.com>", "relay.example.net", ("a@amazonses.com",)),
        ("queued for <Ann@customer.test> from <b-x@example.com>", "relay.example.net", ()),
        ("OK id=1tA2bC-000000001Yz-3xYz", "smtp.example.net", ()),
        (f"{'x' * 300}@{'y' * 300} <{'z' * 300}@b.test>", "smtp.example.net", ()),
        ("2.0.0 OK  1732999999 a640c23a62f3a-x - gsmtp", "smtp.gmail.com", ()),
    ],
)
def test_ids_in_an_answer(text: str, host: str, expected: tuple[str, ...] | None) -> None:
    found = find_assigned_ids(text, host=host, addresses=("ann@customer.test", "b-x@example.com"))
    assert found == (("9f8e7d6c5b4a39281706-new-form@amazonses.com",) if expected is None else expected)


def test_number_of_ids_is_limited() -> None:
    text = " ".join(f"<{n}@b.test>" for n in range(100))
    assert find_assigned_ids(text, host="smtp.example.net") == ("0@b.test", "1@b.test", "2@b.test", "3@b.test")


@pytest.mark.parametrize(
    ("message_id", "normalized"),
    [
        (f"{SES_ID}@eu-west-1.amazonses.com", f"{SES_ID}@amazonses.com"),
        (f"{SES_ID}@EMAIL.AmazonSES.com", f"{SES_ID}@amazonses.com"),
        (f"{SES_ID}@amazonses.com", f"{SES_ID}@amazonses.com"),
        ("a@notamazonses.com", "a@notamazonses.com"),
        ("er.x@example.com", "er.x@example.com"),
        ("no-at-sign", "no-at-sign"),
    ],
)
def test_normalized_id(message_id: str, normalized: str) -> None:
    assert normalize_assigned_id(message_id) == normalized
