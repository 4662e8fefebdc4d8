"""Calendar parts as text, for messages without other text."""

from __future__ import annotations

import base64

import pytest

from router.mail.calendar import MAX_BYTES, calendar_text
from router.mail.parse import parse

EVENT = """BEGIN:VEVENT
SUMMARY;LANGUAGE=en:Roof\\, second
  visit
DTSTART;TZID="(UTC+01:00) Berlin":20260401T090000
DTEND;TZID="(UTC+01:00) Berlin":20260401T103000
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=10
LOCATION:Room 5
ORGANIZER;CN="Example, Ana":MAILTO:ana@example.org
ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:eve@example.org
DESCRIPTION:Bring the ladder.\\nThe door is open\\; ring twice.
BEGIN:VALARM
TRIGGER:-PT15M
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
"""
ZONE = "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:16010101T030000\nEND:STANDARD\nEND:VTIMEZONE\n"


def render_calendar(components: str, method: str = "") -> str:
    calendar = f"BEGIN:VCALENDAR\nVERSION:2.0\n{components}END:VCALENDAR\n".replace("\n", "\r\n")
    return calendar_text(calendar.encode(), "utf-8", method)


def render_event(*lines: str, method: str = "") -> list[str]:
    return render_calendar("BEGIN:VEVENT\n" + "".join(f"{line}\n" for line in lines) + "END:VEVENT\n", method).split(
        "\n"
    )


def test_an_invitation() -> None:
    assert render_calendar(ZONE + EVENT, "request") == (
        "Invitation: Roof, second visit\n"
        "When: 2026-04-01 09:00 to 10:30 (UTC+01:00) Berlin\n"
        "Repeats: every 2 weeks on Monday, Wednesday, 10 times\n"
        "Where: Room 5\n"
        "Organizer: Example, Ana <ana@example.org>\n"
        "Attendees: Bob <bob@example.org>, eve@example.org (accepted)\n\n"
        "Bring the ladder.\nThe door is open; ring twice."
    )


@pytest.mark.parametrize(
    ("method", "lines", "title"),
    [
        ("CANCEL", ["SUMMARY:Call"], "Cancelled: Call"),
        ("", ["SUMMARY:Call", "STATUS:CANCELLED"], "Cancelled: Call"),
        ("COUNTER", ["SUMMARY:Call"], "New time proposed: Call"),
        ("PUBLISH", ["SUMMARY:Call"], "Event: Call"),
        ("REPLY", ["SUMMARY:Call", "ATTENDEE;PARTSTAT=DECLINED:mailto:a@example.org"], "Declined: Call"),
        ("REPLY", ["SUMMARY:Call", "ATTENDEE;PARTSTAT=TENTATIVE:mailto:a@example.org"], "Tentatively accepted: Call"),
        ("REPLY", ["SUMMARY:Call"], "Response to an invitation: Call"),
        ("REQUEST", [], "Invitation: (no title)"),
    ],
)
def test_titles(method: str, lines: list[str], title: str) -> None:
    assert render_event(*lines, method=method)[0] == title


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (["DTSTART:20260401T090000Z", "DTEND:20260401T100000Z"], "2026-04-01 09:00 to 10:00 (UTC)"),
        (["DTSTART:20260401T090000", "DTEND:20260402T100000"], "2026-04-01 09:00 to 2026-04-02 10:00"),
        (
            ["DTSTART;TZID=Europe/Paris:20260401T090000", "DTEND:20260401T080000Z"],
            "2026-04-01 09:00 (Europe/Paris) to 08:00 (UTC)",
        ),
        (["DTSTART:20260401T090000Z", "DURATION:PT1H30M"], "2026-04-01 09:00 (UTC), 1 hour 30 minutes"),
        (["DTSTART;VALUE=DATE:20260401"], "2026-04-01 (all day)"),
        (["DTSTART;VALUE=DATE:20260401", "DTEND;VALUE=DATE:20260402"], "2026-04-01 (all day)"),
        (["DTSTART;VALUE=DATE:20260401", "DTEND;VALUE=DATE:20260404"], "2026-04-01 to 2026-04-03 (all day)"),
        (["DTSTART;VALUE=DATE:20260401", "DTEND;VALUE=DATE:00010101"], "2026-04-01 (all day)"),
        (["DTSTART;VALUE=DATE:20260401", "DURATION:P3D"], "2026-04-01 (all day), 3 days"),
    ],
)
def test_times(lines: list[str], when: str) -> None:
    assert render_event(*lines)[1] == f"When: {when}"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY", "every day"),
        ("FREQ=YEARLY;UNTIL=20300101T000000Z;WKST=MO", "every year, until 2030-01-01 00:00 (UTC)"),
        ("FREQ=MONTHLY;BYDAY=1FR", "every month, BYDAY=1FR"),
        ("SOMETIMES", "SOMETIMES"),
    ],
)
def test_recurrence(rule: str, expected: str) -> None:
    assert render_event(f"RRULE:{rule}")[1] == f"Repeats: {expected}"


