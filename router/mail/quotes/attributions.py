"""Finds attributions: lines above a quote that say who wrote the quoted text and when.

Addresses, dates and verbs of writing in many languages are the evidence. A line above quote marks needs less evidence.
Mail programs fold attributions, so several lines are joined.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from router.mail.quotes.lines import COLONS, Lines, is_dashed, is_rule, letters_only
from router.unicode_text import normalize

MAX_LENGTH = 400  # characters; bounds the text that patterns are matched against
_MAX_FOLDED_LINES = 5
_MAX_VERB_LENGTH = 40  # characters at the end of a line that are searched for a verb
_MAX_ENDING_LENGTH = 2  # letters of a gender ending: `(a)`, `/la`
_MAX_OPENING_WORDS = 3
_MAX_WEEKDAY_LENGTH = 4  # letters of an abbreviated day of the week
_MAX_LEAD_LENGTH = 40  # characters before the first digit of a line that starts with a date

_VERBS_BY_LANGUAGE = {
    "en": "wrote writes",
    "de, nl, af, fy": "schrieb schreibt geschrieben schreef schrijft geschreven geskryf skryf skreau",
    "fr": "écrit écrivait écrivit",
    "es, pt, ca, gl": "escribió escribio escribe escrito escreveu escreve escrit escriure missatge escribiu",
    "it, ro, rm": "scritto scrive scrisse scris scrit",
    "da, no, sv, is": "skrev skreiv skriver skrifaði",
    "fi, et, lv, lt": "kirjoitti kirjoittaa kirjutas rakstīja rašė parašė",
    "pl": "napisał napisała napisana pisze pisał pisała nadesłał nadesłała",
    "cs, sk": "napsal napsala píše napísal napísala",
    "sl, hr, sr": "napisal napisala napisao piše написао написала",
    "sq, hu, eu, tr": "shkroi shkruar írta írja írt idatzi yazdı yazdi yazmış yazıyor",
    "el": "έγραψε έγραψες γράφει",
    "ru, uk, be, bg, mk": "пишет написал написала писал писала пише написав писав напісаў піша написа напиша",
    "he, ar, fa": "כתב כתבה כותב كتب كتبت كتابة نوشت نوشته",
    # Horde writes `Quoting Ana <ana@example.org>:`.
    "quoting": "quoting zitat zitiere citeren citerar citat citando citazione cytowanie cituji citování citácia idézés "
    "lainaus alıntı παράθεση цитат цитирование цитирую цитата siterer",
    "vi, id, tl": "viết menulis sumulat isinulat sinulat",
    "hy, ka, cy, ga, gd, br": "գրել დაწერა ysgrifennodd scríobh sgrìobh skrivas",
    "eo, sw, zu, kab, lij": "skribis aliandika wabhala yura scrito",
    "kk, uz, az": "жазды yozdi yazıb",
}
_VERBS = frozenset(" ".join(_VERBS_BY_LANGUAGE.values()).split())
# These verbs are common in other sentences and only count together with an address.
_WEAK_VERBS = frozenset(
    {"said", "says", "sent", "replied", "sagte", "dijo", "disse", "detto", "zei", "sade", "говорит", "сказал"}
)
# Verbs that splitting into words would miss.
_JOINED_VERBS = re.compile(
    "写道|寫道|写到|寫到|写于|寫於|撰写|来信|のメール|書きました|は書いた|님이 작성|님이 쓴|작성:|작성한|쓴 글|"
    "썼습니다|[Вв]ы писали|schrieben Sie|लिखा|लिखते हैं|লিখেছেন|เขียนว่า|เขียน|បានសរសេរ|ရေးသား"
)
_WORD = re.compile(r"[^\W\d_]+")
# Attributions are neither in the first person nor requests.
_FIRST_PERSON = re.compile(
    r"\bI [a-z]|\b(?:ich|j'ai|j’ai|ik|jag|jeg|yo|я|we|wir|nous|мы)\b|\A(?:We|Wir|Ich|Nous|Мы|Я|Please|Bitte|Kindly)\b"
)
# Excludes abbreviated weekdays before a number: `ons 5 maj`, `su 5.5.2026`, `Em qui., 5`.
_NOT_BEFORE_DATE = r"(?!\.?,?\s\d)"
# Words as in `Your colleague wrote`. Mail programs write the author's name.
_SENDER_WORDS = re.compile(
    r"\b(?:your|our|me|us|he|she|they|Ihr|Ihre|Ihnen|mir|uns|dir|euch|er|sie|habe|votre|vos|nous|vous|ai|elle|tu|su|"
    r"(?<!pisao )(?<!pisala )je(?![^:]{0,120}pisa)|"  # French and Dutch pronoun, not Croatian `je napisao` (`wrote`)
    r"nos|escribí|sua|seu|eu|lhe|lhes|io|vi|mi|ci|ho|vostro|vostra|uw|jullie|hij|zij|han|hun|hon|"
    r"mnie|bana|bize|mij|ons|mig|oss|nekem|nekünk|saya|aku|ben|tôi|ja|jsem|minä|εγώ|мне|нам|"
    r"[Вв]аш\w{0,4}|[Vv]áš|[Vv]aš[aei]?|[Pp]aństwa|teidän|Teidän|önök|Önök|σας|dumneavoastră|bạn|שלכם|לי|אני|أنا|لي)\b"
    rf"{_NOT_BEFORE_DATE}|我|私|저희|제가|贵公司|貴社|御社|你们|您|귀사|저에게|\A\["
)
# Words as in `You wrote`, which The Bat! writes above quoted lines.
_READER_WORDS = re.compile(r"\b(?:you|Sie|du|ni|dere|вы|Вы|usted|você|Lei|Pan|Pani)\b")
# Phrases such as `The driver wrote`. Mail programs write no article.
_THING_PHRASES = re.compile(
    r"\b[Tt]he [a-z]|schrieb (?:der|die|das|ein|eine) |"
    r"\b(?:le|la|les|un|une|el|los|una|il|lo|de|het|een) [a-z]\w{0,30} (?:a écrit|ha scritto|escribió|schreef)|"
    r"(?:schreef (?:de|het|een)|skrev (?:en|et|ett)) "
)
# Phrases of ordinary sentences: `As Ana <...> wrote`, `see what he wrote`, `it stood on the page`.
_SENTENCE_PHRASES = re.compile(
    r"\A(?:as|when|since|who|what|how|see|according|this|wie|als|wenn|was|wer|laut|siehe|dies|hier|zoals|wat|zie|comme|"
    r"quand|selon|voir|voici|como|cuando|según|ver|conforme|quando|come|secondo|vedi|ecco|som|sådan|kuten|jak|kiedy|"
    r"według|podle|viz|kao|kako|ahogy|amint|gibi|όπως|как|когда|согласно|смотрите|як|коли|както)\b|"
    r"\b(?:that|which|dass|welche[rs]?|que|quello|który|którą|która|které|které|что|який|stood|stand|stond|"
    r"stod|était|estaba|estava|c'era|era|było|bylo|было|volt|se píše)\b|"
    rf"\bqui\b{_NOT_BEFORE_DATE}|"
    r"\A(?-i:The|Der|Die|Das|Eine?) [^\W\d]",
    re.IGNORECASE,
)
# A word such as `by` before the final colon; the address between them is removed.
_BY = re.compile(r"[^\W\d]\s*[:\uff1a]\Z")
_YEAR = r"(?:14|19|20|25)\d\d"  # also years of the Persian, Islamic and Buddhist calendars
_DATE = re.compile(
    r"(?<!\d)(?:\d{1,4}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,4}(?!\d)|"
    rf"\d{{1,2}}(?!\d)\D{{1,18}}{_YEAR}(?!\d)|{_YEAR}(?!\d)\D{{1,16}}\d{{1,2}}(?!\d|[:.h]\d))"
)
_TIME = re.compile(
    r"(?<![\d.:/])(?<!\d-)[0-2]?\d(?:\s?(?:[:h\uff1a]|[h点點時时시]\s?)[0-5]\d(?!\d)|\.[0-5]\d(?![.\d]))|"
    r"(?<!\d)[0-2]?\d\s?[ap]\.?m\b",
    re.IGNORECASE,
)
# What `router.mail.compose.quote` writes: a date, a time with its zone, and any name.
_OWN_FORM = re.compile(
    r"On (?=\D{0,8}\d)[^:]{6,40}, \d{1,2}:\d\d(?: [AP]M)? (?:[A-Za-z]{1,6}|UTC[+-]\d\d:\d\d), .{1,200} wrote:"
)
_ADDRESS = re.compile(r"""[^\s<>()\[\]"',;:&|]{1,64}@[^\s<>()\[\]"',;:&|]{3,255}""")
_BRACKETS = ("<", "(", "[", "&lt;", "mailto:", "\uff08", "\uff1c")
_SEPARATOR = re.compile(r"(?:\s[-\u2013\u2014]{1,3}|(?<=\S)-{2,3}|[.!?])\s+(?=\S)")
_RUN_ON = re.compile(r":\s{2,8}(?=\S)")
_MAX_SEPARATORS = 8
_MIN_OWN_WORDS = 3  # fewer words before a full stop can be an abbreviated day
# A full stop that does not end a sentence: in `p.m.`, in Russian dates after the letter for `year`, or in `24. aug.`.
_SHORT_END = re.compile(r"(?<!\w)[^\W\d]\.\Z|\d\.?\s(?:de\s)?[^\W\d]{2,5}\.\Z")
_MAX_SHORT_LENGTH = 16
_MIN_WRAPPED_LENGTH = 50  # a shorter line was probably not wrapped
_SENTENCE_ENDS = (".", "!", "?", ":", ";", "\u3002", "\uff01", "\uff1f")


@dataclass(frozen=True, slots=True)
class Attribution:
    """An attribution on the lines `first` to `last`.

    Attributes:
        offset: Where the attribution starts in the line `first`; 0 unless new text precedes it on that line.
    """

    first: int
    last: int
    offset: int
    text: str


def can_end_attribution(text: str, *, marked: bool) -> bool:
    """Whether the line can be the last one of an attribution; a cheap check that excludes most lines."""
    end = text.rstrip("*_ ")
    if end.endswith(COLONS):
        return True
    if end.endswith(","):
        return False  # the sentence continues
    if len(text) > MAX_LENGTH or is_rule(text):
        return False
    return (
        is_dashed(text)
        or (marked and end.endswith((">", ")", "]")))
        or _has_verb(text[-_MAX_VERB_LENGTH:], at_end=True)
    )


def find_attribution(lines: Lines, last: int, *, marked: bool) -> Attribution | None:
    """Returns the attribution that ends at line `last`, or None. `can_end_attribution` must be true for that line.

    Args:
        marked: Whether the next non-empty line is quoted.
    """
    text = ""
    first = last
    for _ in range(_MAX_FOLDED_LINES):
        line = lines.texts[first]
        if first < last and _ends_sentence(line):
            return None
        text = f"{line} {text}".rstrip()
        if len(text) > MAX_LENGTH or (not marked and _SENTENCE_PHRASES.search(line)):
            return None
        if _has_author(text, marked=marked):
            start, text = _find_beginning(lines, first, text)
            return Attribution(start, last, _find_offset(text, marked=marked) if start == last else 0, text)
        first = _line_above(lines, first)
        if first < 0:
            return None
    return None


def run_on_attribution(text: str) -> str:
    """Returns the possible attribution at the start of the line, if other text follows it on the line (Yahoo's app).

    Returns `""` for any other line.
    """
    match = _RUN_ON.search(text[:MAX_LENGTH])
    return text[: match.start() + 1] if match is not None and is_bracketed(text[: match.start()]) else ""


def is_attribution(text: str) -> bool:
    """Whether a line, given without its quote marks, is an attribution of quoted lines below it."""
    return len(text) <= MAX_LENGTH and can_end_attribution(text, marked=True) and _has_author(text, marked=True)


def has_address(text: str) -> bool:
    return "@" in text and _ADDRESS.search(text) is not None


def is_bracketed(text: str) -> bool:
    """Whether an address follows an opening bracket or `mailto:`."""
    return any(text[: found.start()].rstrip().endswith(_BRACKETS) for found in _ADDRESS.finditer(text))


def has_time(text: str) -> bool:
    return _TIME.search(text) is not None


def has_date(text: str) -> bool:
    return _DATE.search(text) is not None


def find_addresses(text: str) -> list[str]:
    """Returns the addresses in a short text, case-folded."""
    return [found.rstrip(".").casefold() for found in _ADDRESS.findall(text)] if "@" in text else []


def _has_author(text: str, *, marked: bool) -> bool:
    if marked and _OWN_FORM.fullmatch(text):
        return True
    verb = _has_verb(text)
    if verb and is_dashed(text):
        return True
    bare = _ADDRESS.sub("", text) if "@" in text else text
    if _FIRST_PERSON.search(bare):
        return False
    return _can_introduce_quotes(text, verb=verb) if marked else _can_introduce_text(text, bare, verb=verb)


def _can_introduce_quotes(text: str, *, verb: bool) -> bool:
    if not has_address(text):
        return verb and has_date(text) and not _SENDER_WORDS.search(text)
    if verb or not _WEAK_VERBS.isdisjoint(_split_words(text)):
        return True
    time, date = has_time(text), has_date(text)
    return (is_bracketed(text) and (time or date)) or (time and date and _ends_with_address(text))


def _can_introduce_text(text: str, bare: str, *, verb: bool) -> bool:
    """Whether the text can be an attribution above unmarked lines. `bare` is the text without addresses."""
    time, date = has_time(text), has_date(text)
    if not (time or date) or _SENDER_WORDS.search(bare):
        return False
    if not has_address(text):
        complete = verb and time and date and _has_short_opening(text) and text.rstrip("*_ ").endswith(COLONS)
        return complete and not _READER_WORDS.search(text) and not _THING_PHRASES.search(text)
    if verb:
        return time or _has_short_opening(text.partition("@")[0])  # excludes `Your colleague Ana <...> wrote on 5 May`
    if not (time and date):
        return False
    words = _split_words(bare)
    if words and words[-1] in _WEAK_VERBS:
        return True
    if is_bracketed(text) and _starts_with_date(text):
        has_name = bool(words) or '"' in bare  # a log line has only a time and an address
        return has_name and (_ends_with_address(text) or not _WEAK_VERBS.isdisjoint(words))
    return text[0].isdigit() and _ends_with_address(text) and _BY.search(bare) is not None


def _split_words(text: str) -> list[str]:
    return _WORD.findall(normalize("NFC", text).casefold())


def _has_verb(text: str, *, at_end: bool = False) -> bool:
    """Whether the text has a verb of writing; with `at_end`, as its last word."""
    words = _split_words(text)
    if at_end:
        while words and len(words[-1]) <= _MAX_ENDING_LENGTH:
            words.pop()
        return bool(words) and (words[-1] in _VERBS or words[-1].endswith(("写道", "寫道")))
    return not _VERBS.isdisjoint(words) or _JOINED_VERBS.search(text) is not None


def _ends_with_address(text: str) -> bool:
    words = text.rstrip(">)]:\uff1a ").split(" ")
    return has_address(words[-1].rpartition("<")[2]) and text.endswith(COLONS)


def _has_date_near_start(text: str) -> bool:
    """Whether the text starts like `On Mon, 24 Aug 2026`."""
    lead = text[:_MAX_LEAD_LENGTH].partition("@")[0]
    return any(character.isdigit() for character in lead) and (has_date(text) or has_time(text))


def _has_short_opening(text: str) -> bool:
    """Whether the text opens like an attribution, as in `On Tue, May 5`."""
    lead = text[: next((at for at, character in enumerate(text) if character.isdigit()), len(text))].rstrip()
    return len(lead.split()) <= _MAX_OPENING_WORDS or lead.endswith((",", ".")) or _has_verb(lead)


def _starts_with_date(text: str) -> bool:
    """Whether the date is at the start, unlike in `Appointment of 24.08.2026`."""
    lead = text[: next((at for at, character in enumerate(text) if character.isdigit()), 0)].rstrip()
    return lead.endswith((",", "\u060c", "\u3001")) or len(letters_only(lead)) <= _MAX_WEEKDAY_LENGTH


def _ends_sentence(text: str) -> bool:
    return text.endswith(_SENTENCE_ENDS) and not _SHORT_END.search(text[-_MAX_SHORT_LENGTH:])


def _find_beginning(lines: Lines, first: int, text: str) -> tuple[int, str]:
    """Returns the index of the first line of an attribution and its full text.

    Its date may be on lines above `text`.
    """
    if has_date(text):
        return first, text
    above = first
    full_text = text
    for _ in range(_MAX_FOLDED_LINES):
        above = _line_above(lines, above)
        if above < 0:
            break
        line = lines.texts[above]
        full_text = f"{line} {full_text}"
        if len(full_text) > MAX_LENGTH or _ends_sentence(line):
            break
        if (
            _has_date_near_start(line)
            and has_date(full_text)
            and (has_time(full_text) or len(line) >= _MIN_WRAPPED_LENGTH)
        ):
            return above, full_text
    return first, text


def _line_above(lines: Lines, number: int) -> int:
    """Returns the index of the unquoted line above in the same paragraph, else -1."""
    above = number - 1
    if above > 0 and not lines.texts[above] and lines.texts[number] == "<":
        above -= 1
    return above if above >= 0 and lines.texts[above] and not lines.quoted[above] else -1


def _find_offset(text: str, *, marked: bool) -> int:
    """Returns where the attribution starts in `text`, 0 if no new text precedes it."""
    start = 0
    for separator in islice(_SEPARATOR.finditer(text), _MAX_SEPARATORS):
        new_text, remaining = text[: separator.start()], text[separator.end() :]
        if any(character.isdigit() for character in new_text):
            break
        if "." in separator[0] and len(new_text.split()) < _MIN_OWN_WORDS:
            continue
        if letters_only(new_text) and _has_date_near_start(remaining) and _has_author(remaining, marked=marked):
            start = separator.end()
    return start
