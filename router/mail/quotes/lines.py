"""Classifies the lines of a text as quoted lines, rules, headings or form fields, in linear time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from router.unicode_text import normalize

COLONS = (":", "\uff1a", "\u1366")
MAX_HEADING_LENGTH = 120
_MAX_CLOSING_LENGTH = 40  # characters in the last line of a folded attribution (`> wrote:`)
_QUOTE_MARKS = (">", "\uff1e")
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2500\u2501"
_RULE_CHARACTERS = frozenset(_DASHES + "_=*~ ")
_LONG_DASHES = frozenset("\u2014\u2015\u2013")
# Removes direction marks and zero-width characters, and replaces special spaces.
_CHARACTER_MAP = dict.fromkeys([0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
_CHARACTER_MAP |= dict.fromkeys([0x09, 0xA0, 0x2007, 0x2009, 0x202F, 0x3000], " ")
# Maps Arabic, Persian, Hindi, Bengali, Thai and full-width digits to ASCII digits.
_CHARACTER_MAP |= {
    zero + digit: str(digit) for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10) for digit in range(10)
}
# Excludes usual labels of signatures, such as `Tel:`.
_FORM_FIELD = re.compile(
    r"(?!tel|phone|mob|fax|e-?mail|mail|web|internet|skype|handy|cell|office|direct|http)"
    r"[^\W\d_][\w-]{1,30}(?: [\w-]{1,30})?:\s?\S",
    re.IGNORECASE,
)


def letters_only(text: str) -> str:
    """Returns the letters of a short text, decomposed and case-folded for comparison."""
    decomposed = normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if character.isalpha())


def _phrase_set(text: str) -> frozenset[str]:
    return frozenset(letters_only(phrase) for phrase in text.split("/") if phrase.strip())


_ORIGINAL = _phrase_set(
    "Original Message/Original Mail/Original Email/Original Appointment/Originalnachricht/"
    "Original Nachricht/Ursprüngliche Nachricht/Ursprüngliche Mitteilung/Ursprüngliche E-Mail/Originalmail/"
    "Ursprünglicher Termin/Oorspronkelijk bericht/Origineel bericht/Oorspronklike boodskap/Oarspronklik berjocht/"
    "Message d'origine/Message original/Message initial/Mail original/Courriel original/E-mail d'origine/"
    "Mensaje original/Mensaje original enviado/Mensagem original/Mensaxe orixinal/Missatge original/"
    "Messaggio originale/Messaggio Orig/Mesaj original/Mesajul original/Mesaj iniţial/Messadi original/"
    "Oprindelig meddelelse/Oprindelig besked/Original besked/Opprinnelig melding/Original melding/Opphavleg melding/"
    "Ursprungligt meddelande/Originalmeddelande/Ursprungligt mejl/Upprunaleg skilaboð/Upprunalegur póstur/"
    "Alkuperäinen viesti/Alkuperäinen viesti Orig Msg/Algne kiri/Algsõnum/Sākotnējais ziņojums/Oriģinālais ziņojums/"
    "Originalus laiškas/Pradinis laiškas/Pradinis pranešimas/Oryginalna wiadomość/Wiadomość oryginalna/"
    "Treść oryginalnej wiadomości/Wiadomość pierwotna/Původní zpráva/Původní e-mail/Originální zpráva/"
    "Pôvodná správa/Pôvodný e-mail/Originálna správa/Pôvodná správa Original Message/Izvirno sporočilo/"
    "Originalno sporočilo/Izvorna poruka/Originalna poruka/Originalna powěsć/Eredeti üzenet/Eredeti levél/"
    "Mesazhi Origjinal/Jatorrizko mezua/Neges Wreiddiol/Özgün İleti/Orijinal Mesaj/Orjinal Mesaj/Orijinal İleti/"
    "Asıl İleti/Kemennadenn orinel/Teachtaireacht Bhunaidh/Исходное сообщение/Исходное письмо/"
    "Оригинальное сообщение/Пересланное исходное сообщение/Первоначальное сообщение/Початкове повідомлення/"
    "Вихідне повідомлення/Оригінальне повідомлення/Оригінал повідомлення/Зыходны ліст/Оригинално писмо/"
    "Оригинално съобщение/Първоначално съобщение/Оригинална порука/Изворна порука/Оригинална порака/Αρχικό μήνυμα/"
    "Πρωτότυπο μήνυμα/Αρχικό μήνυμα ηλεκτρονικού ταχυδρομείου/הודעה מקורית/ההודעה המקורית/الرسالة الأصلية/"
    "الرسالة الأصليَّة/رسالة أصلية/رسالة البريد الأصلية/پیام اصلی/मूल संदेश/मूल मेल/मूल ईमेल/ข้อความต้นฉบับ/ข้อความเดิม/"
    "จดหมายต้นฉบับ/Thư gốc/Tin nhắn gốc/Tin nhắn ban đầu/Pesan Asli/Pesan asal/Mesej Asal/Orihinal na mensahe/"
    "元のメッセージ/オリジナルメッセージ/元のメール/原始邮件/邮件原件/原始消息/原邮件/回复的原邮件/回复的邮件/"
    "原始郵件/原始訊息/原來的郵件/回覆的原郵件/原本郵件/원본 메시지/원본 메일/원본메일/원본 이메일/원본 내용"
)
_FORWARDED = _phrase_set(
    "Forwarded message/Forwarded mail/Forwarded email/Forwarded/Forward message/Fwd Msg/Weitergeleitete Nachricht/"
    "Weitergeleitete E-Mail/Weitergeleitet/Message transféré/Message transmis/Message réexpédié/Courriel transféré/"
    "Mensaje reenviado/Mensaje remitido/Mensagem encaminhada/Mensagem reencaminhada/Missatge reenviat/"
    "Mensaxe reenviada/Messaggio inoltrato/Mail inoltrata/Mesaj redirecționat/Mesaj redirecţionat/"
    "Doorgestuurd bericht/Aangestuurde boodskap/Videresendt meddelelse/Videresendt besked/Videresendt melding/"
    "Vidaresend melding/Vidarebefordrat meddelande/Vidarebefordrat mejl/Áframsendur póstur/Edelleenlähetetty viesti/"
    "Välitetty viesti/Välitetty viesti Fwd Msg/Edastatud kiri/Edastatud sõnum/Pārsūtīts ziņojums/Persiųstas laiškas/"
    "Wiadomość przekazana/Przekazana wiadomość/Treść przekazanej wiadomości/Wiadomość przesłana dalej/"
    "Přeposlaná zpráva/Předávaná zpráva/Preposlaná správa/Preposlaná správa Forwarded Message/Posredovano sporočilo/"
    "Proslijeđena poruka/Prosleđena poruka/Továbbított üzenet/Továbbított levél/Mesazhi i Përcjellë/İletilmiş Mesaj/"
    "İletilen İleti/İletilmiş İleti/Yönlendirilen ileti/Yönlendirilmiş ileti/Пересылаемое сообщение/"
    "Перенаправленное сообщение/Пересланное сообщение/Переадресованное сообщение/Пересланное письмо/"
    "Переслане повідомлення/Перенаправлене повідомлення/Препратено съобщение/Препратено писмо/Прослеђена порука/"
    "Προωθημένο μήνυμα/הודעה שהועברה/رسالة ممرّرة/رسالة معاد توجيهها/الرسالة المعاد توجيهها/अग्रेषित संदेश/"
    "ข้อความที่ส่งต่อ/Thư đã chuyển tiếp/Tin nhắn được chuyển tiếp/Pesan terusan/Pesan yang diteruskan/転送メッセージ/"
    "転送されたメッセージ/メッセージを転送/転送/转发邮件/转发的邮件/转发邮件信息/转发的消息/轉寄郵件/轉寄的郵件/"
    "轉寄訊息/전달된 메시지/전달 메시지/전달된 메일"
)
# Headings above a forwarded message, without dashes, such as those of Apple Mail.
_FORWARD_STARTS = _phrase_set(
    "Begin forwarded message/Anfang der weitergeleiteten Nachricht/Anfang der weitergeleiteten E-Mail/"
    "Début du message réexpédié/Début du message transféré/Inicio del mensaje reenviado/Inizio messaggio inoltrato/"
    "Início da mensagem reencaminhada/Início da mensagem encaminhada/Begin doorgestuurd bericht/"
    "Start på videresendt besked/Videresendt melding/Vidarebefordrat mejl/Välitetty viesti alkaa/"
    "Początek przekazywanej wiadomości/Začátek přeposílané zprávy/Začiatok preposlanej správy/"
    "Započni proslijeđenu poruku/Továbbított levél kezdete/Începe mesajul redirecționat/İleti başlangıcı/"
    "Начало переадресованного сообщения/Початок листа, що пересилається/Αρχή προωθημένου μηνύματος/转发的邮件/"
    "开始转发的邮件/轉寄訊息/転送されたメッセージ/전달된 메시지"
)
_FORWARDED_BY = tuple(_phrase_set("Forwarded by/Weitergeleitet von/Transféré par/Reenviado por/Inoltrato da/转发自"))
# Help desks ask customers to reply above a line with one of these phrases.
_REPLY_ABOVE = tuple(
    _phrase_set(
        "reply above this line/type your reply above/write above this line/Antwort über dieser Zeile/"
        "réponse au-dessus de cette ligne/respuesta por encima de esta línea/resposta acima desta linha/"
        "antwoord boven deze regel/risposta sopra questa riga/svar over denne linje/svar ovanför denna rad"
    )
)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a text.

    Attributes:
        texts: The lines, mapped by `_CHARACTER_MAP` and stripped.
        quoted: Whether each line is quoted.
    """

    raw: list[str]
    texts: list[str]
    quoted: list[bool]

    def next_line(self, number: int) -> int:
        """Returns the index of the first non-empty line after `number`, or the line count if there is none."""
        number += 1
        while number < len(self.texts) and not self.texts[number]:
            number += 1
        return number

    def is_quoted_below(self, number: int) -> bool:
        after = self.next_line(number)
        return after < len(self.quoted) and self.quoted[after]

    def split_line(self, number: int, offset: int) -> None:
        text = self.texts[number]
        before, after = text[:offset].rstrip(), text[offset:].lstrip()
        self.raw[number : number + 1] = before, after
        self.texts[number : number + 1] = before, after
        self.quoted[number : number + 1] = False, False


