"""Reply and forward prefixes of subjects."""

from __future__ import annotations

from router.mail.quotes.subjects import classify_subject

REPLIES = (
    "Re: x|RE: x|re:x|Re : x|RE[2]: x|Re[12]: x|Re^3: x|Re(2): x|Re 2: x|[support] Re: x|Re: [support] x|"
    "[EXTERN] AW: x|EXTERNAL: RE: x|AW: x|Aw: x|Antwort: x|Antw: x|SV: x|Svar: x|Odp: x|ODP: x|R: x|RES: x|"
    "RÉP : x|Vá: x|Válasz: x|YNT: x|Ynt: x|ΑΠ: x|Απ: x|Απάντηση: x|На: x|Ответ: x|Відп: x|Отг: x|Odg: x|Ats: x|"
    "Atb: x|BLS: x|Trả lời: x|ตอบ: x|回复: x|回复：x|答复: x|回覆: x|返信: x|답장: x|회신: x|השב: x|תשובה: x|"
    "رد: x|پاسخ: x|Re: Fwd: x|AW: WG: x|Re: Re: x|*EXT* Re: x|【外部】回复：x|<EXT> AW: x"
)
FORWARDS = (
    "Fwd: x|FW: x|Fw: x|[support] Fwd: x|WG: x|Wg: x|TR : x|TR: x|RV: x|ENC: x|Enc: x|I: x|Doorst: x|VL: x|VB: x|"
    "PD: x|ΠΡΘ: x|İLT: x|ILT: x|Redir: x|Videresend: x|Továbbítás: x|FS: x|TRS: x|转发: x|转发：x|轉寄: x|"
    "轉發: x|転送: x|전달: x|הועבר: x|إعادة توجيه: x|Пересл: x|Chuyển tiếp: x|ส่งต่อ: x|Fwd: Re: x|WG: AW: x"
)
WITHOUT_PREFIX = (
    "|x|Lamp|Order 4711: lamp|Invoice: 12|Ref: 4711|Note: x|Urgent: x|Report|Rechnung: x|Repair: x|12:30 meeting|"
    "Q: x|Regarding: x|[Re] x|Re lamp|Forwarding agent: x|A: x|Test: Re: x|Wg. Lampe|Betr.: x|http://re: x|: Re"
)


def test_reply_and_forward_prefixes() -> None:
    assert [subject for subject in REPLIES.split("|") if classify_subject(subject, "") != "reply"] == []
    assert [subject for subject in FORWARDS.split("|") if classify_subject(subject, "") != "forward"] == []
    assert [subject for subject in WITHOUT_PREFIX.split("|") if classify_subject(subject, "") != ""] == []


def test_ambiguous_prefix() -> None:
    """`VS:` stands for `Vastaus` (reply) in Finnish, and for `Videresendt` (forwarded) in Danish and Norwegian."""
    assert (
        classify_subject("VS: Lamppu", "Kiitos.\n\nLähettäjä: Ana\nLähetetty: 5.5.2026 9.15\nAihe: Lamppu") == "reply"
    )
    assert classify_subject("VS: Lamppu", "Kiitos.\n\nti 5. toukok. 2026 klo 9.15 Ana kirjoitti:\n> vanha") == "reply"
    assert (
        classify_subject("VS: Lampen", "Se nedenfor.\n\nFra: Ana\nSendt: 5. maj 2026 09:15\nEmne: Lampen") == "forward"
    )
