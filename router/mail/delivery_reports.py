"""Reads what a bounce reports about each recipient: from its report (RFC 3464), or else from its text.

Servers that send no report (qmail, old Exim) name the addresses and the answers of other servers in their text. Reading
is for the worker process: the structure of the message and its text are parsed. Nothing is verified.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from router.mail.body_parts import BodyParts
from router.mail.bounces import Failure, failed_recipients, parse_recipients, report_bodies
from router.mail.contents import DEFAULT_LIMITS
from router.mail.decode import clean_line
from router.mail.headers import read_headers
from router.mail.mailboxes import normalize_address
from router.mail.structure import read_structure
from router.mail.text_parts import TextDecoder, render

ReportAction = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

MAX_RECIPIENTS = 50
MAX_TEXT_LENGTH = 500  # characters of an answer
# The part of a text that is searched: the answer of a server follows the address.
_SEARCHED_CHARACTERS = 16384
_ANSWER_CHARACTERS = 1000

_ACTIONS: dict[str, ReportAction] = {action: action for action in get_args(ReportAction)}
# An SMTP answer: a reply code and, optionally, an enhanced status code (RFC 3463), as in `550-5.1.1 no such user`.
_REPLY = re.compile(r"(?<![\w.:#-])([45]\d\d)(?:[ -]{1,2}#?([245]\.\d{1,3}\.\d{1,3}))?(?=[\s-]|$)")
_STATUS = re.compile(r"(?<![\w.])([245]\.\d{1,3}\.\d{1,3})(?![\w.])")
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
# How servers without a report say that they go on trying.
_DELAYED = re.compile(
    r"\b(?:delayed|delivery attempts will continue|warning message only|will (?:continue to )?be retried|"
    r"still being retried|will (?:continue|keep) (?:to try|trying)|could not send message for past)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What happened to a recipient.

    Attributes:
        addresses: The final and the original recipient, in the form for comparison; empty if none is named.
        action: See RFC 3464 section 2.3.3. An unknown one counts as `failed`.
        status: The enhanced status code (RFC 3463), or `""`.
        code: The SMTP reply code, or None.
        text: The answer of the server in one line, without its codes; `""` if there is none.
    """

    addresses: tuple[str, ...]
    action: ReportAction
    status: str = ""
    code: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class BounceReport:
    """The recipients of a bounce. Without a machine-readable report, those that its text names.

    Attributes:
        is_report: Whether the message has a machine-readable report.
        is_delay: Whether a text without a report says that delivery is only delayed.
    """

    recipients: tuple[RecipientReport, ...] = ()
    is_report: bool = False
    is_delay: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> BounceReport:
        fields = json.loads(text)
        recipients = [
            RecipientReport(**{**recipient, "addresses": tuple(recipient["addresses"])})
            for recipient in fields.pop("recipients")
        ]
        return BounceReport(tuple(recipients), **fields)


UNREADABLE = BounceReport()


def read_bounce(content: bytes, *, html: bool = True) -> BounceReport:
    """Reads a bounce. Returns `UNREADABLE` for a message that cannot be parsed.

    Raises:
        HtmlNotAllowed: The message has HTML, and `html` is false.
    """
    limits = DEFAULT_LIMITS
    structure = read_structure(
        content, max_header_bytes=limits.header_bytes, max_parts=limits.parts, max_depth=limits.depth
    )
    parts = BodyParts(structure.root, TextDecoder(limits, html=html, hint=structure.hint), limits)
    reported = [found for report in report_bodies(parts.files) for found in parse_recipients(report)]
    if reported:
        return BounceReport(tuple(_from_report(found) for found in reported[:MAX_RECIPIENTS]), is_report=True)
    # The caller knows that it is a bounce, even if its header does not say so.
    header = read_headers(content, max_bytes=limits.header_bytes)._replace(automatic="bounce")
    text = render(parts.pieces, limits).text[:_SEARCHED_CHARACTERS]
    is_delay = _DELAYED.search(f"{header.subject}\n{text}") is not None
    addresses = failed_recipients(content, header, None, parts.files, text)[:MAX_RECIPIENTS]
    recipients = [_from_text(address, "delayed" if is_delay else "failed", text) for address in addresses]
    return BounceReport(tuple(recipients), is_delay=is_delay)


def _from_report(found: Failure) -> RecipientReport:
    code, status, text = _split_answer(found.reason)
    addresses = (normalize_address(address) for address in (found.original, found.address) if "@" in address)
    return RecipientReport(
        addresses=tuple(dict.fromkeys(addresses)),
        action=_ACTIONS.get(found.action.partition(" ")[0], "failed"),
        status=match[1] if (match := _STATUS.search(found.status)) else status,
        code=code,
        text=text,
    )


def _from_text(address: str, action: ReportAction, text: str) -> RecipientReport:
    code, status, answer = _split_answer(_find_answer(address, text))
    return RecipientReport((normalize_address(address),), action, status, code, answer)


def _find_answer(address: str, text: str) -> str:
    """Returns the paragraph that follows an address, which contains the answer of the server."""
    at = text.find(address)
    if at < 0:
        return ""
    following = text[at + len(address) :][:_ANSWER_CHARACTERS].lstrip(">:) \t")
    paragraphs = (paragraph.strip() for paragraph in _EMPTY_LINE.split(following))
    return next((paragraph for paragraph in paragraphs if paragraph), "")


def _split_answer(answer: str) -> tuple[int | None, str, str]:
    """Returns the reply code, the enhanced status code, and the rest of an answer."""
    reply = _REPLY.search(answer)
    status = _STATUS.search(answer)
    text = answer[reply.end() :] if reply else answer
    # Each line of a longer answer repeats the codes.
    text = clean_line(_REPLY.sub(" ", text), MAX_TEXT_LENGTH).strip(" -")
    found = (reply and reply[2]) or (status and status[1]) or ""
    return int(reply[1]) if reply else None, found, text