def read_lines(raw: list[str]) -> Lines:
    """Normalises the lines and finds the quoted ones.

    A line that closes a folded address below a quoted line is quoted, even without a quote mark. A line that closes a
    folded attribution below an unquoted line is unquoted, even with a quote mark.
    """
    texts = [line.translate(_CHARACTER_MAP).strip() for line in raw]
    quoted = [text[:1] in _QUOTE_MARKS for text in texts]
    for number in range(1, len(texts)):
        if quoted[number] and not quoted[number - 1]:
            quoted[number] = not _closes_attribution(texts, number)
        elif texts[number] and quoted[number - 1] and not quoted[number]:
            quoted[number] = _closes_address(texts[number - 1].lstrip("> "), texts[number])
    return Lines(raw, texts, quoted)


def strip_marks(text: str) -> str:
    return text.lstrip(">\uff1e ")


def is_rule(text: str) -> bool:
    """Whether the line is a drawn rule: several dashes, underscores or similar characters, or one long dash."""
    return bool(text) and _RULE_CHARACTERS.issuperset(text) and (len(text) > 1 or text in _LONG_DASHES)


def is_original_heading(text: str) -> bool:
    """Whether the line is `-----Original Message-----` in a known language.

    Also true for the lines of help desks, such as `##- Reply above this line -##`.
    """
    if len(text) > MAX_HEADING_LENGTH or not (_is_decorated(text) or text.startswith("##")):
        return False
    words = letters_only(text)
    return words in _ORIGINAL or any(phrase in words for phrase in _REPLY_ABOVE)


