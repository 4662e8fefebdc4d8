"""What the page of a ticket shows of its timeline: newest first, within size limits, with older messages folded.

The newest message of a person and the first message are open. Above the newest open message are at most one line with
all changes and the start of two notes, so the text of that message is in view when the page opens. Several changes in
a row are one line.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from markupsafe import escape

from api.dashboard.note_text import note_html
from router.admin.tickets.list_rows import ReadMark
from router.admin.tickets.timeline import MessageExcerpt, Timeline, TimelineEntry
from router.mail.contents import Attachment
from router.mail.quotes.subjects import classify_subject
from router.model import TicketEvent

# Maximum bytes of HTML for the texts on a page. The ticket's first and newest messages do not count.
MAX_TEXT_BYTES = 40_000
MAX_NOTE_BYTES = 30_000  # the same for notes
MAX_FILE_LIST_BYTES = 20_000  # maximum bytes of HTML for the file lists on a page
MIN_TEXT_BYTES = 600  # bytes of HTML allowed for the text of each message and note, even beyond these limits
MIN_FILES = 2  # number of files listed for each message, even beyond MAX_FILE_LIST_BYTES
SNIPPET_LENGTH = 90  # characters of a folded message
NOTE_SNIPPET_LENGTH = 300  # characters of a folded note, about three lines
# A note above the newest message is open up to this size.
SHORT_NOTE_LENGTH = 240  # characters
SHORT_NOTE_LINES = 3
MAX_ABOVE = 3  # entries above the newest open message
_FILE_LINK_BYTES = 200  # approximate HTML size of a file's link, without the file name


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A message, note or change on the page.

    Attributes:
        omitted_before: The number of entries omitted directly before this one, which are below it on the page.
        text, files: The parts of the message that are shown.
        shows_subject: The subject is not that of the ticket, apart from the prefix of a reply.
        is_new: The message arrived after the user last opened the ticket.
        earlier: Changes before this one, which are folded with it.
        rest: Entries of all kinds directly before this one, which are folded.
    """

    event: TicketEvent
    detail: dict[str, Any]
    omitted_before: int
    position: str
    message: MessageExcerpt | None = None
    text: str = ""
    is_truncated: bool = False
    files: tuple[Attachment, ...] = ()
    more_files: int = 0
    shows_subject: bool = False
    is_folded: bool = False
    is_new: bool = False
    earlier: tuple[PageEntry, ...] = ()
    rest: tuple[PageEntry, ...] = ()

    @property
    def is_note(self) -> bool:
        """Whether the entry is a note that was not removed."""
        return self.event.type == "ticket.note_added" and "text" in self.detail

    @property
    def is_inbound(self) -> bool:
        """Whether the entry is a message that was received."""
        return self.message is not None and self.message.message.direction == "inbound"

    @property
    def is_change(self) -> bool:
        return self.message is None and not self.is_note

    @property
    def snippet(self) -> str:
        """The first words of the message or note in one line, else the names of its first files."""
        source = str(self.detail["text"]) if self.is_note else self.text
        length = NOTE_SNIPPET_LENGTH if self.is_note else SNIPPET_LENGTH
        text = " ".join(source[: 4 * length].split())
        return (text or ", ".join(file.filename for file in self.files[:3]))[:length]


def build_entries(timeline: Timeline, read: ReadMark, requested: Collection[str] = ()) -> list[PageEntry]:
    """Returns the entries, newest first.

    Args:
        read: What the user has read of the ticket.
        requested: The ids of messages that are open, too, and of notes that are whole.
    """
    return _fold_above(_fold_changes(_mark_new(_fold(_limit_sizes(timeline, requested), requested), read)))


def _mark_new(entries: Sequence[PageEntry], read: ReadMark) -> list[PageEntry]:
    """Marks the unread messages, unless all of them are unread."""
    unread = {
        entry.event.id for entry in entries if entry.is_inbound and read.is_unread(entry.event.sequence, entry.event.at)
    }
    is_partly_read = any(entry.is_inbound and entry.event.id not in unread for entry in entries)
    return [replace(entry, is_new=is_partly_read and entry.event.id in unread) for entry in entries]


def _limit_sizes(timeline: Timeline, requested: Collection[str]) -> list[PageEntry]:
    """Returns the entries, newest first. Newer messages and notes have priority within the size limits."""
    text_bytes_left, note_bytes_left, file_bytes_left = MAX_TEXT_BYTES, MAX_NOTE_BYTES, MAX_FILE_LIST_BYTES
    entries: list[PageEntry] = []
    for entry in reversed(timeline.entries):
        excerpt = entry.excerpt
        if excerpt is None:
            entries.append(_page_entry(entry))
            if entries[-1].is_note:
                if entry.event.id not in requested:
                    entries[-1] = _truncate_note(entries[-1], max(MIN_TEXT_BYTES, note_bytes_left))
                note_bytes_left -= _note_size(entries[-1].detail["text"])
            continue
        text = excerpt.text if excerpt.is_full else _truncate(excerpt.text, max(MIN_TEXT_BYTES, text_bytes_left))
        text_bytes_left -= 0 if excerpt.is_full else _html_size(text)
        files = _listed_files(excerpt.attachments, file_bytes_left)
        file_bytes_left -= sum(map(_file_link_size, files))
        entries.append(
            replace(
                _page_entry(entry),
                text=text,
                is_truncated=excerpt.is_truncated or len(text) < len(excerpt.text),
                files=files,
                more_files=len(excerpt.attachments) - len(files),
                shows_subject=not _is_reply_subject(excerpt.message.subject, timeline.ticket.subject),
            )
        )
    return entries


