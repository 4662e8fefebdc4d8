"""Formats times, sizes, counts and states."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from api.dashboard.avatars import hue, initials
from api.dashboard.field_labels import error_text
from api.dashboard.note_text import note_html
from api.dashboard.text_links import linkify
from api.dashboard.ticket_replies import smtp_answer
from api.dashboard.wrapped_lines import join_wrapped_lines
from api.schema.shape import iso
from router.admin.installation.attention import MAX_COUNTED, AttentionCounts
from router.admin.tickets.lists import MAX_COUNTED as MAX_LISTED
from router.choice import Choice
from router.clock import SECOND
from router.enumerations import DELIVERY_STATE, REPLY_STATE, TICKET_CHOICES, TICKET_STATUS
from router.local_time import UTC_TIME, LocalTime
from router.model import Micros, Ticket, TicketEvent
from router.tag import join_names
from router.unicode_security import append_a_labels

# Labels of outcomes of delivery attempts (`router.dispatch.outbox`). Other outcomes are shown by name.
OUTCOME_LABELS = {
    "open": "in progress",
    "sent": "posted",
    "retry": "not posted, temporary error",
    "parked": "not posted, held until the integration works again",
    "refused": "not posted, the format was rejected",
    "rejected": "not posted, rejected",
    "lost": "ended without a known outcome",
}
# As in `Slack returned 410 channel_is_archived: the Slack channel is archived`.
_RESPONSE_CODE = re.compile(r"(?:failed permanently: )?([^:]{1,50}) returned \d{3} ?[\w-]*: (.+)", re.DOTALL)
_MARKDOWN = re.compile(r"\*\*([^*]+)\*\*|`([^`]+)`|<(https://[^>\s]+)>")
# What the texts of checks name: settings with their values, quoted values, DNS records, commands, URLs, addresses,
# names and paths.
_VALUE = r'(?:"[^"]*"|\[(?:"[^"]*"(?:,\ )?)+\])'
_TERM = re.compile(
    rf"""\[[a-z]+\]\ [a-z]+(?:_[a-z]+)*(?:\ =\ {_VALUE})?|"[^"\s]+"|https?://[^\s,;)]+
    |\bv=[A-Za-z0-9]+(?:;?\ (?:[~?+-]?all|mx|[a-z0-9]+[=:][^\s;]*[^\s;.,]))*|\bp=[a-z]+
    |\b(?:systemctl\ [a-z]+\ [a-z.]+|emailrouter\ [a-z]+|chmod\ [0-7]+\ \S+)
    |\b\d+(?:\.\d+){{3}}(?::\d+)?|\b[a-z]+(?:_[a-z]+)+\b|(?<![\w.])(?:/[\w-]+(?:[/.][\w-]+)+|[\w-]+(?:[/.][\w-]+)*\.[a-z]{{2,}})\b""",
    re.VERBOSE | re.ASCII,
)
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def relative_time(at: Micros, now: Micros, local: LocalTime = UTC_TIME) -> str:
    """Returns a text such as `3 hours ago`, or the date if `at` is more than 31 days ago."""
    seconds = max(0, now - at) // SECOND
    if seconds > 31 * 86400:
        return local.format_date(at)
    for length, name in _UNITS:
        if seconds >= length:
            count = seconds // length
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def short_age(at: Micros, now: Micros, local: LocalTime = UTC_TIME) -> str:
    """Returns a text such as `3h`, or the date if `at` is more than 31 days ago."""
    seconds = max(0, now - at) // SECOND
    if seconds > 31 * 86400:
        return local.format_date(at)
    return next((f"{seconds // length}{name[0]}" for length, name in _UNITS if seconds >= length), "now")


def time_until(at: Micros, now: Micros) -> str:
    """Returns a text such as `in 58 minutes`."""
    seconds = (at - now) // SECOND
    if seconds <= 0:
        return "now"
    for length, name in _UNITS:
        if seconds >= length:
            return f"in {pluralize(seconds // length, name)}"
    return "in less than a minute"


def day_heading(at: Micros, now: Micros, local: LocalTime) -> str:
    """Returns the date, such as `1 Jan 2030`, or a text such as `Today, 1 Jan`."""
    day = local.date_of(at)
    name = {0: "Today", 1: "Yesterday"}.get((local.date_of(now) - day).days)
    return local.format_date(at) if name is None else f"{name}, {local.format_day(day)}"


def minute_with_utc(at: Micros, local: LocalTime) -> str:
    """Returns a text such as `1 Jan 2030, 13:00 CET (1 Jan 2030, 12:00 UTC)`.

    If the local time zone is UTC, the time appears only once.
    """
    utc = UTC_TIME.format_minute(at)
    text = local.format_minute(at)
    return utc if local.timezone == UTC_TIME.timezone else f"{text} ({utc})"


@pass_context
def _minute(context: Context, at: Micros) -> str:
    return _local_time(context).format_minute(at)


@pass_context
def _second(context: Context, at: Micros) -> str:
    return _local_time(context).format_second(at)


@pass_context
def _clock(context: Context, at: Micros) -> str:
    """Returns the time of day, with the date unless it is today."""
    local = _local_time(context)
    return local.format_clock(at) if local.is_same_day(at, context["now"]()) else local.format_minute(at)


@pass_context
def _day_heading(context: Context, at: Micros) -> str:
    return day_heading(at, context["now"](), _local_time(context))


@pass_context
def _time_of_day(context: Context, at: Micros) -> str:
    return _local_time(context).format_clock(at)


@pass_context
def _minute_with_utc(context: Context, at: Micros) -> str:
    return minute_with_utc(at, _local_time(context))


@pass_context
def _relative_time(context: Context, at: Micros) -> str:
    return relative_time(at, context["now"](), _local_time(context))


@pass_context
def _time_until(context: Context, at: Micros) -> str:
    return time_until(at, context["now"]())


@pass_context
def _short_age(context: Context, at: Micros) -> str:
    return short_age(at, context["now"](), _local_time(context))


@pass_context
def _hue(context: Context, key: str) -> int:
    found: int = context.get("team_hues", {}).get(key, hue(key))
    return found


def _local_time(context: Context) -> LocalTime:
    local: LocalTime = context["local_time"]
    return local


def format_size(nbytes: int) -> str:
    """Returns a size such as `1.4 MB`. Units are powers of 1000."""
    if nbytes < 1000:
        return f"{nbytes} byte{'' if nbytes == 1 else 's'}"
    for limit, name in ((10**6, "kB"), (10**9, "MB")):
        if nbytes < limit:
            return f"{nbytes / (limit / 1000):.3g} {name}"
    return f"{nbytes / 10**9:.3g} GB"


def shorten(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 1]}\N{HORIZONTAL ELLIPSIS}"


def pluralize(number: int, singular: str, plural: str = "", *, is_capped: bool = False) -> str:
    """Returns a text such as `1 line` or `1,200 lines`. `plural` defaults to the singular with an s.

    A capped number has a `+`.
    """
    return f"{number:,}{'+' if is_capped else ''} {singular if number == 1 else plural or f'{singular}s'}"


def capped(number: int) -> str:
    """Returns a count of tickets: `999+` if counting ended before all were counted."""
    return f"{MAX_LISTED - 1}+" if number >= MAX_LISTED else str(number)


def ordinal(number: int) -> str:
    """Returns a text such as `2nd`."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 // 10 != 1 else 0, "th")
    return f"{number:,}{suffix}"


