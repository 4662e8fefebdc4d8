"""HTML as safe HTML, and as text for people."""

from __future__ import annotations

import pytest

from router.mail.html_style import canonical_style
from router.mail.html_text import sanitized_to_text
from router.mail.parse import parse
from router.mail.text import MAX_HTML, sanitize_html


def text_of(html: str) -> str:
    return sanitized_to_text(sanitize_html(html) or "", 1000)


MAP = "[Shop] (https://x.example/1) a@x.example"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("a  \n b&nbsp;c", "a b c"),
        ('<a href="https://x.example/y">here</a>', "here (https://x.example/y)"),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="https://evil.example/">https://bank.example/</a>', "https://bank.example/ (https://evil.example/)"),
        ('<a href="mailto:a@x.example?subject=y">write</a>', "write (a@x.example)"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        (
            '<a href="https://x.example/"><img src="https://x.example/l.png" alt="Logo"></a>',
            "[Logo] (https://x.example/)",
        ),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "- a\n- b\n  - c"),
        ("<ol start=3><li>a<li>b</ol>", "3. a\n4. b"),
        ("<table><tr><th>A<th>B<tr><td>1<td>2</table>", "A | B\n1 | 2"),
        ("<table><tr><td><div>layout</div></td><td></td></tr></table>", "layout"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>\n> > b\n\nc"),
        ("<pre>a  b\n  c</pre>", "a  b\n  c"),
        ('<div style="display: none">preheader</div>text', "text"),
        ('<span style="visibility:hidden">no</span><p hidden>no</p>text', "text"),
        ('<td style="font-size:0px"><p>a newsletter</p></td>', "a newsletter"),
        ('<img src="https://t.example/p.gif" width="1" height="1" alt="pixel">text', "text"),
        ("<script>alert(1)</script><style>p{}</style><title>t</title>text", "text"),
        ("<!-- no -->text<!--[if mso]>no<![endif]-->", "text"),
        ("3 &lt; 4 &amp;&amp; &euro;", "3 < 4 && €"),
        ("&zwnj;&#847;&shy;text", "text"),
        ('<div style="white-space: pre-wrap">a\n  b  c\n\nd</div>e', "a\n  b  c\n\nd\ne"),
        ('<div style="white-space:pre-line"> a  b\n  c</div>', "a b\nc"),
        ('<div style="white-space:break-spaces">a\nb</div>', "a\nb"),
        ('<div style="white-space:pre">a\n  b</div>', "a\n  b"),
        ('<div style="white-space-collapse:preserve">a\nb</div>', "a\nb"),
        (
            '<div style="white-space:pre-wrap"><p>a\nb <span style="white-space:normal">c\n d</span></p></div>',
            "a\nb c d",
        ),
        ('one <span style="white-space:pre-wrap">two\n  three</span> four', "one two\n  three four"),
        ('<pre style="white-space:normal">a\n  b</pre>', "a b"),
        ('<div style="white-space:nowrap">a\n  b</div>', "a b"),
        ('<ul style="white-space:pre-wrap"><li>a\nb</li>\n<li>c</li></ul>', "- a\n  b\n\n- c"),
        ('<a href="https://x.example/1"><img src="b.png"></a>', "https://x.example/1"),
        (
            'see<a href="https://x.example/1"><img></a><a href="https://x.example/2"><img alt=" "></a>',
            "see https://x.example/1 https://x.example/2",
        ),
        ('<a href="https://x.example/1"><img title="Pay"></a>', "[Pay] (https://x.example/1)"),
        ('<a href="https://x.example/1"><img width=1 height=1></a>text', "text"),
        ('<a href="https://x.example/1"></a>text', "text"),
        ('<map><area href="https://x.example/1" alt="Shop"><area href="mailto:a@x.example"></map>', MAP),
        ('<a href="ftp://x.example/a.zip">log</a>', "log (ftp://x.example/a.zip)"),
        ("refund <s>100 </s>50, to <del>Rome</del> Bern", "refund ~~100~~ 50, to ~~Rome~~ Bern"),
        ('<p>a <span style="text-decoration: line-through">b<br>c</span></p><s></s>', "a ~~b~~\n~~c~~"),
        ('<div style="display:none;display:block">a</div>', "a"),
        ('<div style="display:none!important;display:block">a</div>b', "b"),
        ('<div style="display:block!important;display:none">a</div>', "a"),
        ('<div style="visibility:hidden">a<b style="visibility:visible">b</b>c</div>', "b"),
        ('<div style="max-height:0">a</div><div style="max-height:0px;overflow:hidden">b</div>', "a"),
        ('<div style="opacity:0">a</div><div style="opacity:0;opacity:1">b</div>', "b"),
        ("<p>open <b>never <i>closed", "open never closed"),
        ("", ""),
    ],
)
def test_text_of_html(html: str, expected: str) -> None:
    assert text_of(html) == expected


