"""Delivery reports (RFC 3464): which recipients a bounce is about, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from router.mail.attachments import File
from router.mail.decode import decode_words, one_line
from router.mail.structure import decoded_body

_EMPTY_LINE = re.compile(rb"\n\r*\n")
_FOLD = re.compile(rb"\n[ \t]+")


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient of a delivery report: what happened to mail for it, and why, in the words of the report."""

    address: str
    action: str
    status: str
    reason: str

    def told_in(self, text: str, flat: str) -> bool:
        """Whether a text names the address, and the reason where the report gives one.

        flat: the text with every run of white space as one blank.
        """
        if self.address not in text:
            return False
        reasons = [detail for detail in (self.status, self.reason) if detail]
        return not reasons or any(" ".join(reason.split()) in flat for reason in reasons)

    def line(self) -> str:
        """For people."""
        details = ", ".join(detail for detail in (self.status, self.reason) if detail)
        return f"{self.action.capitalize()}: {self.address}" + (f" ({details})" if details else "")


def failures(report: bytes) -> list[Failure]:
    """The failed and delayed recipients of a message/delivery-status part (RFC 3464 section 2.3).

    report: the decoded part; at most 64 KiB of it are read. Delivered and relayed recipients are left out.
    """
    found: list[Failure] = []
    for group in _EMPTY_LINE.split(report[:65536])[:100]:
        fields: dict[bytes, str] = {}
        for line in _FOLD.sub(b" ", group.strip()).split(b"\n"):
            name, _, value = line.partition(b":")
            fields.setdefault(name.strip().lower(), one_line(decode_words(value), 500))
        address = fields.get(b"final-recipient") or fields.get(b"original-recipient") or ""
        action = fields.get(b"action", "failed").lower()
        if not address or action in ("delivered", "relayed", "expanded"):
            continue
        reason = fields.get(b"diagnostic-code", "")
        found.append(
            Failure(
                address=address.rpartition(";")[2].strip(" <>"),
                action=action,
                status=fields.get(b"status", ""),
                reason=reason.partition(";")[2].strip() or reason,
            )
        )
    return found


def report(files: Sequence[File], text: str) -> str:
    """The failed recipients of a bounce and why, one a line, as far as the text does not tell it itself."""
    types = ("message/delivery-status", "message/global-delivery-status")
    reports = [file.part for file in files if file.part.content_type in types]
    lines: list[str] = []
    flat = " ".join(text.split()) if reports else ""
    for part in reports[:3]:
        data, _ = decoded_body(part, 65536)
        lines += [failure.line() for failure in failures(data) if not failure.told_in(text, flat)]
    return "\n".join(dict.fromkeys(lines[:20]))