def _fold(entries: Sequence[PageEntry], requested: Collection[str]) -> list[PageEntry]:
    """Folds all messages except the first one of the ticket and the newest one, or the newest one of a person.

    If that is a reply of the team, the message before it that was received is open, too. Also folds the long notes
    above the newest message.
    """
    messages = [entry for entry in entries if entry.message is not None]
    by_people = [entry for entry in messages if entry.message and not entry.message.message.automatic] or messages
    received = [entry for entry in by_people if entry.is_inbound]
    opened = [entry.event.id for entry in (*by_people[:1], *received[:1], *messages[-1:])]
    folded, is_above = [], True
    for entry in entries:
        is_above = is_above and entry.event.id not in opened
        is_folded = entry.message is not None and entry.event.id not in {*opened, *requested}
        if entry.is_note and is_above:
            is_folded = not _is_short(str(entry.detail["text"]))
        folded.append(replace(entry, is_folded=is_folded))
    return folded


def _is_short(text: str) -> bool:
    return len(text) <= SHORT_NOTE_LENGTH and text.count("\n") < SHORT_NOTE_LINES


def _fold_changes(entries: Sequence[PageEntry]) -> list[PageEntry]:
    """Folds changes in a row, and all changes above the newest open message, into the newest of them."""
    above = _count_above(entries)
    upper = list(entries[:above])
    if not any(entry.omitted_before for entry in upper):
        others = [entry for entry in upper if not entry.is_change]
        place = next((n for n, entry in enumerate(upper) if entry.is_change), 0)
        upper = [*others[:place], *_fold_run([entry for entry in upper if entry.is_change]), *others[place:]]
    return _fold_runs(upper) + _fold_runs(entries[above:])


def _fold_runs(entries: Sequence[PageEntry]) -> list[PageEntry]:
    folded: list[PageEntry] = []
    run: list[PageEntry] = []
    for entry in entries:
        if not entry.is_change:
            folded += _fold_run(run)
            folded.append(entry)
            run = []
            continue
        run.append(entry)
        if entry.omitted_before:
            folded += _fold_run(run)
            run = []
    return folded + _fold_run(run)


def _fold_run(run: Sequence[PageEntry]) -> list[PageEntry]:
    if len(run) < 2:
        return list(run)
    return [replace(run[0], earlier=tuple(run[1:]), omitted_before=run[-1].omitted_before, position=run[-1].position)]


def _fold_above(entries: Sequence[PageEntry]) -> list[PageEntry]:
    """Folds what is above the newest open message, except the newest entries."""
    above = _count_above(entries)
    if above <= MAX_ABOVE:
        return list(entries)
    last = replace(entries[MAX_ABOVE - 1], rest=tuple(entries[MAX_ABOVE:above]))
    return [*entries[: MAX_ABOVE - 1], last, *entries[above:]]


def _count_above(entries: Sequence[PageEntry]) -> int:
    """Returns the number of entries above the newest open message."""
    return next((n for n, entry in enumerate(entries) if entry.message is not None and not entry.is_folded), 0)


def _is_reply_subject(subject: str, ticket_subject: str) -> bool:
    if subject == ticket_subject:
        return True
    is_reply = ticket_subject != "" and subject.endswith(ticket_subject)
    return is_reply and classify_subject(subject, "") == "reply"


def _page_entry(entry: TimelineEntry) -> PageEntry:
    return PageEntry(entry.event, json.loads(entry.event.detail), entry.omitted_before, entry.position, entry.excerpt)


def _truncate_note(note: PageEntry, size: int) -> PageEntry:
    whole: str = note.detail["text"]
    text = whole[:size]
    weight = _note_size(text)
    text = text if weight <= size else text[: len(text) * size // weight]
    return replace(note, detail=note.detail | {"text": text}, is_truncated=len(text) < len(whole))


def _truncate(text: str, size: int) -> str:
    """Truncates the text so that it takes at most about `size` bytes of HTML."""
    cut = text.encode()[:size].decode(errors="ignore")
    weight = _html_size(cut)
    return cut if weight <= size else cut[: len(cut) * size // weight]


def _listed_files(files: Sequence[Attachment], size: int) -> tuple[Attachment, ...]:
    totals = list(accumulate(map(_file_link_size, files)))
    return tuple(file for n, file in enumerate(files) if n < MIN_FILES or totals[n] <= size)


def _file_link_size(file: Attachment) -> int:
    return _FILE_LINK_BYTES + _html_size(file.filename)


def _note_size(text: str) -> int:
    return len(note_html(text).encode())


def _html_size(text: str) -> int:
    return len(escape(text).encode())