@pytest.mark.parametrize(
    ("html", "gone"),
    [
        ('<p onclick="x()">a</p>', "onclick"),
        ("<script>x()</script>a", "x()"),
        ('<img src="https://remote.example/i.png">', "remote.example"),
        ('<img src="//remote.example/i.png">', "remote.example"),
        ('<img srcset="https://remote.example/i.png">', "remote.example"),
        ('<p style="background:url(https://remote.example/i.png)">a</p>', "remote.example"),
        ('<table background="https://remote.example/i.png"><tr><td>a</table>', "remote.example"),
        ('<link rel="stylesheet" href="https://remote.example/">', "remote.example"),
        ('<iframe src="https://remote.example/"></iframe>', "remote.example"),
        ('<form action="https://remote.example/"><input></form>', "remote.example"),
        ('<a href="javascript:x()">a</a>', "javascript"),
        ('<a href="data:text/html,x">a</a>', "data:"),
        ('<a title="https://bank.example" href="https://x.example">a</a>', "bank.example"),
        ('<svg><a xlink:href="javascript:x()">a</a></svg>', "javascript"),
        ('<base href="https://remote.example/">', "remote.example"),
        ('<meta http-equiv="refresh" content="0;url=https://remote.example/">', "remote.example"),
    ],
)
def test_sanitized_html_loads_and_runs_nothing(html: str, gone: str) -> None:
    assert gone not in (sanitize_html(html) or "")


def test_images_of_the_mail_itself_stay() -> None:
    assert 'src="cid:a@b"' in (sanitize_html('<img src="cid:a@b">') or "")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("", ""),
        ("color:red; font-size:0; mso-hide:all", ""),
        ("DISPLAY : None", "display:none"),
        ("display:none; display:", "display:none"),
        ("display:none; display:12px", "display:none"),
        ("display:none;/* display:block */", "display:none"),
        ("background:url(x;display:none)", ""),
        ('font-family:"a;display:none";visibility:hidden', "visibility:hidden"),
        ("opacity:0%", "display:none"),
        ("opacity:.05", ""),
        ("max-height:0.5em;overflow:hidden", ""),
        ("max-height:0;overflow:hidden;max-height:none", ""),
        ("white-space:pre-wrap;white-space:-unknown", "white-space:pre-wrap"),
        ("white-space: preserve nowrap", "white-space:pre-wrap"),
        ("white-space:inherit", ""),
        ("visibility:visible;white-space:pre", "visibility:visible;white-space:pre"),
    ],
)
def test_what_a_style_says_about_showing(style: str, expected: str) -> None:
    assert canonical_style(style) == expected


WORDS = "<p>The lamp is dark.</p>"


@pytest.mark.parametrize(
    "before",
    [
        "<style>" + "p{margin:0}" * (MAX_HTML // 10) + "</style>",
        "<!--[if gte mso 9]><xml>" + "<o:x/>" * (MAX_HTML // 5) + "</xml><![endif]-->",
        "<!doctype html><script>" + "x<y;" * (MAX_HTML // 3) + "</script><br class=x>",
        "<p>" + f"<span class=x style='{'mso-a:b;' * 50}'>a </span>" * (MAX_HTML // 300) + "</p>",
    ],
    ids=["style", "comment", "script", "attributes"],
)
def test_a_bound_cuts_after_what_is_not_seen(before: str) -> None:
    contents = parse(f"Content-Type: text/html\n\n{before}{WORDS}".encode())
    assert contents.text.endswith("The lamp is dark.")
    assert "The lamp is dark." in contents.html
    assert contents.warnings == ()


@pytest.mark.parametrize(
    ("html", "text", "warning"),
    [
        ("<div style='display:none'>Your code is 4711.</div><img>", "Your code is 4711.", "hidden text"),
        ("<title>An unclosed title<body><p>Words.</p>", "An unclosed title Words.", "broken HTML"),
        ("<script>x()</script><style>p{}</style><title>t</title>", "", ""),
        ("<p>seen</p><p hidden>hidden</p>", "seen", ""),
    ],
)
def test_html_that_shows_nothing_is_shown_all_the_same(html: str, text: str, warning: str) -> None:
    contents = parse(f"Content-Type: text/html\n\n{html}".encode())
    assert " ".join(contents.text.split()) == text
    assert [found.partition(":")[0] for found in contents.warnings] == [warning] * bool(warning)


def test_html_beyond_its_bound_keeps_what_the_first_of_two_attributes_says() -> None:
    html = "<p style='color:red' style='display:none'>seen</p>" + "<!-- x -->" * (MAX_HTML // 10)
    assert parse(f"Content-Type: text/html\n\n{html}".encode()).text == "seen"