def is_original_phrase(text: str) -> bool:
    """Whether the line is `Original Message` in a known language. Some mail programs write no dashes around it."""
    return len(text) <= MAX_HEADING_LENGTH and letters_only(text) in _ORIGINAL


def is_forward_heading(text: str) -> bool:
    if len(text) > MAX_HEADING_LENGTH:
        return False
    if _is_decorated(text):
        words = letters_only(text)
        return words in _FORWARDED or words.startswith(_FORWARDED_BY)
    return text.endswith(COLONS) and letters_only(text) in _FORWARD_STARTS


def is_form_field(text: str) -> bool:
    """Whether the line is a label with a value, as in a form or a header. Usual labels of signatures are excluded."""
    return _FORM_FIELD.match(text) is not None


def is_dashed(text: str) -> bool:
    return text[:2].strip(_DASHES) == "" and text[-2:].strip(_DASHES) == "" and len(text) > 4


def _is_decorated(text: str) -> bool:
    return len(text) > 2 and text[0] in _RULE_CHARACTERS and text[1] in _RULE_CHARACTERS


def _closes_attribution(texts: list[str], number: int) -> bool:
    """Whether the line, such as `>:` or `> wrote:`, closes an angle bracket that one of the two lines above opens."""
    if len(texts[number]) > _MAX_CLOSING_LENGTH or not texts[number].endswith(COLONS):
        return False
    above = " ".join(texts[max(0, number - 2) : number])
    return texts[number - 1] != "" and above.count("<") > above.count(">")


def _closes_address(above: str, text: str) -> bool:
    return (
        above.count("<") > above.count(">") and text.count(">") > text.count("<") and " " not in text.partition(">")[0]
    )
