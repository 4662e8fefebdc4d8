"""Finds the start of the signature at the end of a text: the line `-- ` (RFC 3676 section 4.3) or a device footer.

A `--` without a trailing space can also be a drawn rule. The lines below it must then look like the sender's signature.
"""

from __future__ import annotations

import re
from itertools import takewhile

from router.mail.quotes.footers import MAX_FOOTER_LENGTH, is_footer
from router.mail.quotes.lines import COLONS, Lines, is_form_field, is_rule, letters_only

MAX_SIGNATURE_LINES = 16  # lines above the confidentiality notice
_MAX_LINES = 60  # lines including the confidentiality notice
_MAX_LINE_LENGTH = 100  # characters; a longer line counts as a sentence
_MAX_FOOTERS = 30
_MAX_PLAIN_LINE_LENGTH = 60  # characters in a line below `--`, which can also be a drawn rule
_MAX_NAME_WORDS = 4
_MAX_SENDER_LENGTH = 200
_MIN_PART_LENGTH = 3  # letters of a word that matches as part of a longer word (`karlkunde@...`)
_DELIMITER = "-- "
_LOOSE_DELIMITERS = frozenset({"--", "__", "\u2014"})
_NOTICE = re.compile(
    r"confiden|vertraulich|riservat|vertrouwelijk|fortrolig|konfiden|luottamuksel|poufn|důvěrn|dôvern|bizalmas|gizli|"
    r"конфиденц|конфіденц|εμπιστευτικ|privileged|intended recipient|機密|机密|保密|기밀|סודי|سري",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f][)\"']?\Z")
_SENTENCE_OR_LABEL_ENDS = (*COLONS, ".", "!", "?", ",", "\u3002", "\uff01", "\uff1f")
_MIN_SENTENCE_WORDS = 6
_MIN_SHORT_SENTENCE_WORDS = 3  # words of a further sentence besides the slogan
_MIN_PLAIN_SENTENCE_WORDS = 4  # words of a sentence below a possible drawn rule
_NOT_SLOGAN = re.compile(r"[:?\uff1a\uff1f]")
_CODE_ENDS = (";", "{", "}", "(", "=", "\\")
_QUESTION_MARKS = ("?", "\uff1f", "\u061f")
_NUMBERED = re.compile(r"\d{1,2}[.)]\s+[^\W\d]")
_WORD = re.compile(r"[^\W\d_]+")
_CONTACT = re.compile(
    r"(?:[^\W\d]{1,20}[.:]{0,2}\s{0,8})?(?:<?[^\s@]{1,64}@[^\s@]{3,100}|(?:https?://|www\.)\S{3,200}|"
    r"\+?[\d(][\d\s()/.-]{5,30})\Z"
)
_CLOSING = re.compile(
    r"\b(?:regards|cheers|sincerely|best wishes|grüße|grüßen|gruß|grüsse|grüssen|gruss|cordialement|salutations|"
    r"bien à vous|saludos|atentamente|atenciosamente|abraços|cumprimentos|saluti|groet|groeten|hilsen|"
    r"hälsningar|vh|mvh|terveisin|pozdrawiam|poważaniem|pozdravem|pozdravom|pozdrav|"
    r"üdvözlettel|saygılarımla|уважением|повагою|уважение|χαιρετισμούς)\b|"
    r"よろしく|此致|祝好|감사합니다|בברכה|تحيات",
    re.IGNORECASE,
)
_LIST_FOOTER = re.compile(r"mailing list|unsubscribe|listinfo|abmelden|se désabonner", re.IGNORECASE)


def find_signature(lines: Lines, start: int, end: int, *, sender: str = "", with_list_footer: bool = False) -> int:
    """Returns the index of the first line of the signature at the end of lines[start:end], or `end` if there is none.

    Args:
        sender: Name and address of the sender, `""` if unknown.
        with_list_footer: Whether a mailing list's footer below a drawn rule counts as a signature.
    """
    signature_start = _find_footers(lines, start, end)
    delimiter = _find_delimiter(lines, start, signature_start, sender=sender, with_list_footer=with_list_footer)
    return signature_start if delimiter < 0 else _find_footers(lines, start, delimiter)


def _find_footers(lines: Lines, start: int, end: int) -> int:
    """Returns the index of the first device footer at the end of lines[start:end], or `end` if there is none.

    A rule directly above the footers belongs to them.
    """
    signature_start = end
    for _ in range(_MAX_FOOTERS):
        last = _last_nonempty_line(lines, start, signature_start)
        if last < start:
            return signature_start
        text = lines.texts[last]
        if is_footer(text):
            if last > start and _continues_sentence(lines.texts[last - 1], text):
                return signature_start
            signature_start = last
        elif (
            last > start
            and len(text) + len(lines.texts[last - 1]) < MAX_FOOTER_LENGTH
            and _is_folded_footer(lines, last)
        ):
            signature_start = last - 1
        else:
            return last if signature_start < end and is_rule(text) else signature_start
    return signature_start


def _continues_sentence(above: str, text: str) -> bool:
    """Whether `text` continues a sentence of the line above: `My mails bounce if they are`, `sent from my iPhone`."""
    return text.partition(" ")[0].islower() and above != "" and not above.endswith(_SENTENCE_OR_LABEL_ENDS)


