"""HTML replies of mail programs and webmail."""

from __future__ import annotations

from router.mail.parse import parse

# (expected new text, HTML). Most visual attributes are omitted.
REPLY_CASES = [
    (
        "It works.",
        '<div dir="ltr">It works.</div><br><div class="gmail_quote">'
        '<div dir="ltr" class="gmail_attr">On Thu, Mar 12, 2026 at 10:02 AM Support &lt;<a '
        'href="mailto:support@acme.test">support@acme.test</a>&gt; wrote:<br></div>'
        '<blockquote class="gmail_quote"><div>Please restart.</div></blockquote></div>',
    ),
    (
        "It works.",
        '<div dir="ltr">It works.<br clear="all"><div><br></div>'
        '<span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature">'
        '<div>Eva Muster</div><div>Customer Ltd.</div></div></div><br><div class="gmail_quote">'
        '<div dir="ltr" class="gmail_attr">On Thu, Mar 12, 2026 at 10:02 AM Support &lt;<a '
        'href="mailto:support@acme.test">support@acme.test</a>&gt; wrote:<br></div>'
        '<blockquote class="gmail_quote"><div>Please restart.</div></blockquote></div>',
    ),
    (
        "It works.",
        '<html><body>It works.<br><div><br><blockquote type="cite">'
        '<div>On 12. Mar 2026, at 10:02, Support &lt;<a href="mailto:support@acme.test">support@acme.test</a>'
        "&gt; wrote:</div>"
        "<br><div>Please restart.</div></blockquote></div></body></html>",
    ),
    (
        "It works.",
        '<html><body>It works.<br><br><div dir="ltr">Sent from my iPhone</div><div dir="ltr"><br>'
        '<blockquote type="cite">On 12 Mar 2026, at 10:02, Support &lt;support@acme.test&gt; wrote:<br>'
        '<br></blockquote></div><blockquote type="cite">'
        '<div dir="ltr">Please restart.</div></blockquote></body></html>',
    ),
    (
        "It works.",
        '<div>It works.</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%">'
        '<div id="divRplyFwdMsg" dir="ltr"><font><b>From:</b> Support &lt;support@acme.test&gt;<br><b>'
        "Sent:</b> Thursday, March 12, 2026 10:02 AM<br><b>To:</b> Eva<br><b>Subject:</b> The lamp</font>"
        "<div>&nbsp;</div></div><div>Please restart.</div>",
    ),
    (
        "It works.",
        '<div><p>It works.</p><p>&nbsp;</p></div><div style="border-top:solid #B5C4DF 1.0pt"><p><b>'
        "<span>From: </span></b>"
        "<span>Support &lt;support@acme.test&gt;<br><b>Date: </b>Thursday, 12 March 2026 at 10:02<br><b>To: "
        "</b>Eva<br><b>Subject: </b>The lamp</span></p></div>"
        "<p>Please restart.</p>",
    ),
    (
        "It works.",
        "<p>It works.</p><p><b>Von:</b> Support &lt;support@acme.test&gt;</p>"
        "<p><b>Gesendet:</b> Donnerstag, 12. März 2026 10:02</p><p><b>An:</b> Eva</p>"
        "<p><b>Betreff:</b> Lampe</p><p>Bitte.</p>",
    ),
    (
        "It works.",
        '<div class="ydp">It works.</div><div><br></div>'
        '<div id="yahoo_quoted_1" class="yahoo_quoted"><div>'
        "<div>On Thursday, March 12, 2026 at 10:02:02 AM GMT+1, Support &lt;support@acme.test&gt; wrote: </div>"
        "<div><br></div><div>Please restart.</div></div></div>",
    ),
    (
        "It works.",
        '<p>It works.</p><div class="moz-cite-prefix">Am 12.03.26 um 10:02 schrieb Support:<br></div>'
        '<blockquote type="cite"><p>Bitte.</p></blockquote>',
    ),
    (
        "It works.",
        '<p>It works.</p><div class="moz-cite-prefix">Am 12.03.26 um 10:02 schrieb Support:<br></div>'
        '<blockquote type="cite"><p>Bitte.</p></blockquote>'
        '<pre class="moz-signature" cols="72">-- \nEva Muster\nCustomer Ltd.</pre>',
    ),
    (
        "It works.",
        '<div class="moz-cite-prefix">Am 12.03.26 um 10:02 schrieb Support:<br></div>'
        '<blockquote type="cite"><p>Bitte.</p></blockquote><p>It works.</p>'
        '<pre class="moz-signature" cols="72">-- \nEva Muster\nCustomer Ltd.</pre>',
    ),
    (
        "It works.",
        '<div>It works.</div><div class="protonmail_signature_block">'
        '<div class="protonmail_signature_block-proton">Sent with <a href="https://proton.me/mail/home">'
        "Proton Mail</a> secure email.</div></div>"
        '<div class="protonmail_quote">On Thursday, March 12th, 2026 at 10:02 AM, Support '
        "&lt;support@acme.test&gt; wrote:<br>"
        '<blockquote class="protonmail_quote"><div>Please restart.</div></blockquote></div>',
    ),
    (
        "It works.",
        '<div>It works.</div><div class="zmail_extra">'
        "<div>---- On Thu, 12 Mar 2026 10:02:02 +0530 <b>Support &lt;support@acme.test&gt;</b> wrote ---<br></div>"
        "<blockquote><div>Please restart.</div></blockquote></div>",
    ),
    (
        "好的",
        "<div>好的</div><div><br></div>"
        '<div style="font-size:12px">------------------&nbsp;原始邮件&nbsp;------------------</div><div>'
        '<div><b>发件人:</b>&nbsp;"Support"&lt;support@acme.test&gt;;</div>'
        "<div><b>发送时间:</b>&nbsp;2026年3月12日(星期四) 上午10:02</div>"
        '<div><b>收件人:</b>&nbsp;"Eva"&lt;eva@example.net&gt;;</div><div><b>主题:</b>&nbsp;灯</div></div>'
        "<div>请</div>",
    ),
    (
        "好的",
        '<div>好的</div><div><div style="border-top:1px">---- 回复的原邮件 ----</div><table><tbody>'
        "<tr><td>发件人</td><td>Support&lt;support@acme.test&gt;</td></tr>"
        "<tr><td>日期</td><td>2026年03月12日 10:02</td></tr><tr><td>收件人</td><td>eva</td></tr>"
        "<tr><td>主题</td><td>灯</td></tr></tbody></table><blockquote>请</blockquote></div>",
    ),
    (
        "Geht.",
        '<div>Geht.</div><div name="quote">'
        '<div>Gesendet:&nbsp;Donnerstag, 12. März 2026 um 10:02 Uhr<br/>Von:&nbsp;"Support" '
        "&lt;support@acme.test&gt;<br/>An:&nbsp;eva@example.net<br/>Betreff:&nbsp;Lampe</div>"
        "<div>Bitte.</div></div>",
    ),
    (
        "It works.",
        '<div>It works.</div><div id="composer_signature"><div>Von meinem Galaxy gesendet</div></div>'
        "<div><br></div><div>-------- Ursprüngliche Nachricht --------</div>"
        "<div>Von: Support &lt;support@acme.test&gt; </div>"
        "<div>Datum: 12.03.26  10:02  (GMT+01:00) </div><div>An: eva@example.net </div>"
        "<div>Betreff: Lampe </div><div>Bitte.</div>",
    ),
    (
        "Merci.",
        "<p>Merci.</p><p>&nbsp;</p>"
        '<blockquote>&gt; Message du 12/03/26 10:02<br/>&gt; De : "Support" &lt;support@acme.test&gt;<br/>'
        "&gt; A : eva@example.net<br/>&gt; Copie à : <br/>&gt; Objet : Lampe<br/>&gt; <br/>&gt; "
        "Texte</blockquote>",
    ),
    (
        "It works.",
        "<font>It works.</font><br><br><table>"
        "<tr><td>Von:</td><td>Support &lt;support@acme.test&gt;</td></tr>"
        "<tr><td>An:</td><td>eva@example.net</td></tr>"
        "<tr><td>Datum:</td><td>12.03.2026 10:02</td></tr>"
        "<tr><td>Betreff:</td><td>Lampe</td></tr></table><hr noshade><br>Bitte.",
    ),
    (
        "It works.",
        "<div>It works.</div>"
        "<div>&gt;&gt;&gt; Support &lt;support@acme.test&gt; 3/12/2026 10:02 AM &gt;&gt;&gt;</div>"
        "<div>Please restart.</div>",
    ),
    (
        "Geht.",
        '<p>Geht.</p><blockquote type="cite">'
        "<div>Support &lt;support@acme.test&gt; hat am 12.03.2026 10:02 CET geschrieben:</div>"
        "<div>Bitte.</div></blockquote>",
    ),
    (
        "It works.",
        "<div>It works.</div><br>"
        "<blockquote>On March 12, 2026, Support &lt;support@acme.test&gt; wrote:<br>"
        "<br>Please restart.</blockquote>",
    ),
    (
        "Работает",
        "<div>Работает</div><div><br></div>"
        '<blockquote style="border-left:1px solid">Четверг, 12 марта 2026, 10:02 +03:00 от Support '
        "&lt;support@acme.test&gt;:<br>&nbsp;<div>Прошу</div></blockquote>"
        "<div>--<br>Ева Мустер</div>",
    ),
    (
        "Работает",
        "<div>Работает</div><div> </div>"
        '<div>12.03.2026, 10:02, "Support" &lt;support@acme.test&gt;:</div><blockquote>'
        "<p>Прошу</p></blockquote>",
    ),
    (
        "It works.",
        "<div>It works.</div>"
        '<div name="messageReplySection">On Mar 12, 2026 at 10:02 +0100, Support &lt;support@acme.test&gt;, '
        "wrote:<br />"
        '<blockquote type="cite">Please restart.</blockquote></div>',
    ),
    (
        "It works.",
        '<div>It works.</div><div class="gmail_quote">'
        "<div>##- Please type your reply above this line -##</div><div>Please restart.</div></div>",
    ),
    (
        "Działa.",
        "<div>Działa.</div>"
        "<div>Dnia 12 marca 2026 10:02 Support &lt;support@acme.test&gt; napisał(a):</div>"
        "<blockquote>Proszę</blockquote>",
    ),
    (
        "Funguje.",
        "<div>Funguje.</div>"
        "<div>---------- Původní e-mail ----------<br>Od: Support &lt;support@acme.test&gt;<br>Komu: "
        "eva@example.net<br>Datum: 12. 3. 2026 10:02:02<br>Předmět: Lampa</div>"
        "<blockquote>Prosím</blockquote>",
    ),
]


