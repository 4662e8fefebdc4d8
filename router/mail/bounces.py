"""Finds the failed recipients of a bounce in its report (RFC 3464), header, text or returned message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from router.mail.attachments import File
from router.mail.decode import clean_line, decode_encoded_words
from router.mail.headers import HeaderFacts, find_header_block, read_fields
from router.mail.mailboxes import MAX_ADDRESS_LENGTH, normalize_address, read_mailboxes
from router.mail.structure import decode_body

_EMPTY_LINE = re.compile(rb"\n\r*\n")
_FOLD = re.compile(rb"\n[ \t]+")
_REPORT_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
_RECIPIENT_FIELDS = frozenset({b"final-recipient", b"original-recipient", b"action", b"status", b"diagnostic-code"})
SUCCESS_ACTIONS = ("delivered", "relayed", "expanded")
_MAX_REPORTS = 3
MAX_RECIPIENTS = 50
# In characters. The failed addresses precede the copy of the returned message, which may be long.
_MAX_TEXT_LENGTH = 16384
_ADDRESS = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,255}"
# A line that consists of an address (bare, or in brackets with or without a name), or of an address and a colon that
# other text may follow.
_ADDRESS_LINE = re.compile(
    r"[\s*\u2022-]{0,20}(?:[^\s<>()@:][^<>()@:\n]{0,200}[(<]|<?)(?:mailto:)?"
    rf"({_ADDRESS})"
    r"[)>]?(?:<mailto:[^<>\s]{1,320}>)?(?:\s{0,20}\Z|>?:(?:\s|\Z))"
)
# The address that was expanded to the failed address. Exim writes "generated"; Postfix and sendmail write "expanded".
_EXPANDED = re.compile(rf"\((?:generated|expanded) from:? <?({_ADDRESS})>?\)", re.IGNORECASE)
_ANY_ADDRESS = re.compile(rf"(?<![\w.+-]){_ADDRESS}(?<![.-])")
# The characters + and =, encoded as xtext (RFC 3461 section 4).
_XTEXT = re.compile(r"\+(2B|3D)")
# An encoded character in an address of the address type `utf-8` (RFC 6533 section 3).
_UTF8_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_RETURNED_COPY = re.compile(
    r"[\s>*=-]{0,20}(?:This is a copy|Below this line|(?:Original|Returned|Unsent) message)\b|Received:|Return-Path:",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A recipient in a delivery report, usually a failed or delayed one. Missing details are `""`.

    Attributes:
        address: The final recipient, for example a forwarding target. If it is missing, the original recipient.
        original: The recipient that the sender of the original message specified.
        action: The Action field in lower case, `failed` if it is missing.
        reason: The Diagnostic-Code field without the diagnostic type before its semicolon.
    """

    address: str
    original: str
    action: str
    status: str
    reason: str

    def is_described_in(self, text: str, flat: str) -> bool:
        """Whether a text already contains the address, and the status or reason if one is known.

        Args:
            flat: The text with each run of whitespace replaced by one space.
        """
        if self.address not in text:
            return False
        reasons = [detail for detail in (self.status, self.reason) if detail]
        return not reasons or any(" ".join(reason.split()) in flat for reason in reasons)

    def summary(self) -> str:
        details = ", ".join(detail for detail in (self.status, self.reason) if detail)
        forwarded = self.original if "@" in self.original and self.original != self.address else ""
        address = f"{self.address}, original recipient {forwarded}" if forwarded else self.address
        return f"{self.action.capitalize()}: {address}" + (f" ({details})" if details else "")


def parse_report(report: bytes) -> list[Failure]:
    """Returns the failed and delayed recipients in a message/delivery-status part (RFC 3464 section 2.3)."""
    return [found for found in parse_recipients(report) if found.address and found.action not in SUCCESS_ACTIONS]


def parse_recipients(report: bytes) -> list[Failure]:
    """Returns all recipients in a message/delivery-status part, also those without an address."""
    found: list[Failure] = []
    for group in _EMPTY_LINE.split(report[:65536])[:100]:
        fields: dict[bytes, str] = {}
        for line in _FOLD.sub(b" ", group.strip()).split(b"\n"):
            name, _, value = line.partition(b":")
            fields.setdefault(name.strip().lower(), clean_line(decode_encoded_words(value), 500))
        original = _XTEXT.sub(_decode_xtext, _parse_address(fields.get(b"original-recipient", "")))
        address = _parse_address(fields.get(b"final-recipient", "")) or original
        action = fields.get(b"action", "failed").lower()
        if not fields.keys() & _RECIPIENT_FIELDS:  # the fields of the message
            continue
        reason = fields.get(b"diagnostic-code", "")
        found.append(
            Failure(
                address=address,
                original=original,
                action=action,
                status=fields.get(b"status", ""),
                reason=reason.partition(";")[2].strip() or reason,
            )
        )
    return found