def _is_folded_footer(lines: Lines, last: int) -> bool:
    """Whether lines `last - 1` and `last` are one footer. A quoted line belongs to no footer."""
    above, text = lines.texts[last - 1 : last + 1]
    return above != "" and not text.startswith(">") and is_footer(f"{above} {text}")


def _last_nonempty_line(lines: Lines, start: int, end: int) -> int:
    """Returns the index of the last non-empty line, a number below `start` if there is none."""
    last = end - 1
    while last >= start and not lines.texts[last]:
        last -= 1
    return last


def _find_delimiter(lines: Lines, start: int, end: int, *, sender: str, with_list_footer: bool) -> int:
    """Returns the index of the delimiter line of a signature, -1 if there is none."""
    below: list[str] = []
    for number in range(end - 1, start - 1, -1):
        text = lines.texts[number]
        if not text:
            continue
        if lines.raw[number].rstrip("\r").replace("\u00a0", " ") == _DELIMITER:
            return number if _is_signature(below) and not _is_content_below(lines, number, start) else -1
        if text in _LOOSE_DELIMITERS:
            is_repeated = text in lines.texts[start:number]
            is_content = is_repeated or _is_content_below(lines, number, start)
            return number if _is_plain_signature(below) and _has_sender_word(below, sender) and not is_content else -1
        if with_list_footer and is_rule(text) and any(_LIST_FOOTER.search(line[:200]) for line in below):
            return number if _is_signature(below) else -1
        if len(below) == _MAX_LINES:
            return -1
        below.append(text)
    return -1


def _is_content_below(lines: Lines, number: int, start: int) -> bool:
    """Whether the line above the delimiter shows that content follows, not a signature.

    Such a line ends with a colon (`My new address:`), or starts with `--` as in a code comment.
    """
    last = _last_nonempty_line(lines, start, number)
    if last < start:
        return False
    return lines.texts[last].endswith(COLONS) or (last == number - 1 and lines.texts[last].startswith("--"))


def _is_signature(below: list[str]) -> bool:
    """Whether `below`, the lines in reverse order, can be a signature.

    Above the confidentiality notice, a signature may contain one sentence: a slogan.
    """
    above_notice = list(takewhile(lambda line: not _NOTICE.search(line[:2000]), reversed(below)))
    if len(above_notice) > MAX_SIGNATURE_LINES or any(_is_not_signature(line) for line in above_notice):
        return False
    if len(above_notice) > 1 and all(is_form_field(line) for line in above_notice):
        return False
    sentences = [line for line in above_notice if _is_sentence(line)]
    if not sentences:
        return True
    slogan = sentences[0]
    short = [line for line in above_notice if _is_sentence(line, _MIN_SHORT_SENTENCE_WORDS)]
    return (
        len(short) == 1 and slogan != below[-1] and len(slogan) <= _MAX_LINE_LENGTH and not _NOT_SLOGAN.search(slogan)
    )


def _is_not_signature(line: str) -> bool:
    """Whether the line is code, a quote, a question, a list item or a form label."""
    return (
        line.endswith((*_CODE_ENDS, *COLONS, *_QUESTION_MARKS))
        or line.startswith(("--", ">", "- ", "* "))
        or _NUMBERED.match(line) is not None
    )


def _is_sentence(line: str, words: int = _MIN_SENTENCE_WORDS) -> bool:
    return len(line) > _MAX_LINE_LENGTH or (_SENTENCE_END.search(line[-4:]) is not None and len(line.split()) >= words)


def _is_plain_signature(below: list[str]) -> bool:
    """Whether the lines below a possible rule are a signature.

    Such a signature is a name alone, or several lines with contact details or a closing phrase.
    """
    if (
        not below
        or len(below) > MAX_SIGNATURE_LINES
        or any(len(line) > _MAX_PLAIN_LINE_LENGTH and not _LIST_FOOTER.search(line) for line in below)
    ):
        return False
    if len(below) == 1:
        return _is_name(below[0])
    if any(_is_not_signature(line) or _is_sentence(line, _MIN_PLAIN_SENTENCE_WORDS) for line in below):
        return False
    if _CONTACT.match(below[-1]):
        return False
    return _CLOSING.search(below[-1]) is not None or any(_CONTACT.match(line) for line in below)


def _has_sender_word(below: list[str], sender: str) -> bool:
    """Whether the lines contain a part of the sender's name or address.

    Also true for a mailing list's footer, an unknown sender, and lines without ASCII words if the name is ASCII.
    """
    names = [
        word
        for word in map(letters_only, _WORD.findall(sender.rpartition(".")[0][:_MAX_SENDER_LENGTH]))
        if len(word) > 1
    ]
    if not names or any(_LIST_FOOTER.search(line) for line in below):
        return True
    words = {letters_only(word) for line in below for word in _WORD.findall(line)}
    if not any(map(str.isascii, words)) and all(map(str.isascii, names)):
        return True
    return any(
        word == name
        or (len(word) >= _MIN_PART_LENGTH and name.startswith(word))
        or (len(name) >= _MIN_PART_LENGTH and name in word)
        for word in words
        for name in names
        if word
    )


def _is_name(line: str) -> bool:
    words = line.split()
    return len(words) <= _MAX_NAME_WORDS and all(
        word[0].isupper() and not any(map(str.isdigit, word)) for word in words
    )
