"""HTML as safe HTML, and as text for people."""

from __future__ import annotations

import pytest

from router.mail.html_text import sanitized_to_text
from router.mail.text import sanitize_html


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
        ("<p>open <b>never <i>closed", "open never closed"),
        ("", ""),
    ],
)
def test_text_of_html(html: str, expected: str) -> None:
    assert sanitized_to_text(sanitize_html(html), 1000) == expected


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
    assert gone not in sanitize_html(html)


def test_images_of_the_mail_itself_stay() -> None:
    assert 'src="cid:a@b"' in sanitize_html('<img src="cid:a@b">')
