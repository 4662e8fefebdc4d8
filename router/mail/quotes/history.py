"""Finds the quoted history in the text of a reply.

History starts at an attribution, a header block or a heading such as `-----Original Message-----`, or consists of
quoted lines. Quoted lines above inline replies count as new text.
"""

from __future__ import annotations

import re
from itertools import islice, takewhile

from router.mail.quotes import attributions, fields
from router.mail.quotes.lines import (
    COLONS,
    Lines,
    is_dashed,
    is_form_field,
    is_forward_heading,
    is_original_heading,
    is_original_phrase,
    is_rule,
    strip_marks,
)

Range = tuple[int, int]

_MAX_ATTRIBUTIONS = 400  # maximum number of lines that are examined as an attribution or a quoted header
_MAX_FORM_FIELDS = 20
_MAX_FIELDS_ABOVE = 4  # fields between a rule and an attribution
_MAX_RULES = 4  # lines above the history that are searched for rules
# Quote marks other than `>`: a bar, `»`, one of `:}%#` with a space, or the author's initials (`EM> `).
_OTHER_MARK = re.compile(r"[|\u00a6\u2502\u2503\u258c\u258f\u00bb]|[:}%#] |[A-Za-z][A-Za-z.]{0,5}>(?=\s|\Z)")
# The prompt of Python, or the start of an attribution of GroupWise.
_PROMPT = ">>>"
# The attributions of GroupWise and Supercite.
_QUOTED_ATTRIBUTION = re.compile(r">{2,4}\s.{3,300}?>{2,4}\Z|>{5}\s\".{1,60}?\"\s==\s")
_MAX_WRAPPED_LINES = 3  # continuation lines of an attribution of GroupWise


def find_history(lines: Lines, end: int) -> list[Range]:
    """Returns the ranges of history in ascending order.

    Args:
        end: The index of the signature's first line, or the line count without a signature.
    """
    return _HistorySearch(lines, end).find_ranges()


def quotes_recipient(lines: Lines, recipients: frozenset[str]) -> bool:
    """Whether the text quotes a message by one of the recipients (normalised addresses)."""
    if not recipients:
        return False
    above = (n for n, text in enumerate(lines.texts) if text and not lines.quoted[n] and lines.is_quoted_below(n))
    ends = (n for n in above if attributions.can_end_attribution(lines.texts[n], marked=True))
    for number in islice(ends, _MAX_ATTRIBUTIONS):
        found = attributions.find_attribution(lines, number, marked=True)
        if found is not None and not recipients.isdisjoint(attributions.find_addresses(found.text)):
            return True
    return False


def has_forward_heading(lines: Lines, start: int, stop: int) -> bool:
    return any(is_forward_heading(lines.texts[number]) for number in range(start, stop) if not lines.quoted[number])


