"""Detects header blocks above a quoted message (`From: ... Sent: ... To: ... Subject: ...`), in many languages.

Letters, parcel labels and forms use the same field labels. Therefore a block also needs an address, or a date with a
time of day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from router.mail.quotes.attributions import has_address, has_date, has_time, is_bracketed
from router.mail.quotes.lines import Lines, letters_only, strip_marks

FieldKind = Literal["from", "date", "to", "cc", "subject", "other"]

_MAX_LABEL_LENGTH = 30
_MAX_LINES = 24  # a block can have a long list of recipients
_MAX_FOLDED_LINES = 6
_MAX_VALUE_LENGTH = 1000
_SEPARATORS = (":", "\uff1a", "|")
_NOT_IN_LABEL = frozenset('"{}[]<>=/')  # characters that indicate JSON or code
_CODE_KEYS = frozenset({"from", "to", "subject", "sent"})  # lower-case keys, as in YAML, are no labels
_DECORATION = " *|\t_\u2022\u00b7\ufe55"

_LABELS_BY_KIND: dict[FieldKind, str] = {
    "from": "From/Von/Absender/De/Expéditeur/Remitente/Remetente/Da/Mittente/Van/Afzender/Fra/Avsender/Afsender/"
    "Från/Avsändare/Frá/Sendandi/Lähettäjä/Saatja/Sūtītājs/Nuo/Siuntėjas/Od/Nadawca/Odesílatel/Odesilatel/"
    "Odosielateľ/Pošiljatelj/Pošiljalac/Šalje/Šalje se/Feladó/Küldő/De la/Expeditor/Expeditorul/Kimden/Gönderen/Από/"
    "Αποστολέας/От/Отправитель/Кімнен/От кого/Від/Від кого/Відправник/Ад/Изпращач/Подател/Од/Шаље/Пошиљалац/"
    "Испраќач/מאת/שולח/من/المرسل/از/فرستنده/प्रेषक/से/จาก/ผู้ส่ง/Từ/Người gửi/Dari/Pengirim/Daripada/Mula kay/Mula/"
    "منجانب/Remitent/Nga/Dërguesi/Nork/差出人/送信者/送信元/发件人/发信人/发自/寄件者/寄件人/보낸 사람/보낸사람/"
    "보낸이/발신/발신자",
    "date": "Sent/Date/Date Sent/Sent on/Gesendet/Gesendet am/Datum/Datum und Uhrzeit/Verschickt/Envoyé/Envoyé le/"
    "Date d'envoi/Message du/Enviado/Enviado el/Enviada/Enviada em/Enviado em/Fecha/Fecha de envío/Data/"
    "Data de envio/Inviato/Inviato il/Data invio/Verzonden/Verzonden op/Verstuurd/Datum en tijd/Sendt/Dato/"
    "Sendt den/Skickat/Skickades/Sent kl/Dagsetning/Lähetetty/Päivämäärä/Päiväys/Pvm/Aika/Saadetud/Kuupäev/Nosūtīts/"
    "Datums/Išsiųsta/Data ir laikas/Wysłano/Wysłane/Data wysłania/Odesláno/Odesláno dne/Odoslané/Dátum/Odoslané dňa/"
    "Poslano/Poslato/Elküldve/Küldve/Dátum és idő/Trimis/Trimis la/Expediat/Tarih/Gönderildi/Gönderilme Tarihi/"
    "Gönderim Tarihi/Gönderme Tarihi/Στάλθηκε/Εστάλη/Ημερομηνία/Отправлено/Жіберілді/Жіберілген/Дата/Дата отправки/"
    "Время/Надіслано/Відправлено/Дата надсилання/Дасланa/Изпратено/Изпратено на/Послато/Датум/Испратено/נשלח/"
    "נשלח בתאריך/תאריך/תאריך שליחה/تاريخ الإرسال/تم الإرسال/التاريخ/أرسلت/تاریخ/ارسال شده/भेजा गया/दिनांक/तारीख/ส่ง/"
    "วันที่/ส่งเมื่อ/Đã gửi/Ngày/Ngày gửi/Gửi/Dikirim/Tanggal/Terkirim/Dihantar/Tarikh/Enviat/Data d'enviament/Dërguar/"
    "Bidalia/Bidaltze-data/Ipinadala/بھیجا گیا/送信日時/日時/日付/送信日/送信済み/发送时间/发件时间/发送日期/日期/"
    "时间/寄件日期/傳送時間/傳送日期/寄送日期/時間/보낸 날짜/보낸날짜/날짜/일시/보낸 시간/보낸시간/발송일",
    "to": "To/An/Empfänger/À/A/Destinataire/Destinataires/Para/Destinatario/Destinatário/Destinatari/Aan/Ontvanger/"
    "Til/Modtager/Mottaker/Till/Mottagare/Viðtakandi/Vastaanottaja/Vastaanottajat/Adressaat/Saaja/Kellele/Kam/"
    "Saņēmējs/Gavėjas/Do/Adresat/Odbiorca/Komu/Adresát/Príjemca/Za/Prima/Primatelj/Primalac/Prejemnik/Címzett/"
    "Címzettek/Către/Catre/Destinatarul/Kime/Alıcı/Προς/Παραλήπτης/Кому/Кімге/Получатель/До/Одержувач/Каму/За/Прима/"
    "Прималац/אל/נמען/לכבוד/إلى/الى/المستلم/به/گیرنده/प्रति/को/ถึง/ผู้รับ/Đến/Tới/Người nhận/Kepada/Ke/Untuk/Penerima/"
    "Per a/Për/Nori/宛先/受信者/送信先/收件人/收信人/收件者/받는 사람/받는사람/받는이/수신/수신자",
    "cc": "Cc/Bcc/Kopie/Kopie an/Copie/Copie à/Copia/Cópia/CC n/Kopi/Kopia/Afrit/Kopio/Koopia/Kopija/DW/UDW/"
    "Do wiadomości/Másolat/Másolatot kap/Másolatot kapja/Bilgi/Κοιν/Κοινοποίηση/Копия/Копія/Копие/Копија/עותק/נסخة/"
    "نسخة/رونوشت/สำเนา/Đồng gửi/Tembusan/Salinan/抄送/副本/密件抄送/참조/숨은참조",
    "subject": "Subject/Betreff/Betr/Thema/Objet/Sujet/Asunto/Assunto/Oggetto/Ogg/Onderwerp/Emne/Ämne/Efni/Aihe/"
    "Teema/Temats/Tēma/Tema/Temat/Předmět/Predmet/Naslov/Zadeva/Tárgy/Subiect/Subiectul/Konu/Θέμα/Тема/Тақырып/"
    "Тақырыбы/Paksa/Относно/Предмет/Наслов/נושא/הנדון/الموضوع/موضوع/विषय/เรื่อง/หัวเรื่อง/ชื่อเรื่อง/Chủ đề/Tiêu đề/"
    "Perihal/Subjek/Subyek/Judul/Assumpte/Subjekti/Gaia/件名/题目/主题/主旨/主題/標題/제목",
    "other": "Reply-To/Sender/Reply to/Antwort an/Répondre à/Responder a/Rispondi a/Odpowiedz do/Odpověď komu/"
    "Importance/Priority/Wichtigkeit/Priorität/Priorität Hoch/Importancia/Attachments/Anlagen/Anhänge/"
    "Pièces jointes/Pièce jointe/Adjuntos/Allegati/Bijlagen/Załączniki/Přílohy/Вложения/附件/添付ファイル/첨부/"
    "Organization/Organisation/Organisatie/Sensitivity/On Behalf Of/Im Auftrag von",
}
_LABELS: dict[str, FieldKind] = {
    letters_only(label): kind for kind, labels in _LABELS_BY_KIND.items() for label in labels.split("/")
}
_LABELS_BEFORE_ADDRESS: dict[str, FieldKind] = {"no": "from"}  # `No` means `from` in Latvian, but `number` in English
_MESSAGE_DU = "message du "
_FIRST_KINDS: frozenset[FieldKind] = frozenset({"from", "date", "subject"})
_MIN_KINDS = 3
_UNKNOWN_LINES = 4
_MAX_COLUMN_LENGTH = 60
_INLINE_LABEL = re.compile(r"(?<=[\s>;])([^\W\d_][^\s:\uff1a<>]{0,14})\s?[:\uff1a](?=\s)")
# Fields of a raw header, which is not a block above a quoted message.
_RAW_HEADER = re.compile(
    r"(?:x-|received|return-path|delivered-to|message-id|mime-version|content-|dkim-|arc-|authentication-results)"
    r"[\w-]{0,40}\s?:",
    re.IGNORECASE,
)
_UNKNOWN_FIELD = re.compile(r"[^\W\d_][\w-]{1,30}(?: [\w-]{1,30})?\s?:\s")
_MAILBOX_KINDS: frozenset[FieldKind] = frozenset({"from", "to", "cc"})


@lru_cache(maxsize=256)
def _field_kind(label: str) -> FieldKind | None:
    return _LABELS.get(letters_only(label))


def starts_with_message_du(text: str) -> bool:
    """Whether the line starts a header block as Orange writes it: `Message du 24/08/26 13:20`."""
    return text[:20].casefold().startswith(_MESSAGE_DU)


def read_field(text: str) -> tuple[FieldKind, str] | None:
    text = text.strip(_DECORATION)
    if starts_with_message_du(text):
        return "date", text
    ends = [position for separator in _SEPARATORS if (position := text.find(separator, 0, _MAX_LABEL_LENGTH)) > 0]
    if not ends:
        return None
    end = min(ends)
    label, value = text[:end], text[end + 1 : end + 1 + _MAX_VALUE_LENGTH].strip(_DECORATION)
    if not _NOT_IN_LABEL.isdisjoint(label) or label.strip() in _CODE_KEYS:
        return None
    kind = _field_kind(label) or (_LABELS_BEFORE_ADDRESS.get(letters_only(label)) if has_address(value) else None)
    return None if kind is None else (kind, value)


def find_block_end(lines: Lines, start: int, *, ruled: bool = False) -> int:
    """Returns the index of the line after the recognised lines of a header block at `start`, 0 if there is no block.

    Args:
        ruled: Whether a rule or a heading precedes the block. Less evidence is then sufficient.
    """
    end = _find_known_end(lines, start, min_kinds=2 if ruled else _MIN_KINDS)
    if end:
        return end
    if _is_on_one_line(lines.texts[start]):
        return start + 1
    if _is_in_a_column(lines, start):
        return start + 2
    return start + _UNKNOWN_LINES if ruled and _is_unknown_block(lines, start) else 0


def _find_known_end(lines: Lines, start: int, *, min_kinds: int, nested: bool = False) -> int:
    """Returns the index of the line after the last known field of a block, 0 if no block starts at `start`.

    Args:
        nested: Whether another search started this search, to check whether an inner block starts here.
    """
    first = read_field(strip_marks(lines.texts[start]))
    if first is None or not (first[0] in _FIRST_KINDS or _is_followed_by_field(lines, start)):
        return 0
    evidence = _Evidence()
    blank = False
    kind, folded, end = first[0], 0, start
    for number in range(start, min(len(lines.texts), start + _MAX_LINES)):
        text = strip_marks(lines.texts[number])
        if not text:
            if blank:
                break
            blank = True
            continue
        if lines.quoted[number] != lines.quoted[start]:
            break
        known = read_field(text)
        if known is None:
            folded += 1
            if blank or folded > _MAX_FOLDED_LINES:
                break
            if _RAW_HEADER.match(text):
                return 0
            if _UNKNOWN_FIELD.match(text):
                evidence.has_unknown, kind = True, "other"
            value = text[:_MAX_VALUE_LENGTH]
        else:
            is_new_text = blank and not nested and (len(evidence.kinds) == 1 or known[0] == "from")
            if is_new_text and _find_known_end(lines, number, min_kinds=min_kinds, nested=True):
                return 0  # the lines above the inner block are new text
            (kind, value), folded, end = known, 0, number + 1
            if kind in evidence.kinds:
                break
            evidence.add_kind(kind)
        blank = False
        evidence.add_value(kind, value)
    return end if evidence.is_sufficient(min_kinds) else 0


@dataclass(slots=True)
class _Evidence:
    """The evidence in the fields of a block.

    Attributes:
        has_bracketed_address: An address is in brackets, as mail programs write it after a name.
        has_mailbox: The From field is an address or contains an address in brackets.
        has_dated_order: A date with a time of day is below the From field, and not below a To field.
        is_mixed: A known field follows an unknown one.
    """

    kinds: set[FieldKind] = field(default_factory=set)
    has_address: bool = False
    has_bracketed_address: bool = False
    has_mailbox: bool = False
    has_dated_order: bool = False
    dates: str = ""
    has_unknown: bool = False
    is_mixed: bool = False

    def add_kind(self, kind: FieldKind) -> None:
        self.kinds.add(kind)
        self.is_mixed = self.has_unknown

    def add_value(self, kind: FieldKind, value: str) -> None:
        if kind in _MAILBOX_KINDS:
            self.has_address = self.has_address or has_address(value)
            self.has_bracketed_address = self.has_bracketed_address or is_bracketed(value)
            self.has_mailbox = self.has_mailbox or (kind == "from" and _is_mailbox(value))
        elif kind == "date":
            self.dates += value
            below = "from" in self.kinds and "to" not in self.kinds
            self.has_dated_order = self.has_dated_order or (below and has_time(value) and has_date(value))

    def is_sufficient(self, min_kinds: int) -> bool:
        if self.dates and not any(character.isdigit() for character in self.dates):
            return False  # for example, `Date: tomorrow`
        subject, timed = "subject" in self.kinds, has_time(self.dates)
        if "from" not in self.kinds or not (subject or timed):
            return False
        # Letters and forms must not match: their dates usually have no time, and their addresses are among other words.
        if timed:
            address = self.has_bracketed_address or (self.has_address and not self.has_unknown)
        else:
            address = self.has_mailbox if self.dates else self.has_bracketed_address
        evidence = address or (self.has_dated_order and subject and "to" in self.kinds and not self.is_mixed)
        return evidence and len(self.kinds - {"other"}) >= (_MIN_KINDS if self.has_unknown else min_kinds)


def _is_mailbox(value: str) -> bool:
    return is_bracketed(value) or (has_address(value) and " " not in value)


def _is_followed_by_field(lines: Lines, start: int) -> bool:
    """Whether the label has at least two characters and the next line is a field too.

    Without this check, new text such as `A: yes` or a single line `To: do` could start a block.
    """
    texts = lines.texts[start : start + 2]
    return texts[0][1:2] not in (*_SEPARATORS, " ") and len(texts) > 1 and read_field(strip_marks(texts[1])) is not None


def _is_unknown_block(lines: Lines, start: int) -> bool:
    """Whether a block in an unknown language starts at `start`.

    Its first field must contain an address in brackets, and its second field a date with a time of day.
    """
    values = []
    for text in lines.texts[start : start + _UNKNOWN_LINES]:
        label, separator, value = text[:_MAX_VALUE_LENGTH].replace("\uff1a", ":").partition(":")
        if not separator or not letters_only(label[: _MAX_LABEL_LENGTH + 1]) or len(label) > _MAX_LABEL_LENGTH:
            return False
        values.append(value)
    return len(values) == _UNKNOWN_LINES and is_bracketed(values[0]) and has_date(values[1]) and has_time(values[1])


def _is_on_one_line(text: str) -> bool:
    """Whether the line is a whole block, as in some webmail: `From: Ana <...> To: Eva Sent: ... Subject: ...`."""
    first = read_field(text)
    if first is None or first[0] not in _FIRST_KINDS or len(text) > _MAX_VALUE_LENGTH:
        return False
    kinds = {first[0]} | {kind for label in _INLINE_LABEL.findall(text) if (kind := _field_kind(label)) is not None}
    return "from" in kinds and len(kinds) > _MIN_KINDS and (has_address(text) or (has_date(text) and has_time(text)))


def _is_in_a_column(lines: Lines, start: int) -> bool:
    """Whether a block of Lotus Notes starts at `start`. Each of its labels and values is on a line of its own."""
    if not has_address(lines.texts[start][:_MAX_VALUE_LENGTH]):
        return False
    below = [text for text in lines.texts[start + 1 : start + 1 + _MAX_LINES] if text]
    if not below or len(below[0]) > _MAX_COLUMN_LENGTH or not (has_date(below[0]) and has_time(below[0])):
        return False
    kinds = {_field_kind(text) for text in below[1:] if len(text) <= _MAX_LABEL_LENGTH}
    return {"to", "subject"} <= kinds
