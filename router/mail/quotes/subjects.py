"""Classifies subjects by their prefix as replies or forwarded messages."""

from __future__ import annotations

import re
from typing import Literal

from router.mail.quotes.lines import letters_only

SubjectKind = Literal["reply", "forward", ""]

_MAX_SUBJECT_LENGTH = 400  # characters that are examined
_MAX_PREFIX_LENGTH = 24
# A reply count (`RE[2]:`, `Re^3:`, `Re(4):`) or a dot may precede the colon.
_PREFIX = re.compile(r"\s*([^\W\d_][^:\uff1a\[\]()^]{0,23}?)\s?(?:[\[(^*]{0,2}\d{1,4}[\])]?)?\s{0,2}[:\uff1a]")
# The name of a mailing list (`[users]`) or a marker (`External:`) before the prefix.
_TAG_BEFORE_PREFIX = re.compile(
    r"\s*(?:\[[^\[\]]{0,80}\]|\u3010[^\u3010\u3011]{0,40}\u3011|\([^()]{0,40}\)|"
    r"\*[^*]{1,20}\*|<[^<>]{1,20}>|(?:external|extern|externe|ext|spam)\s?:)\s*",
    re.IGNORECASE,
)
_MAX_TAGS = 4
_MAX_STRIPPED = 50  # prefixes; long exchanges between programs that each add one have dozens


def _parse_prefixes(text: str) -> frozenset[str]:
    return frozenset(letters_only(prefix) for prefix in text.split("/"))


_REPLY_PREFIXES = _parse_prefixes(
    "re/reply/r/rép/réponse/res/resp/respuesta/resposta/risposta/aw/antwort/antw/antwoord/beantw/sv/svar/svara/vá/"
    "válasz/odp/odpověď/odpoveď/odpowiedź/odg/odgovor/ats/atsakymas/atb/atbilde/vast/vastus/vastaus/răsp/răspuns/απ/"
    "απάντηση/σχετ/ynt/yanıt/на/отв/ответ/відп/відповідь/отг/отговор/одг/адк/bls/balas/balasan/trả lời/ตอบ/ตอบกลับ/"
    "רה/השב/תשובה/תגובה/رد/الرد/پاسخ/जवाब/回复/答复/回覆/答覆/回信/返信/回答/답장/회신/답변/ymateb/prg/përgjigje/vs"
)
_FORWARD_PREFIXES = _parse_prefixes(
    "fw/fwd/forward/forwarded/wg/weitergeleitet/weiterl/tr/transf/transfert/transféré/rv/reenv/reenviado/enc/"
    "encaminhado/i/inoltro/inoltra/doorst/doorgestuurd/vl/välitetty/vb/vidarebefordrat/vid/videresend/videresendt/"
    "pd/podaj dalej/πρθ/προωθημένο/ilt/ilet/iletilen/redir/redirecționat/fs/framsent/trs/terusan/teruskan/"
    "továbbítás/továbbítva/tov/pos/posredovano/prosl/proslijeđeno/přeposláno/preposlané/pred/předáno/edas/edastatud/"
    "pārs/persiųsta/пересл/переслано/пересылка/пер/пересланное/препр/препратено/ส่งต่อ/chuyển tiếp/הועבר/הו/"
    "إعادة توجيه/ممررة/ارسال/转发/轉寄/轉發/転送/전달/vs"
)
# `VS:` marks a reply in Finnish and Estonian, but a forwarded message in Danish and Norwegian.
_AMBIGUOUS_PREFIXES = _REPLY_PREFIXES & _FORWARD_PREFIXES
_VS_IS_REPLY = re.compile(r"^[>\s*]{0,6}(?:lähettäjä|saatja)\s?:|kirjoitti|kirjutas", re.IGNORECASE | re.MULTILINE)


def classify_subject(subject: str, text: str) -> SubjectKind:
    """Classifies a subject by its first prefix; returns `""` if the prefix is unknown or missing.

    An ambiguous prefix is classified by the language of `text`, the text of the message.
    """
    subject = subject[:_MAX_SUBJECT_LENGTH]
    prefix = _read_prefix(subject, _find_end_of_tags(subject))[0]
    if prefix in _AMBIGUOUS_PREFIXES:
        return "reply" if _VS_IS_REPLY.search(text[:20_000]) else "forward"
    return "forward" if prefix in _FORWARD_PREFIXES else "reply" if prefix in _REPLY_PREFIXES else ""


def strip_reply_prefixes(subject: str) -> str:
    """Returns the subject without the prefixes of replies at its start. Tags before a prefix are kept.

    An ambiguous prefix counts as that of a reply.
    """
    for _ in range(_MAX_STRIPPED):
        start = _find_end_of_tags(subject)
        prefix, end = _read_prefix(subject, start)
        if prefix not in _REPLY_PREFIXES:
            break
        subject = subject[:start] + subject[end:].lstrip()
    return subject.strip()


def _find_end_of_tags(subject: str) -> int:
    position = 0
    for _ in range(_MAX_TAGS):
        tag = _TAG_BEFORE_PREFIX.match(subject, position)
        if tag is None:
            break
        position = tag.end()
    return position


def _read_prefix(subject: str, start: int) -> tuple[str, int]:
    """Returns the letters of the prefix at `start`, and the offset after its colon; `""` without a prefix."""
    match = _PREFIX.match(subject, start)
    return ("", start) if match is None or len(match[1]) > _MAX_PREFIX_LENGTH else (letters_only(match[1]), match.end())