def explain_error(text: str) -> str:
    """Returns an error of an integration without the status and the code of the response."""
    found = _RESPONSE_CODE.fullmatch(text)
    if found is None:
        return text
    service, meaning = found.groups()
    return meaning if service in meaning else f"{service}: {meaning}"


def as_sentence(text: str) -> str:
    """Returns the text with a capital first letter and without a full stop."""
    return text[:1].upper() + text[1:].removesuffix(".")


def ticket_marks(ticket: Ticket) -> list[tuple[str, str]]:
    """Returns (label, value) pairs of the fields that differ from their default: `High priority`."""
    marked = ((choice, getattr(ticket, choice.name)) for choice in TICKET_CHOICES if choice.default is not None)
    return [(f"{choice.label(value)} {choice.name}", value) for choice, value in marked if value != choice.default]


def changed_choice(event: TicketEvent) -> Choice[Any]:
    """Returns the field that the event changed. `ticket.resolved` and `ticket.reopened` changed the status."""
    name = event.type.removeprefix("ticket.").removesuffix("_changed")
    return next((choice for choice in TICKET_CHOICES if choice.name == name), TICKET_STATUS)


def outcome_label(value: str) -> str:
    return OUTCOME_LABELS.get(value, value)


def format_duration(duration: Micros) -> str:
    """Returns a duration such as `350 ms` or `3.2 hours`."""
    seconds = duration / SECOND
    if seconds < 1:
        text = f"{duration // 1000} ms"
    elif seconds < 60:
        text = f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    elif seconds < 3600:
        text = f"{seconds / 60:.0f} min"
    elif seconds < 2 * 86400:
        text = f"{seconds / 3600:.3g} hours"
    else:
        text = f"{seconds / 86400:,.3g} days" if seconds < 1000 * 86400 else f"{seconds / 86400:,.0f} days"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def attention_summary(counts: AttentionCounts) -> list[str]:
    """Returns a text such as `3 deliveries failed` for each count above 0. A capped count has a `+`."""
    counted_nouns = (
        (counts.failing, "integration failing", "integrations failing"),
        (counts.parked, "delivery held", "deliveries held"),
        (counts.failed, "delivery failed", "deliveries failed"),
        (counts.failed_replies, "reply failed", "replies failed"),
        (counts.smarthosts, "smarthost failing", "smarthosts failing"),
        (counts.unverified, "domain unverified", "domains unverified"),
        (counts.missing, "domain with missing records", "domains with missing records"),
    )
    return [
        f"{count:,}{'+' if count >= MAX_COUNTED else ''} {singular if count == 1 else plural}"
        for count, singular, plural in counted_nouns
        if count
    ]