class _HistorySearch:
    """The state of one pass over the lines."""

    def __init__(self, lines: Lines, end: int) -> None:
        self.lines = lines
        self.end = end
        self.checks_left = _MAX_ATTRIBUTIONS
        self.top = lines.next_line(-1)
        self.has_other_marks = False  # whether quote marks other than `>` were found
        self.history: list[Range] = []
        self.find_last_lines()

    def find_last_lines(self) -> None:
        """Finds the last unquoted line before `end`, and the last quoted line of the whole text."""
        lines = self.lines
        unquoted = (n for n in range(self.end - 1, -1, -1) if lines.texts[n] and not lines.quoted[n])
        self.last_own = next(unquoted, -1)
        self.last_quoted = next((n for n in range(len(lines.texts) - 1, -1, -1) if lines.quoted[n]), -1)

    def find_ranges(self) -> list[Range]:
        lines = self.lines
        number = 0
        while number < len(lines.texts):
            text = lines.texts[number]
            if not text:
                number += 1
                continue
            if lines.quoted[number]:
                if self.is_quoted_attribution(number) or self.is_quoted_header(number):
                    return self.cut_from(number)
                if number > self.last_own:
                    first = number if self.is_history(number) else self.find_attributed_quote(number + 1)
                    return self.cut_from(first) if first >= 0 else self.history
                number = self.take_top_quote(number) if number == self.top else number + 1
                continue
            if is_forward_heading(text):
                return self.history
            after = self.find_body(number)
            if after == 0:
                if (first := self.find_run_on(number)) >= 0:
                    return self.cut_from(first)
                number = self.take_attribution(number)
            elif number == self.top and after < len(lines.texts) and lines.quoted[after]:
                number = self.take_quote(number, after)
            elif self.is_introduced(number) or self.is_form(number):
                number = after
            else:
                return self.cut_from(number)
        return self.history

    def take_attribution(self, number: int) -> int:
        """Adds the history that starts with an attribution ending at line `number`, if there is any.

        Returns the next line to examine.
        """
        lines = self.lines
        after = lines.next_line(number)
        marked = after < len(lines.texts) and self.is_marked(after)
        found = self.find_attribution(number, marked=marked)
        if found is None:
            return number + 1
        if found.offset:
            lines.split_line(found.first, found.offset)
            self.end += self.end > found.first
            self.last_own += self.last_own > found.first
            self.last_quoted += 1
            number, after = number + 1, after + 1
        first = number if found.offset else found.first
        if not marked:
            if self.is_introduced(first):
                return number + 1
            self.cut_from(first)
            return len(lines.texts)
        if not lines.quoted[after]:
            self.mark_quoted(after)
        return self.take_quote(first, after)

    def find_run_on(self, number: int) -> int:
        """Returns the index of the first line of an attribution that ends within line `number`, else -1.

        The rest of line `number` is quoted text.
        """
        texts = self.lines.texts
        original, texts[number] = texts[number], attributions.run_on_attribution(texts[number])
        found = self.find_attribution(number, marked=False) if texts[number] else None
        texts[number] = original
        return found.first if found is not None and not found.offset else -1

    def find_body(self, number: int) -> int:
        """Returns the first non-empty line after a heading, or after the header fields found, at `number`, else 0."""
        lines = self.lines
        heading = is_original_heading(lines.texts[number])
        block = lines.next_line(number) if heading else number
        end = (
            fields.find_block_end(lines, block, ruled=heading or self.is_ruled(number))
            if block < len(lines.texts)
            else 0
        )
        return lines.next_line(end - 1) if end else block if heading else 0

    def take_quote(self, first: int, after: int) -> int:
        """Adds the quote that starts at `after`, with its introduction from `first` on.

        Adds nothing if new text is between quoted lines. Returns the next line to examine.
        """
        lines = self.lines
        if after > self.last_own:
            self.cut_from(first)
            return len(lines.texts)
        stop = after
        while stop < len(lines.texts) and (lines.quoted[stop] or not lines.texts[stop]):
            stop += 1
        if self.last_quoted >= stop:
            return after  # new text is between quoted lines
        self.add_range(first, stop)
        return stop

    def take_top_quote(self, number: int) -> int:
        """Adds the quote at the top of the text if it begins with an attribution.

        Returns the next line to examine.
        """
        return max(number + 1, self.take_quote(number, number) if self.begins_with_attribution(number) else 0)

    def find_attribution(self, number: int, *, marked: bool) -> attributions.Attribution | None:
        if self.checks_left == 0 or not attributions.can_end_attribution(self.lines.texts[number], marked=marked):
            return None
        self.checks_left -= 1
        return attributions.find_attribution(self.lines, number, marked=marked)

    def is_marked(self, number: int) -> bool:
        if self.lines.quoted[number]:
            return True
        match = None if self.has_other_marks else _OTHER_MARK.match(self.lines.texts[number])
        if match is None or not match[0].endswith(" "):
            return match is not None
        # A mark such as `# ` on a single line starts a heading.
        return any(text.startswith(match[0]) for text in self.lines.texts[number + 1 : number + 2])

    def mark_quoted(self, start: int) -> None:
        """Sets `quoted` for the line `start` and for all later lines that have the same quote mark."""
        self.has_other_marks = True
        match = _OTHER_MARK.match(self.lines.texts[start])
        for number in range(start, len(self.lines.texts)):
            if match is not None and self.lines.texts[number].startswith(match[0]):
                self.lines.quoted[number] = True
        self.find_last_lines()

    def is_ruled(self, number: int) -> bool:
        above = (text for text in reversed(self.lines.texts[max(0, number - _MAX_RULES) : number]) if text)
        return is_rule(next(above, ""))

    def is_history(self, number: int) -> bool:
        """Whether the quoted lines from `number` to the end are history, not a quotation within the new text."""
        first = strip_marks(self.lines.texts[number])
        if self.begins_with_attribution(number) or is_forward_heading(first):
            return True
        if is_original_heading(first) or fields.find_block_end(self.lines, number):
            return True
        if self.lines.texts[number].startswith(_PROMPT):
            return False
        return (number == 0 or not self.lines.texts[number - 1]) and not self.is_introduced(number)

    def begins_with_attribution(self, number: int) -> bool:
        below = takewhile(bool, self.lines.texts[number : number + 3])
        folded = [strip_marks(text[: attributions.MAX_LENGTH]) for text in below]
        return attributions.is_attribution(folded[0]) or attributions.is_attribution(" ".join(folded))

    def find_attributed_quote(self, start: int) -> int:
        """Returns the index of the first line, at or after `start`, of a quoted attribution or header block, else -1.

        Only the first lines of quoted paragraphs are examined.
        """
        lines = self.lines
        firsts = (n for n in range(start, len(lines.texts)) if lines.quoted[n] and not lines.texts[n - 1])
        for first in islice(firsts, _MAX_ATTRIBUTIONS):
            if self.begins_with_attribution(first) or fields.find_block_end(lines, first):
                return first
        return -1

    def is_quoted_attribution(self, number: int) -> bool:
        """Whether an attribution of GroupWise or Supercite starts at `number`.

        Such an attribution begins with quote marks although it is not quoted.
        """
        text = self.lines.texts[number]
        if _QUOTED_ATTRIBUTION.match(text) is not None:
            return attributions.is_attribution(text.strip("> ") + ":" * text.endswith(">"))
        if not text.startswith(_PROMPT) or not attributions.has_time(text[: attributions.MAX_LENGTH]):
            return False
        folded = strip_marks(text)
        for below in range(number + 1, min(len(self.lines.texts), number + 1 + _MAX_WRAPPED_LINES)):
            if self.lines.quoted[below] or not self.lines.texts[below] or self.checks_left == 0:
                return False
            self.checks_left -= 1
            folded = f"{folded} {self.lines.texts[below]}"
            if attributions.is_attribution(folded):
                return True
        return False

    def is_quoted_header(self, number: int) -> bool:
        """Whether a quoted header block starts at `number`, but the message below it is not quoted (Orange, ...)."""
        lines = self.lines
        heading = is_original_heading(strip_marks(lines.texts[number]))
        if not heading and not fields.starts_with_message_du(strip_marks(lines.texts[number])):
            return False
        if self.checks_left == 0 or self.is_introduced(number):
            return False
        self.checks_left -= 1
        end = fields.find_block_end(lines, number + heading) if number + heading < len(lines.texts) else 0
        below = next((n for n in range(end, len(lines.texts)) if strip_marks(lines.texts[n])), 0) if end else 0
        return below > 0 and not lines.quoted[below]

    def is_form(self, number: int) -> bool:
        """Whether the field at `number` belongs to a form or a raw header: other fields are directly above it."""
        above = number - 1
        while number - above <= _MAX_FORM_FIELDS and above >= 0 and is_form_field(self.lines.texts[above]):
            above -= 1
        return above < number - 1 and (
            above < 0 or not self.lines.texts[above] or self.lines.texts[above].endswith(COLONS)
        )

    def is_introduced(self, number: int) -> bool:
        """Whether the text line above `number` ends with a colon.

        Such a line introduces the lines below it as new text.
        """
        above = number - 1
        while above >= 0 and (not self.lines.texts[above] or is_rule(self.lines.texts[above])):
            above -= 1
        return above >= 0 and not self.lines.quoted[above] and self.lines.texts[above].endswith(COLONS)

    def cut_from(self, start: int) -> list[Range]:
        self.add_range(start, len(self.lines.texts))
        return self.history

    def add_range(self, start: int, stop: int) -> None:
        """Adds a range, extended by the rules and headings directly above it."""
        texts = self.lines.texts
        first = start
        for above in range(start - 1, max(-1, start - 1 - _MAX_RULES), -1):
            if is_rule(texts[above]) or is_dashed(texts[above]) or is_original_phrase(texts[above]):
                first = above
            elif texts[above]:
                break
        self.history.append((self.find_rule_above_fields(first), stop))

    def find_rule_above_fields(self, first: int) -> int:
        """Returns the index of the rule above the fields directly above `first` (Yandex), `first` if there is none."""
        above = first - 1
        while first - above <= _MAX_FIELDS_ABOVE and above >= 0 and fields.read_field(self.lines.texts[above]):
            above -= 1
        return above if 0 <= above < first - 1 and is_rule(self.lines.texts[above]) else first
