"""What is new in a mail's text, and what is history or signature (RFC 3676 section 4.3, and custom).

`split` cuts a text in two: the new part first, and the rest, which is kept and never thrown away. It cuts at the
first line that begins a quoted history (`On ... wrote:` in many languages, an `Original Message` rule, a block of
From/Sent/To/Subject lines), at a run of `>` lines that nothing follows, and at a signature (`-- `, "Sent from my
..."). Answers written between quoted lines stay with them. Forwarded mail is what the sender wants to show, so
nothing at or below a forward mark is cut. If nothing would be left, the whole is new.

The words of attribution lines come from mail-parser-reply, which knows 13 languages; its own way of cutting takes
lists for signatures and time that grows with the cube of a line's length, so its patterns only ever see one short
candidate of at most three lines. Linear in the text; called by `router.mail.parse`.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from mailparser_reply.constants import MAIL_LANGUAGES

MAX_TEXT = 262144  # characters that are looked at; what lies behind them stays with the part it is in
_MAX_LINES = 20_000
_MAX_ATTRIBUTION = 300  # characters of a candidate: the patterns' time grows faster than its length
_MAX_CANDIDATES = 60
_COLONS = (":", "\uff1a")

_WROTE = tuple(
    re.compile(pattern, re.IGNORECASE) for words in MAIL_LANGUAGES.values() if (pattern := words.get("wrote_header"))
)
# Languages and shapes that they lack, each anchored on a word for writing before the final colon.
_WROTE_MORE = re.compile(
    r"(?:.{0,200}\d{1,4}.{0,200}\s|.{0,200}<[^<>]{1,200}>.{0,40}\s?)"
    r"(?:wrote|writes|schrieb|schreef|escreveu|escribi.|a .crit|ha scritto|kirjoitti|skrev|napsal\S*|napisa\S*|"
    r"пише\S*|писа\S*|написа\S*|yazd.|yazm.*|.rta|a scris|έγραψε|写道|님이 작성)\s?[^:\uff1a]{0,200}[:\uff1a]\Z",
    re.IGNORECASE,
)
_RULE = re.compile(
    r"[-_*=\s]{2,40}(?:original message|original appointment|urspr.ngliche nachricht|originalnachricht|"
    r"message d'origine|message original|mensaje original|mensagem original|messaggio originale|"
    r"oorspronkelijk bericht|oprindelig meddelelse|ursprungligt meddelande|opprinnelig melding|"
    r"alkuper.inen viesti|wiadomo.. oryginalna|p.vodn. zpr.va|исходное сообщение|原始邮件|原始郵件)"
    r"[-_*=\s]{0,40}\Z",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"\s*(?:[-_*=>\s]{2,40}\s*(?:forwarded message|forwarded by .{1,100}|weitergeleitete nachricht|message transf.r.|"
    r"mensaje reenviado|mensagem encaminhada|messaggio inoltrato|"
    r"doorgestuurd bericht|videresendt (?:meddelelse|melding)|"
    r"vidarebefordrat meddelande|p.eposlan. zpr.va|wiadomo.. przekazana|пересылаемое сообщение|转发的?邮件|転送)"
    r".{0,100}|begin forwarded message:|"
    r"anfang der weitergeleiteten (?:nachricht|e-mail):|d.but du message transf.r. ?:|"
    r"inicio del mensaje reenviado:|inizio messaggio inoltrato:|begin doorgestuurd bericht:)\s*\Z",
    re.IGNORECASE,
)
_FORWARD_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc|i|doorst|vl|vb|pd|转发)\s*:", re.IGNORECASE)
_FIELD_LINE = re.compile(
    r"[>\s*]{0,10}(from|sent|to|subject|date|cc|von|gesendet|an|betreff|datum|de|envoy.|.|objet|date|enviado|para|"
    r"asunto|fecha|assunto|data|da|inviato|a|oggetto|van|verzonden|aan|onderwerp|fra|sendt|til|emne|från|skickat|"
    r"till|.mne|l.hett.j.|l.hetetty|vastaanottaja|aihe|od|wys.ano|do|temat|od|odesl.no|komu|p.edm.t|от|отправлено|"
    r"кому|тема|发件人|发送时间|收件人|主题|差出人|送信日時|宛先|件名|"
    r"보낸 사람|보낸 날짜|받는 사람|제목)\s?\*?\s?[:\uff1a]",
    re.IGNORECASE,
)
_FIRST_FIELD = re.compile(
    r"[\s*]{0,10}(?:from|von|de|da|van|fra|från|l.hett.j.|od|от|发件人|差出人|보낸 사람)\s?\*?\s?[:\uff1a]\*?\s*\S",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"(?:--|-- |__|—)\Z")
_SENT_FROM = re.compile(
    r"(?:sent from (?:my|outlook|mail for|yahoo|samsung|proton)|get outlook for|gesendet von|"
    r"von meinem .{1,40} gesendet|"
    r"von .{1,20} gesendet|envoy. (?:de|depuis) mo[ni]|envoy. (?:de|depuis)|enviado (?:desde|do|a partir)|inviato da|"
    r"verzonden (?:vanaf|met)|sendt fra|skickat fr.n|l.hetetty|wys.ano z|odesl.no z|"
    r"отправлено .{1,3}|从我的.{1,20}发送|"
    r"发自我的|iphoneから送信).{0,80}\Z",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_BREAK = re.compile(r"[-_]{20,}\Z")


def split(text: str, subject: str = "") -> tuple[str, str]:
    """(new, quoted). The parts are stripped of empty lines around them; together they hold every other line.

    subject: of the mail, decoded: `Fwd:` and its like say that what looks like history is what was forwarded.
    """
    if len(text) > MAX_TEXT:
        new, quoted = split(text[:MAX_TEXT], subject)
        rest = text[MAX_TEXT:]
        return (new, quoted + rest) if quoted else (new + rest, "")
    lines = text.split("\n")
    cut = _cut(lines, _FORWARD_SUBJECT.match(subject) is not None)
    new = "\n".join(lines[:cut]).strip("\n")
    quoted = "\n".join(lines[cut:]).strip("\n")
    if not new.strip():
        return text.strip("\n"), ""
    return new.rstrip(), quoted.rstrip()


def _cut(lines: list[str], forwarded: bool) -> int:
    """The index of the first line that is not new."""
    history = -1 if forwarded else _history(lines[:_MAX_LINES])
    return len(lines) if history < 0 else _signature(lines, history)


def _history(lines: list[str]) -> int:
    """Where the quoted history begins; the number of lines if there is none, -1 if the rest is a forwarded mail."""
    quoted = [number for number, line in enumerate(lines) if line.lstrip()[:1] == ">"]
    last_plain = _last_plain(lines)
    candidates = 0
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            continue
        if len(stripped) <= 160 and _FORWARD.match(stripped):
            return -1
        if stripped[0] == ">":
            if number > last_plain:
                return number
            continue
        if stripped[-1] in _COLONS and candidates < _MAX_CANDIDATES:
            candidates += 1
            start = _attribution(lines, number)
            if start >= 0:
                # Plain lines below the first quoted one are answers, and would be lost with the quote. Where nothing
                # is marked as quoted, only a line with a date is believed.
                first = bisect_right(quoted, number)
                if (
                    quoted[first] > last_plain
                    if first < len(quoted)
                    else _DIGIT.search(" ".join(lines[start : number + 1]))
                ):
                    return start
        if len(stripped) <= 100 and _RULE.match(stripped):
            return number
        if _FIRST_FIELD.match(stripped[:100]) and _field_block(lines, number):
            return number - 1 if number and _BREAK.match(lines[number - 1].strip()) else number
    return len(lines)


def _last_plain(lines: list[str]) -> int:
    """The last line that is neither empty nor quoted nor of a signature or list footer at the end."""
    end = len(lines)
    for number in range(end - 1, max(-1, end - 30), -1):
        stripped = lines[number].strip()
        if _SIGNATURE.match(stripped) or _BREAK.match(stripped) or _SENT_FROM.match(stripped[:160]):
            end = number
    for number in range(end - 1, -1, -1):
        stripped = lines[number].strip()
        if stripped and stripped[0] != ">":
            return number
    return -1


def _attribution(lines: list[str], last: int) -> int:
    """The first line of an attribution that ends at `last`: they are folded over up to three lines. -1 if none."""
    text = ""
    for first in range(last, max(-1, last - 3), -1):
        line = lines[first].strip()
        if not line or line[0] == ">":
            break
        text = f"{line} {text}".strip()
        if len(text) > _MAX_ATTRIBUTION:
            break
        if any(pattern.match(text) for pattern in _WROTE) or _WROTE_MORE.match(text):
            return first
    return -1


def _field_block(lines: list[str], start: int) -> bool:
    """Whether three of the next six lines are fields of a quoted header (`From: ... Sent: ... Subject: ...`)."""
    return sum(1 for line in lines[start : start + 6] if _FIELD_LINE.match(line[:100])) >= 3


def _signature(lines: list[str], end: int) -> int:
    """Where the signature above `end` begins, `end` if there is none (RFC 3676 section 4.3: the line is `-- `)."""
    for number in range(end - 1, max(-1, end - 30), -1):
        stripped = lines[number].strip()
        if _SIGNATURE.match(stripped) or (end - number <= 6 and _SENT_FROM.match(stripped[:160])):
            return number
    return end
