"""Recognises subjects that mail programs write in bounces and automatic replies, in many languages.

A subject alone identifies an automatic message only if a program's own phrase precedes a colon, as in
`Automatic reply: your order`. Functions take constant time, because only the start of a subject is read.
"""

from __future__ import annotations

import re
import unicodedata

from router.mail.quotes.subjects import classify_subject
from router.unicode_text import normalize

# In characters. The longest phrase below has about 40, and tags may precede it.
_BEGINNING_LENGTH = 120

# Tags that gateways and lists prepend: `[EXT]`, `(External)`, `*EXT*`, `EXTERNAL:`. Matches folded text.
_TAGS = re.compile(
    r"\s*(?:(?:\[[^\[\]]{0,40}\]|\u3010[^\u3010\u3011]{0,40}\u3011|\((?:ext|external|extern)\)|\*{1,5}(?:ext|external|extern)\*{1,5}|"
    r"<(?:ext|external|extern)>|(?:ext|external|extern|externe)\s?:)\s*){0,3}"
)
_TAG = re.compile(r"\s*[\[(\u3010]([^\[\]()\u3010\u3011]{1,40})[\])\u3011]")
_DOMINO_SUBJECT = re.compile(r"AUTO: .{0,100}(?:\([^()]*\d[^()]*\)|is out of the office\.?)\s*")
"""An out-of-office reply of HCL Domino: `AUTO: Eva Muster is out of the office (returning 3 March)`."""


def _fold(text: str) -> str:
    """Folds case, and removes accents, which many programs and people omit."""
    if text.isascii():
        return text.casefold()
    folded = normalize("NFKD", text.casefold()).replace("\u0131", "i")  # the Turkish dotless i
    return "".join(character for character in folded if not unicodedata.combining(character))


def _parse_phrases(text: str) -> frozenset[str]:
    return frozenset(_fold(phrase.strip()) for phrase in text.split("|"))