def parse_new_text(html: str, header: str = "In-Reply-To: <a@example.com>\r\n") -> str:
    head = f"From: eva@example.net\r\nTo: support@acme.test\r\n{header}Content-Type: text/html; charset=utf-8\r\n\r\n"
    return parse(f"{head}{html}".encode()).text


def test_replies() -> None:
    assert [html for new, html in REPLY_CASES if parse_new_text(html) != new] == []


def test_quote_of_a_recipient_marks_a_reply() -> None:
    quote = "<blockquote>The lamp.</blockquote>"
    assert (
        parse_new_text(f"Yes.<p>On 12 Mar 2026 at 10:02, Acme &lt;Support@acme.test&gt; wrote:</p>{quote}", "")
        == "Yes."
    )
    own = "Yes.\n\nOn 12 Mar 2026 at 10:02, Eva <eva@example.net> wrote:\n\n> The lamp."
    assert parse_new_text(f"Yes.<p>On 12 Mar 2026 at 10:02, Eva &lt;eva@example.net&gt; wrote:</p>{quote}", "") == own


def test_signature_delimiter_keeps_its_space() -> None:
    for mark in ("-- ", "--&nbsp;", "<span>-- </span>"):
        assert parse_new_text(f"<p>Words.</p><div>{mark}<br>Eva Muster<br>Customer Ltd.</div>") == "Words."
