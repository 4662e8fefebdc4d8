"""Converts calendar parts (RFC 5545, iTIP RFC 5546) to text, for messages without other text.

Times are not converted to another time zone. Any input produces a result in linear time.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from router.mail.charsets import decode_charset
from router.mail.decode import clean_line, clean_text

MAX_BYTES = 1 << 20  # larger calendars are truncated
_MAX_EVENTS = 20
_MAX_ATTENDEES = 50
_MAX_VALUE_LENGTH = 998  # in characters, for values that are shown on one line
_FOLD = re.compile(rb"(?<!\r)\r*+\n[ \t]")
# A property up to its value, which follows the first colon outside quotes.
_PROPERTY = re.compile(r'([A-Za-z0-9-]{1,64})((?:[^":]*+(?:"[^"]*+"[^":]*+)*+)):', re.DOTALL)
_PARAMETER = re.compile(r';([A-Za-z0-9-]{1,64})=("[^"]*+"|[^";]*+)')
_ESCAPED = re.compile(r"\\([\\;,nN])")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:\d\d)?(Z)?)?\Z")
_DURATION = re.compile(r"P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,4})S)?)?\Z")
_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL")
_METHODS = {
    "REQUEST": "Invitation",
    "CANCEL": "Cancelled",
    "COUNTER": "New time proposed",
    "DECLINECOUNTER": "Proposed time declined",
    "REFRESH": "Update requested",
}
_PARTICIPATION = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentatively accepted",
    "DELEGATED": "delegated",
    "NEEDS-ACTION": "no response yet",
    "COMPLETED": "completed",
    "IN-PROCESS": "in progress",
}
_UNITS = ("week", "day", "hour", "minute", "second")
_FREQUENCIES = {
    "SECONDLY": "second",
    "MINUTELY": "minute",
    "HOURLY": "hour",
    "DAILY": "day",
    "WEEKLY": "week",
    "MONTHLY": "month",
    "YEARLY": "year",
}
_DAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}


@dataclass(frozen=True, slots=True)
class _Property:
    value: str
    parameters: dict[str, str]


@dataclass(slots=True)
class _Component:
    kind: str
    properties: dict[str, list[_Property]] = field(default_factory=dict)

    def first(self, name: str) -> _Property | None:
        return self.properties.get(name, [None])[0]

    def text(self, name: str) -> str:
        found = self.first(name)
        return _unescape(found.value) if found else ""

    def line(self, name: str) -> str:
        return clean_line(self.text(name), _MAX_VALUE_LENGTH)


def calendar_text(data: bytes, charset: str, method: str) -> str:
    """Returns a description of the events, tasks and journal entries of a calendar, `""` if there are none.

    Args:
        charset: The charset label of the part, `""` for the default, UTF-8 (RFC 5545 section 3.1.4).
        method: The `method` parameter of the Content-Type field, used if the calendar has no METHOD property.
    """
    # Unfolds before decoding: some programs fold lines inside a multibyte character (RFC 5545 section 3.1).
    text = clean_text(decode_charset(_FOLD.sub(b"", data[:MAX_BYTES]), charset)[0])
    method, components = _parse_components(text, method.upper())
    texts = [_format_component(component, method) for component in components[:_MAX_EVENTS]]
    if len(components) > _MAX_EVENTS:
        texts.append(f"And {len(components) - _MAX_EVENTS} more.")
    return "\n\n".join(text for text in texts if text)


def _parse_components(text: str, method: str) -> tuple[str, list[_Component]]:
    components: list[_Component] = []
    open_components: list[str] = []
    for name, found in _parse_properties(text):
        if name == "BEGIN":
            open_components.append(found.value.strip().upper())
            if open_components[-1] in _COMPONENTS:
                components.append(_Component(open_components[-1]))
        elif name == "END":
            if open_components:
                open_components.pop()
        elif open_components and open_components[-1] in _COMPONENTS:
            components[-1].properties.setdefault(name, []).append(found)
        elif name == "METHOD" and len(open_components) <= 1:
            method = found.value.strip().upper()
    return method, components


def _parse_properties(text: str) -> Iterator[tuple[str, _Property]]:
    lines = iter(text.split("\n"))
    for line in lines:
        match = _PROPERTY.match(line)
        if match is None:
            continue
        parameters = {name.upper(): value.strip('"') for name, value in _PARAMETER.findall(match[2])}
        value = line[match.end() :]
        if "QUOTED-PRINTABLE" in match[2].upper():  # vCalendar 1.0, with or without `ENCODING=`
            encoded = binascii.a2b_qp("".join(_soft_line_pieces(value, lines)).encode("utf-8", "replace"))
            value = clean_text(decode_charset(encoded, parameters.get("CHARSET", ""))[0])
        yield match[1].upper(), _Property(value, parameters)


def _soft_line_pieces(value: str, following: Iterator[str]) -> Iterator[str]:
    while (line := value.rstrip()).endswith("="):
        yield line[:-1]
        value = next(following, "")
    yield line


def _format_component(component: _Component, method: str) -> str:
    lines = [_format_title(component, method)]
    labelled_values = (
        ("When", _format_span(component)),
        ("Due", _format_time(component.first("DUE"))),
        ("Repeats", _format_recurrence(component)),
        ("Where", component.line("LOCATION")),
        ("Organizer", _format_mailbox(component.first("ORGANIZER"))),
        ("Attendees", _format_attendees(component, method)),
        ("Link", component.line("URL") or component.line("CONFERENCE") or component.line("X-GOOGLE-CONFERENCE")),
    )
    lines += [f"{label}: {value}" for label, value in labelled_values if value]
    texts = (component.text("COMMENT").strip(), component.text("DESCRIPTION").strip())
    return "\n\n".join(("\n".join(lines), *(text for text in texts if text)))


def _format_title(component: _Component, method: str) -> str:
    kind = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Journal entry"}[component.kind]
    label = _METHODS.get(method, kind)
    if method == "REPLY":
        answers = {_participation(attendee) for attendee in component.properties.get("ATTENDEE", ())}
        label = answers.pop().capitalize() if len(answers) == 1 else "Response to an invitation"
    elif component.line("STATUS").upper() == "CANCELLED":
        label = "Cancelled"
    return f"{label}: {component.line('SUMMARY') or '(no title)'}"


def _format_attendees(component: _Component, method: str) -> str:
    attendees = component.properties.get("ATTENDEE", [])
    formatted: list[str] = []
    for attendee in attendees[:_MAX_ATTENDEES]:
        answer = _participation(attendee)
        shown = answer and (method == "REPLY" or answer != _PARTICIPATION["NEEDS-ACTION"])
        formatted.append(_format_mailbox(attendee) + (f" ({answer})" if shown else ""))
    if len(attendees) > _MAX_ATTENDEES:
        formatted.append(f"and {len(attendees) - _MAX_ATTENDEES} more")
    return ", ".join(formatted)


def _participation(attendee: _Property) -> str:
    return _PARTICIPATION.get(attendee.parameters.get("PARTSTAT", "NEEDS-ACTION").upper(), "")


def _format_mailbox(found: _Property | None) -> str:
    if found is None:
        return ""
    address = clean_line(found.value, _MAX_VALUE_LENGTH)
    if address.lower().startswith("mailto:"):
        address = address[7:].strip()
    name = clean_line(found.parameters.get("CN", ""), _MAX_VALUE_LENGTH)
    return f"{name} <{address}>" if name and name != address else address


def _format_span(component: _Component) -> str:
    start, end = component.first("DTSTART"), component.first("DTEND")
    if start is None:
        return ""
    day, time, zone = _time_parts(start)
    duration = _format_duration(component.line("DURATION")) if end is None else ""
    duration_suffix = f", {duration}" if duration else ""
    if _is_date(start):
        last = _last_day(end)
        return (f"{day} to {last}" if last and last != day else day) + f" (all day){duration_suffix}"
    if end is None:
        return _join_time(day, time, zone) + duration_suffix
    last, end_time, last_zone = _time_parts(end)
    start_text = _join_time(day, time, "" if zone == last_zone else zone)
    return f"{start_text} to {_join_time('' if last == day else last, end_time, last_zone)}"


def _is_date(found: _Property) -> bool:
    return "T" not in found.value.upper()


def _last_day(end: _Property | None) -> str:
    """Returns the last day of an all-day event, `""` if unknown. DTEND is the day after it (RFC 5545 section 3.6.1)."""
    try:
        return (date.fromisoformat(_time_parts(end)[0]) - timedelta(days=1)).isoformat() if end else ""
    except (ValueError, OverflowError):
        return ""


def _format_time(found: _Property | None) -> str:
    return _join_time(*_time_parts(found)) if found else ""


def _time_parts(found: _Property) -> tuple[str, str, str]:
    """Splits a DATE or DATE-TIME (RFC 5545 sections 3.3.4 and 3.3.5) into day, time and zone.

    A malformed value is returned as the day.
    """
    value = clean_line(found.value, _MAX_VALUE_LENGTH)
    match = _TIME.match(value)
    if match is None:
        return value, "", ""
    day = f"{match[1]}-{match[2]}-{match[3]}"
    if match[4] is None:
        return day, "", ""
    zone = "UTC" if match[6] else clean_line(found.parameters.get("TZID", ""), _MAX_VALUE_LENGTH)
    return day, f"{match[4]}:{match[5]}", zone


def _join_time(day: str, time: str, zone: str) -> str:
    zone = f"({zone})" if zone and not zone.startswith("(") else zone  # Windows has zones like "(UTC+01:00) Berlin"
    return " ".join(part for part in (day, time, zone) if part)


def _format_duration(value: str) -> str:
    match = _DURATION.match(value)
    counts = [(int(count), unit) for count, unit in zip(match.groups(), _UNITS, strict=True) if count] if match else []
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counts if count)


def _format_recurrence(component: _Component) -> str:
    """Describes a recurrence rule (RFC 5545 section 3.3.10).

    Unsupported parts except WKST are shown as `NAME=VALUE`.
    """
    rule = component.line("RRULE").upper()
    parts = dict(part.partition("=")[::2] for part in rule.split(";") if part)
    unit = _FREQUENCIES.get(parts.pop("FREQ", ""), "")
    if not unit:
        return rule
    interval = parts.pop("INTERVAL", "1")
    description = f"every {unit}" if interval == "1" else f"every {interval} {unit}s"
    days = parts.get("BYDAY", "").split(",")
    if all(day in _DAYS for day in days):
        del parts["BYDAY"]
        description += f" on {', '.join(_DAYS[day] for day in days)}"
    if count := parts.pop("COUNT", ""):
        description += f", {count} times"
    if until := parts.pop("UNTIL", ""):
        description += f", until {_format_time(_Property(until, {}))}"
    parts.pop("WKST", None)
    return description + "".join(f", {name}={value}" for name, value in parts.items())


def _unescape(value: str) -> str:
    """Removes the escapes of a TEXT value (RFC 5545 section 3.3.11)."""
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)