# Phrases that programs write before a colon. There, they alone identify an automatic reply.
_REPLY_PREFIXES = _parse_phrases(
    "automatic reply|auto reply|auto-reply|autoreply|auto response|auto-response|autoresponse|autoresponder|"
    "automated reply|automated response|automatic response|vacation reply|vacation response|"
    "out of office reply|out of office autoreply|out of office auto-reply|out of office auto reply|"
    "out of office response|automatische antwort|automatische abwesenheitsnotiz|automatische rückantwort|"
    "réponse automatique|réponse automatique d'absence du bureau|respuesta automática|respuesta automatizada|"
    "risposta automatica|resposta automática|fora do escritório resposta automática|resposta automàtica|"
    "erantzun automatikoa|automatisch antwoord|automatische reactie|autosvar|automatiskt svar|automatisk svar|"
    "automaattinen vastaus|sjálfvirkt svar|odpowiedź automatyczna|automatyczna odpowiedź|autoodpowiedź|"
    "automatická odpověď|automatická odpoveď|automatikus válasz|răspuns automat|automatski odgovor|samodejni odgovor|"
    "аутоматски одговор|автоматски одговор|автоматичен отговор|automaatvastus|automaatne vastus|automātiska atbilde|"
    "automātiskā atbilde|automatinis atsakymas|автоматический ответ|автоответ|автоматична відповідь|автовідповідь|"
    "аўтаматычны адказ|автоматты жауап|αυτόματη απάντηση|otomatik yanıt|otomatik cevap|avtomatik cavab|"
    "תשובה אוטומטית|מענה אוטומטי|رد تلقائي|الرد التلقائي|الرد التلقائى|پاسخ خودکار|"
    "自動応答|自動返信|自动答复|自动回复|自动回覆|外出自动回复|自動回覆|自動回應|自動答覆|"
    "자동 회신|자동 응답|자동회신|자동응답|부재 중 자동 회신|"
    "ตอบกลับอัตโนมัติ|การตอบกลับอัตโนมัติ|ข้อความตอบกลับอัตโนมัติ|"
    "trả lời tự động|tự động trả lời|thư trả lời tự động|phản hồi tự động|"
    "balasan otomatis|jawaban otomatis|balasan automatik|awtomatikong tugon|"
    "स्वचालित उत्तर|स्वचालित जवाब|স্বয়ংক্রিয় উত্তর|தானியங்கி பதில்|स्वयंचलित उत्तर|"
    "përgjigje automatike|ymateb awtomatig|ateb awtomatig|freagra uathoibríoch|risposta awtomatika|"
    "outomatiese antwoord|ավտոմատ պատասխան|ავტომატური პასუხი|خودکار جواب|yahoo! auto response"
)
# Phrases that programs write before a colon, but people too.
_ABSENCE_PREFIXES = _parse_phrases(
    "out of office|out-of-office|out of the office|automatic message|abwesenheitsnotiz|abwesenheitsnachricht|"
    "abwesenheitsmeldung|abwesenheitsassistent|abwesend|message d'absence|message d’absence|réponse d'absence|"
    "absence du bureau|absent du bureau|absent(e) du bureau|notification d'absence|fuera de la oficina|"
    "fuera de oficina|ausente de la oficina|fuori sede|fuori ufficio|messaggio automatico|fora do escritório|"
    "ausência temporária|afwezigheidsbericht|afwezigheidsmelding|niet op kantoor|frånvaromeddelande|fraværsbesked|"
    "fraværsmelding|poissaoloviesti|poissaoloilmoitus|poza biurem|nieobecność w biurze|mimo kancelář|"
    "mimo kancelárie|házon kívül|irodán kívül|în afara biroului|извън офиса|εκτός γραφείου|ofis dışında|"
    "מחוץ למשרד|خارج المكتب|不在通知|부재중|부재중 자동응답|부재중 자동 응답|不在办公室|不在辦公室|"
    "away from my mail|nicht im büro|nicht im haus|außer haus|hors du bureau|niet aanwezig|frånvarande|ej på kontoret|"
    "inte på kontoret|ikke på kontoret|ikke til stede|poissa|poissa toimistosta|вне офиса|нет на месте|поза офісом|"
    "izvan ureda|ne biure|ofis dışı|di luar kantor|vắng mặt tại văn phòng"
)
# Phrases that start the subjects of automatic replies, with or without a colon.
_REPLY_BEGINNINGS = (
    *_REPLY_PREFIXES,
    *_ABSENCE_PREFIXES,
    *_parse_phrases(
        "auto:|i am away|i am out of|i'm out of|i am on vacation|i am on holiday|on vacation|on holiday|vacation|"
        "absent|ich bin abwesend|ich bin im urlaub|absence|je suis absent|en congés|ausente|assente|ausência|afwezig|"
        "frånvaro|fraværende|fravær|poissa|nieobecny|nieobecna|nepřítomnost|neprítomnosť|távollét|absenţă|odsutan|odsoten|"
        "отсутств|відсутн|απουσία|ofiste değil|不在|外出|휴가|부재"
    ),
)