def _parse_address(value: str) -> str:
    """Returns the address in a value like `rfc822; a@b.example` (RFC 3464 section 2.1.2), `""` without one."""
    kind, _, address = value.rpartition(";")
    if kind.strip().lower() == "utf-8":
        address = _UTF8_XTEXT.sub(_decode_utf8_xtext, address)
    found = read_mailboxes(address.encode())
    return found[0][1] if found else ""


def _decode_xtext(encoded: re.Match[str]) -> str:
    return chr(int(encoded[1], 16))


def _decode_utf8_xtext(encoded: re.Match[str]) -> str:
    code = int(encoded[1], 16)
    is_character = 0x20 < code < 0xD800 or 0xDFFF < code < 0x110000
    return chr(code) if is_character else "\ufffd"


def read_reports(files: Sequence[File]) -> list[Failure] | None:
    """Returns the failed and delayed recipients in the delivery reports, or None if no file is a report."""
    reports = list(report_bodies(files))
    found = [failure for report in reports for failure in parse_report(report)]
    return found if reports else None


def report_bodies(files: Sequence[File]) -> Iterator[bytes]:
    """Yields the decoded delivery reports, up to a limit."""
    reports = (file.part for file in files if file.part.content_type in _REPORT_TYPES)
    return (decode_body(part, 65536)[0] for part in islice(reports, _MAX_REPORTS))


def summarize_missing(failures: Sequence[Failure], text: str) -> str:
    """Returns one line for each failure that the text of the bounce does not describe, up to a limit."""
    flat = " ".join(text.split()) if failures else ""
    lines = [failure.summary() for failure in failures if not failure.is_described_in(text, flat)]
    return "\n".join(dict.fromkeys(lines[:20]))


def failed_recipients(
    content: bytes, header: HeaderFacts, failures: Sequence[Failure] | None, files: Sequence[File], text: str
) -> tuple[str, ...]:
    """Returns the addresses that a bounce reports as failed: the original recipients, if they are known.

    Uses the first of these sources that has an address: the report, `X-Failed-Recipients` (Exim, Gmail), lines of the
    text (qmail, Exim, Postfix, Exchange), the header of the returned message, the only address in the text. If a report
    has no failed recipients, or the message is not a bounce, the other sources are not used.

    Args:
        failures: The result of `read_reports`.
    """
    failed = [failure for failure in failures or () if failure.action.startswith("failed")]
    original_by_address = _find_address_lines(text, header.from_address) if header.automatic == "bounce" else {}
    found = [failure.original if "@" in failure.original else failure.address for failure in failed]
    found = [address for address in found if "@" in address]
    if header.automatic == "bounce" and not found and (failed or failures is None):
        fields = read_fields(find_header_block(content).data, frozenset({b"x-failed-recipients"}))
        values = fields.get(b"x-failed-recipients", [])
        found = [address for value in values for _, address in read_mailboxes(value)]
        found = (
            found
            or [*original_by_address.values()]
            or _find_returned_recipient(files)
            or _find_only_address(text, header)
        )
    addresses = (clean_line(original_by_address.get(address, address), MAX_ADDRESS_LENGTH) for address in found)
    return tuple({normalize_address(address): address for address in addresses}.values())[:MAX_RECIPIENTS]


def _lines_above_copy(text: str) -> Iterator[str]:
    return takewhile(lambda line: _RETURNED_COPY.match(line) is None, text[:_MAX_TEXT_LENGTH].split("\n"))


def _find_address_lines(text: str, sender: str) -> dict[str, str]:
    """Maps the failed addresses in the lines of the text to the original recipients.

    An address without a known original recipient is mapped to itself.
    """
    found: dict[str, str] = {}
    last = ""
    for line in _lines_above_copy(text):
        match = _ADDRESS_LINE.match(line)
        if match and match[1] != sender:
            last = match[1]
            found[last] = last
        if expanded := _EXPANDED.search(line):
            found[last or expanded[1]] = expanded[1]
        if expanded or not line.strip():
            last = ""
    return found


def _find_only_address(text: str, header: HeaderFacts) -> list[str]:
    """Returns the address in the text that is not in the bounce's own header, `[]` if there are none or several."""
    above = "\n".join(_lines_above_copy(text))
    addresses = {normalize_address(address): address for address in _ANY_ADDRESS.findall(above)}
    other_addresses = [address for known, address in addresses.items() if known not in header.participants]
    return other_addresses if len(other_addresses) == 1 else []


def _find_returned_recipient(files: Sequence[File]) -> list[str]:
    for file in files:
        if file.part.content_type in _RETURNED_TYPES:
            header = find_header_block(decode_body(file.part, 65536)[0])
            fields = read_fields(header.data, frozenset({b"to", b"cc"}))
            mailboxes = [mailbox for values in fields.values() for value in values for mailbox in read_mailboxes(value)]
            return [address for _, address in mailboxes] if len(mailboxes) == 1 else []
    return []
