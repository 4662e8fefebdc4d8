"""Links in plain text, and the Markdown of internal notes."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.note_text import note_html
from api.dashboard.text_links import MAX_LINKS_LENGTH, MAX_URL_LENGTH, linkify

LINK = re.compile(r'<a href="([^"]*)" rel="noopener noreferrer nofollow" target="_blank" dir="ltr">([^<]*)</a>')


def link_targets(text: str) -> list[str]:
    return [unescape(target) for target, _ in LINK.findall(str(linkify(text)))]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("see https://a.test/x?b=1&c=<2>.", ["https://a.test/x?b=1&c="]),
        ("(https://a.test/x_(y)), [http://b.test]!", ["https://a.test/x_(y)", "http://b.test"]),
        ("HTTPS://A.TEST/X... and 'https://b.test/'", ["HTTPS://A.TEST/X", "https://b.test/"]),
        ("詳細はhttps://例え.test/を。", ["https://例え.test/を"]),
        ("mailto:a@b.test; a@b.test www.b.test", ["mailto:a@b.test"]),
        ("javascript:alert(1) data:x ftp://a.test file:///etc //a.test", []),
        ("https://bank.test@evil.test/ https://bank.test:1@evil.test", []),
        ("https:// http://. http://) mailto: mailto:x xhttps://a.test", []),
        ("https://a.test/\u202egnp.exe https://b\u200b.test", ["https://a.test/", "https://b"]),
        ("https://مثال.test/a", ["https://مثال.test/a"]),
        ("https://[::1]/x", ["https://[::1]/x"]),
        (f"https://a.test/{'x' * MAX_URL_LENGTH}", []),
    ],
)
def test_urls_become_links(text: str, targets: list[str]) -> None:
    assert link_targets(text) == targets


FRAGMENTS = (
    "https://",
    "http://a.test/x",
    "mailto:a@b",
    "javascript:",
    "<b>",
    '"',
    "'",
    "&",
    "\u202e",
    ")",
    "(",
    ".",
    " ",
    "\n",
    "é",
    "@",
)
MARKDOWN = ("**", "*", "_", "`", "```\n", "- ", "1. ", "> ", "[a](", "](https://x.test)", "# ", "<i>")


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_links_change_no_text_and_show_their_targets(text: str) -> None:
    html = str(linkify(text))
    for target, shown in LINK.findall(html):
        assert unescape(target) == unescape(shown)
        assert re.match(r"(?:https?://|mailto:)", target, re.IGNORECASE)
    remaining = LINK.sub(r"\2", html)
    assert re.search(r"[<>\"]", remaining) is None
    assert unescape(remaining) == text


def test_links_of_a_text_are_bounded() -> None:
    text = "http://a.test " * 5000
    assert len(linkify(text)) <= len(text) + MAX_LINKS_LENGTH


A = '<a href="https://a.test" rel="noopener noreferrer nofollow" target="_blank"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\r\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        (
            "**bold** *it* _it_ `a*b*` **a `b` _c_**",
            "<p><strong>bold</strong> <em>it</em> <em>it</em> <code>a*b*</code> "
            "<strong>a <code>b</code> _c_</strong></p>",
        ),
        ("- a\n* b\n\n3. c\n4) d", '<ul><li>a</li><li>b</li></ul><ol start="3"><li>c</li><li>d</li></ol>'),
        ("> a\n> - b\n>> c", "<blockquote><p>a</p><ul><li>b</li></ul><p>&gt; c</p></blockquote>"),
        ("```sh\n<b> *x*\n\n- y\n```\nz", "<pre><code>&lt;b&gt; *x*\n\n- y</code></pre><p>z</p>"),
        ("```\nopen", "<pre><code>open</code></pre>"),
        ("[the page](https://a.test) https://a.test", f'<p>{A}>the page</a> {A} dir="ltr">https://a.test</a></p>'),
        ("[x](javascript:a) ![x](/y) <img src=x>", "<p>[x](javascript:a) ![x](/y) &lt;img src=x&gt;</p>"),
        ("[x](https://bank.test@evil.test)", "<p>[x](https://bank.test@evil.test)</p>"),
        ("[https://a.test](https://a.test)", f"<p>{A}>https://a.test</a></p>"),
        (  # a label that could be taken for the target is shown with the target
            "[http://bank.test](https://a.test)",
            f'<p>[{A.replace("https://a", "http://bank")} dir="ltr">http://bank.test</a>]({A} dir="ltr">https://a.test</a>)</p>',
        ),
        ("[\u202etset.knab](https://a.test)", f'<p>[\u202etset.knab]({A} dir="ltr">https://a.test</a>)</p>'),
        ("2 * 3 * 4, snake_case_name, ** a **, -x", "<p>2 * 3 * 4, snake_case_name, ** a **, -x</p>"),
        ("", ""),
    ],
)
def test_markdown_of_notes(text: str, html: str) -> None:
    assert note_html(text) == html


OUR_TAG = re.compile(
    r'</?(?:p|br|strong|em|code|pre|ul|li|blockquote|ol|a)>|<ol start="\d+">|<a href="(?:https?://|mailto:)[^"<>]*" '
    r'rel="noopener noreferrer nofollow" target="_blank"(?: dir="ltr")?>',
    re.IGNORECASE,
)


@given(st.lists(st.sampled_from((*FRAGMENTS, *MARKDOWN)), max_size=40).map("".join))
def test_notes_contain_only_our_tags(text: str) -> None:
    html = str(note_html(text))
    assert re.search(r"[<>\"]", OUR_TAG.sub("", html)) is None
    for name in ("p", "strong", "em", "code", "pre", "ul", "li", "blockquote", "ol", "a"):
        assert len(re.findall(f"<{name}[ >]", html)) == html.count(f"</{name}>")