def select_options(items: Iterable[Any], label: str = "name") -> list[tuple[str, str]]:
    return [(item, item) if isinstance(item, str) else (item.id, getattr(item, label)) for item in items]


def render_markdown(text: str) -> Markup:
    """Renders the Markdown of settings: bold text, code and `<https://...>`. All other text is escaped."""

    def render(found: re.Match[str]) -> Markup:
        strong, code, url = found.groups()
        if strong is not None:
            return Markup("<strong>{}</strong>").format(strong)
        if code is not None:
            return Markup("<code>{}</code>").format(code)
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, url.partition("://")[2].partition("?")[0])

    rendered, end = Markup(), 0
    for found in _MARKDOWN.finditer(text):
        rendered += escape(text[end : found.start()]) + render(found)
        end = found.end()
    return rendered + escape(text[end:])


def mark_terms(text: str) -> Markup:
    """Returns the text of a check or a fix with its settings, values and addresses as code."""
    rendered, end = Markup(), 0
    for found in _TERM.finditer(text):
        rendered += escape(text[end : found.start()]) + Markup("<code>{}</code>").format(found[0].strip('"'))
        end = found.end()
    return rendered + escape(text[end:])


FILTERS: dict[str, Callable[..., Any]] = {
    "address": append_a_labels,
    "iso": iso,
    "initials": initials,
    "hue": _hue,
    "clock": _clock,
    "day_heading": _day_heading,
    "time_of_day": _time_of_day,
    "ordinal": ordinal,
    "explain_error": explain_error,
    "sentence": as_sentence,
    "minute": _minute,
    "minute_with_utc": _minute_with_utc,
    "second": _second,
    "utc_minute": UTC_TIME.format_minute,
    "utc_second": UTC_TIME.format_second,
    "relative_time": _relative_time,
    "short_age": _short_age,
    "time_until": _time_until,
    "pluralize": pluralize,
    "capped": capped,
    "size": format_size,
    "shorten": shorten,
    "duration": format_duration,
    "error_text": error_text,
    "status": TICKET_STATUS.label,
    "delivery_state": DELIVERY_STATE.label,
    "reply_state": REPLY_STATE.label,
    "smtp_answer": smtp_answer,
    "marks": ticket_marks,
    "changed_choice": changed_choice,
    "outcome": outcome_label,
    "options": select_options,
    "code_terms": mark_terms,
    "markdown": render_markdown,
    "attention_summary": attention_summary,
    "join_names": join_names,
    "linkify": linkify,
    "join_wrapped_lines": join_wrapped_lines,
    "note_html": note_html,
}