# Phrases, some of them abbreviated, with which mail servers start the subject of a report of failed or delayed
# delivery.
_FAILURE_BEGINNINGS = tuple(
    _parse_phrases(
        "undeliver|delivery status notification|delivery failure|delivery has failed|delivery report|"
        "delivery incomplete|delivery delayed|delivery notification: delivery|returned mail|"
        "mail delivery failed|mail delivery failure|"
        "mail delivery system|mail delivery subsystem|failure notice|failed mail|mail could not be delivered|"
        "message could not be delivered|message cannot be delivered|your message could not be delivered|"
        "warning: message|warning: could not send|delayed mail|non-delivery|non delivery|nondeliverable mail|"
        "permanent delivery failure|message status - undeliverable|message undeliverable|mail undeliverable|"
        "mail system error|mail failure|delivery error|message delayed|message delivery failed|unable to deliver|"
        "unzustellbar|nicht zustellbar|non remis|échec de remise|no entregado|no se puede entregar|mancato recapito|"
        "non recapitabile|niet bezorgd|onbestelbaar|não entregue|mensagem não entregue|olevererbart|kan ikke leveres|"
        "det går inte att leverera|toimittamaton|ei voi toimittaa|nie można dostarczyć|"
        "niedostarczon|nedoruč|kézbesíthetetlen|nelivrat|недоставлено|не удается доставить|не доставлено|"
        "δεν παραδόθηκε|teslim edilemedi|לא ניתן למסור|تعذر التسليم|"
        "zustellung fehlgeschlagen|nachricht unzustellbar|message non distribué|impossible de remettre|"
        "mensaje no entregado|no se pudo entregar|error de entrega|messaggio non recapitato|falha na entrega|"
        "levering mislukt|ошибка доставки|投递失败|退信|系统退信|반송|"
        "配信不能|配信できません|无法送达|無法傳遞|배달되지 않음"
    )
)
# Phrases with which Exchange, Postfix and Sendmail start the subject of a report of successful delivery (RFC 3464
# section 2.3.3). A colon follows those in `_DELIVERED_PREFIXES`.
_DELIVERED_PREFIXES = _parse_phrases(
    "delivered|relayed|expanded|zugestellt|weitergeleitet|erweitert|remis|relayé|développé|entregado|retransmitido|"
    "recapitato|inoltrato|entregue|bezorgd|doorgestuurd|levererat|leveret|levert|toimitettu|dostarczone|doručeno|"
    "doručené|kézbesítve|livrat|доставлено|παραδόθηκε|teslim edildi|נמסר|تم التسليم|配信済み|已送达|已送達|배달됨"
)
_DELIVERED_BEGINNINGS = tuple(
    _parse_phrases(
        "successful mail delivery report|delivery status notification (success)|delivery status notification (relay)|"
        "return receipt|delivery report (success)"
    )
)


def has_auto_reply_prefix(subject: str) -> bool:
    """Whether the subject alone identifies an automatic reply."""
    beginning = subject[:_BEGINNING_LENGTH]
    if subject.startswith("AUTO: "):
        return _DOMINO_SUBJECT.fullmatch(subject[: 2 * _BEGINNING_LENGTH]) is not None
    return _prefix(beginning) in _REPLY_PREFIXES


def is_absence_phrase(subject: str) -> bool:
    """Whether the subject looks like that of an out-of-office reply.

    People write such subjects too, so the caller needs more evidence.
    """
    beginning = subject[:_BEGINNING_LENGTH]
    if _prefix(beginning) in _ABSENCE_PREFIXES:
        return True
    folded = _fold(beginning)
    notice = folded[_tags_end(folded) :].strip(" .!")
    tag = _TAG.match(folded)
    if any(text in _ABSENCE_PREFIXES or text in _REPLY_PREFIXES for text in (notice, tag[1].strip() if tag else "")):
        return True
    # Older Domino releases write `Eva Muster/Example is out of the office.`
    return notice.endswith("is out of the office") and classify_subject(subject, "") != "reply"


def has_absence_beginning(subject: str) -> bool:
    """Whether the subject is typical of an automatic reply. People write such subjects too."""
    folded = _fold(subject[:_BEGINNING_LENGTH])
    if folded[_tags_end(folded) :].lstrip().startswith(_REPLY_BEGINNINGS):
        return True
    return "out of the office" in folded and classify_subject(subject, "") != "reply"


def has_failure_beginning(subject: str) -> bool:
    folded = _fold(subject[:_BEGINNING_LENGTH])
    return folded[_tags_end(folded) :].startswith(_FAILURE_BEGINNINGS)


def has_success_beginning(subject: str) -> bool:
    """Whether the subject of a delivery report reports success."""
    folded = _fold(subject[:_BEGINNING_LENGTH])
    return _prefix(subject[:_BEGINNING_LENGTH]) in _DELIVERED_PREFIXES or folded.startswith(_DELIVERED_BEGINNINGS)


def _prefix(beginning: str) -> str:
    """Returns the folded text between leading gateway tags (`[EXT]`) and the next colon, `""` without such a colon."""
    beginning = beginning.replace("\uff1a", ":")
    if ":" not in beginning:
        return ""
    folded = _fold(beginning)
    prefix, colon, _ = folded[_tags_end(folded) :].partition(":")
    return prefix.strip() if colon else ""


def _tags_end(text: str) -> int:
    match = _TAGS.match(text)
    return match.end() if match else 0