def test_comment_of_a_reply() -> None:
    lines = render_event(
        "ATTENDEE;PARTSTAT=DECLINED;CN=Ana:mailto:ana@example.org", "COMMENT:I am ill\\, sorry.", method="REPLY"
    )
    assert lines[1:] == ["Attendees: Ana <ana@example.org> (declined)", "", "I am ill, sorry."]


def test_several_components() -> None:
    tasks = "".join(f"BEGIN:VTODO\nSUMMARY:Task {n}\nDUE:20260401\nEND:VTODO\n" for n in range(25))
    paragraphs = render_calendar(tasks).split("\n\n")
    assert paragraphs[0] == "Task: Task 0\nDue: 2026-04-01"
    assert paragraphs[-1] == "And 5 more."


def test_vcalendar_and_malformed_properties() -> None:
    old = "BEGIN:VEVENT\nSUMMARY;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:T=C3=BCr\nEND:VEVENT\n"
    assert render_calendar(old) == "Event: T\u00fcr"
    soft = "BEGIN:VEVENT\nSUMMARY;QUOTED-PRINTABLE:T=C3=BC=\nr und =\nTor\nEND:VEVENT\n"
    assert render_calendar(soft) == "Event: T\u00fcr und Tor"
    assert (
        calendar_text(b"BEGIN:VEVENT\r\r\nSUMMARY:One\r\r\n  line\r\r\nEND:VEVENT\r\r\n", "", "") == "Event: One line"
    )
    folded = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:T\xc3\r\n \xbcr\r\nEND:VEVENT\r\n"
    assert calendar_text(folded, "", "") == "Event: T\u00fcr"
    for odd in ("", "END:VEVENT\nX", 'BEGIN:VEVENT\nSUMMARY;CN="a:b\nDTSTART:soon', "BEGIN:VCARD\nFN:Ana\nEND:VCARD\n"):
        assert "Ana" not in render_calendar(odd)


def test_calendar_of_a_message_without_text() -> None:
    calendar = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Call\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    part = b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    part += base64.encodebytes(calendar)
    found = parse(part)
    assert (found.text, found.quoted, found.warnings) == ("Invitation: Call", "", ())
    assert [listed.kind for listed in found.attachments] == ["calendar"]
    assert parse(part.replace(b"text/calendar", b"text/x-vcalendar")).text == "Invitation: Call"
    blank = b"--z\r\n\r\n \xc2\xa0\r\n--z\r\nContent-Type: text/html\r\n\r\n<p>&nbsp;</p>\r\n--z\r\n" + part
    file = b"--z\r\nContent-Type: application/ics; name=invite.ics\r\n\r\n" + calendar
    content = b"Content-Type: multipart/alternative; boundary=z\r\n\r\n" + blank + file + b"--z--\r\n"
    assert parse(content).text == "Invitation: Call"
    assert parse(content.replace(b" \xc2\xa0", b"Please come.")).text == "Please come."


def test_large_calendar_is_truncated() -> None:
    assert render_calendar("BEGIN:VEVENT\nSUMMARY:Call\nATTACH:" + "A" * MAX_BYTES) == "Event: Call"
