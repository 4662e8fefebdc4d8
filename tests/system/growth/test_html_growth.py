"""HTML that grows too much when parsed is shown as text. Ordinary HTML stays within the limits."""

from __future__ import annotations

import os
import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from router.mail.contents import DEFAULT_LIMITS
from router.mail.html_growth import MAX_TAG_LENGTH, is_too_complex
from router.mail.html_sanitizer import MAX_SANITIZED_LENGTH, sanitize_html, truncate_html
from router.mail.parse import parse
from tests.unit.mail.test_corpus import MAILS

FORMATTING = re.findall(r"\S+", "b big code em font i nobr s small strike strong tt u")
BLOCKS = re.findall(
    r"\S+", "p div li dd dt h1 center pre option button section blockquote hr td tr table object svg x-own o:p"
)
OPEN, ITEMS = 1200, 3000
LONG = "y" * 16000


def open_elements(n: int, name: str = "b") -> str:
    return "".join(f"<{name} title={number:x}>" for number in range(n))


BOMBS = {
    **{f"formatting {name}": f"<ul><li>{open_elements(OPEN, name)}{'<li>x' * ITEMS}" for name in FORMATTING},
    **{f"block {name}": f"<div>{open_elements(OPEN)}</div>{f'<{name}>x</{name}>' * ITEMS}" for name in BLOCKS},
    "mixed names": f"<ul><li>{''.join(f'<{name}>' for name in FORMATTING) * 90}{'<li>x' * 40_000}",
    "a few with long attributes": f"<ul><li>{''.join(f'<b title={LONG}{n}>' for n in range(20))}{'<li>x' * 9000}",
    "inline elements end": f"{'<span>' * 700}{open_elements(700)}{'</span>x' * 700}",
    "formatting elements end": f"{open_elements(700, 'i')}{open_elements(700)}{'</i>x' * 700}",
    "end tags after many blocks": f"{open_elements(700)}{'<div>' * 700}{'</b>x' * 20_000}",
    "foster parenting": f"<table>{open_elements(OPEN)}{'<tr>x' * ITEMS}",
    "after a table": f"<table>{open_elements(OPEN)}</table>{'<p>x' * ITEMS}",
    "end tags inside a table": f"<div>{open_elements(OPEN)}<table>{'</b>' * OPEN}</table></div>{'<p>x' * ITEMS}",
    "end tags inside an object": f"<div>{open_elements(OPEN)}<object>{'</b>' * OPEN}</object></div>{'<p>x' * ITEMS}",
    "end tags in a comment": f"<ul><li>{open_elements(OPEN)}<!--{'</b>' * OPEN}-->{'<li>x' * ITEMS}",
    "end tags in an attribute": f"<ul><li>{open_elements(OPEN)}<p title='{'</b>' * OPEN}'>{'<li>x' * ITEMS}",
    "end tags in a style": f"<ul><li>{open_elements(OPEN)}<style>{'</b>' * OPEN}</style>{'<li>x' * ITEMS}",
    "a style inside SVG": f"<ul><li><svg><style>{open_elements(OPEN)}{'<li>x' * ITEMS}</style>",
    "a cell outside a table": f"<table></table><td>{open_elements(OPEN)}</td>{'<p>x' * ITEMS}",
    "a table that ends the table around it": f"<table><table></table><td>{open_elements(OPEN)}</td>{'<p>x' * ITEMS}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_html_that_grows_is_shown_as_text(name: str) -> None:
    assert is_too_complex(BOMBS[name])
    contents = parse(b"Content-Type: text/html; charset=utf-8\n\nbefore " + BOMBS[name].encode() + b" behind")
    assert contents.warnings == ("HTML too complex: shown as text",)
    assert contents.html == ""
    assert contents.text.startswith("before")
    assert contents.text.endswith("behind")


@pytest.mark.parametrize(
    "unit",
    [
        "<div></x>",
        "<div></i>",
        "<x-own></y-own>",
        "<ul></x><li>",
        "<div><object></div></object>",  # `object` limits the scope of the end tag
        "<span><div></span>",  # the end tag of the span is inside a block element
        "<span><p></span><li></li>",
        "<form><div></form>",  # the end tag closes the form, but not the div
        "<div><!--</div>-->",
        "<div><style></div></style>",
        "<svg><div></svg>",  # an HTML element ends the SVG content
        "<svg><span></svg>",
        "<select></x>",
        "<template></x>",
        "<table><tr><td><div></tr>",
    ],
)
def test_depth_is_not_reduced_by_an_end_tag_that_closes_nothing(unit: str) -> None:
    html = unit * 3200
    assert is_too_complex(html)
    assert sanitize_html(html) is None


def test_nested_elements_of_a_drawing_are_counted() -> None:
    assert is_too_complex("<svg>" + "<td>" * 2000)


@pytest.mark.parametrize("name", ["html", "body"])
def test_merged_attributes_exceed_the_limit(name: str) -> None:
    assert is_too_complex("".join(f"<{name} a{number}=1>" for number in range(20_000)))
    assert not is_too_complex(f"<{name} a=1 b=2 c='3'><p>x</p></{name}>" * 100)


@pytest.mark.parametrize(
    "html",
    [
        "<span><p>x</p></span>" * 3000,
        "<div><font>x</div>" * 900,
        "<table>" + "<tr><td><center><span>x</td></tr>" * 700 + "</table>",
        "<div><b><div>x</b></div></div>" * 3000,
        "<p>x" * 20_000,
        "<button>x" * 3000,
        "<ruby>x<rt>y</ruby>" * 3000,
        "<font color=red><font size=2><b><i><u>" + "<div>x</div>" * 6000,
        "<b>" * 1200 + "<p>x" * 3000,  # the parser reopens at most three equal elements
        "<a name=x>" * 1400 + "<p>x" * 5000,  # each link ends the previous one
        "<div>" + "<p><b title=1>x</b> <a href='https://x.example/'><i>y</i></a></p>" * 5000 + "</div>",
        "<table>" + "<tr>" + "<td><font size=1><b>x<td><font size=2>y" * 350 + "</table>" + "<p>x" * 2000,
        "<a href=x><table><tr><td><div><b>x</b></div></td></tr></table></a>" * 2000,
        "<font><p>x</font><b><div>y</b></div>" * 2000,
        "<svg><title>logo</title></svg><style>p > b {}</style>" + "<p><b>x</b></p>" * 3000,
    ],
)
def test_sloppy_and_long_html_does_not_grow(html: str) -> None:
    assert not is_too_complex(html)
    assert sanitize_html(html)


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_corpus_stays_within_the_limits(path: Path) -> None:
    assert "HTML too complex: shown as text" not in parse(path.read_bytes()).warnings


def test_a_tag_with_very_many_attributes_exceeds_the_limit() -> None:
    assert is_too_complex("<p " + "".join(f'a{n}="<" ' for n in range(MAX_TAG_LENGTH // 8)) + ">x")
    assert not is_too_complex("<p " + "a " * 100 + ">x")


@pytest.mark.parametrize(
    "tag",
    [
        f"<p style='background:url(data:image/png;base64,{'A' * 60_000})'>",
        f'<svg><path d="{"M1 2 " * 10_000}"></path></svg><p>',
        f"<p title='{'= < / ' * 10_000}'>",
    ],
)
def test_a_long_tag_with_few_attributes_is_accepted(tag: str) -> None:
    contents = parse(f"Content-Type: text/html\n\n<p>before</p>{tag}behind</p>".encode())
    assert contents.warnings == ()
    assert contents.text == "before\n\nbehind"


@pytest.mark.parametrize(("html", "warnings"), [(DEFAULT_LIMITS.html, ()), (65536, ("text truncated",))])
def test_oversized_embedded_image_is_dropped(html: int, warnings: tuple[str, ...]) -> None:
    contents = parse(
        b"Content-Type: text/html\n\n<p>text<img src='data:image/png;base64," + b"A" * 9_000_000 + b"'></p>",
        limits=replace(DEFAULT_LIMITS, html=html),
    )
    assert contents.warnings == warnings
    assert contents.text == "text"
    assert contents.html.startswith("<p>text")


@pytest.mark.parametrize("html", ["<p a <b " * 20_000, "<p a=\"<b a='" * 20_000, "<!--" * 40_000, "</" * 40_000, "<b"])
def test_unclosed_markup_is_estimated(html: str) -> None:
    assert not is_too_complex(html) or len(html) > MAX_TAG_LENGTH


@pytest.mark.parametrize(
    ("clean", "cut"),
    [
        ("<p>one</p><p>two</p>", "<p>one</p>"),
        ("<p>one &amp; two", "<p>one "),
        ('<p>one<a href="x">two', "<p>one"),
        ("one two three four", "one two thr"),
    ],
)
def test_sanitised_html_is_truncated_outside_tags_and_references(clean: str, cut: str) -> None:
    assert truncate_html(clean, 11) == cut
    assert truncate_html(clean, len(clean)) == clean


def test_sanitised_html_is_truncated_before_it_is_stored() -> None:
    """HTML within the limits of the parser may be longer than the stored maximum after sanitising."""
    html = f"<ul><li>{open_elements(20)}{('<li>' + 'x' * 20) * 3400}"
    assert not is_too_complex(html)
    contents = parse(b"Content-Type: text/html\n\n" + html.encode())
    assert "HTML truncated" in contents.warnings
    assert MAX_SANITIZED_LENGTH - 100 < len(contents.html) <= MAX_SANITIZED_LENGTH
    assert contents.text.count("x") > 2000


def test_huge_character_reference_is_tolerated() -> None:
    contents = parse(b"Content-Type: text/html\n\n<p>one &#" + b"9" * 5000 + b"; two" + b"<b>" * 60_000)
    assert contents.warnings[-1] == "HTML too complex: shown as text"
    assert contents.text.split() == ["one", "two"]


def test_html_with_only_references_keeps_its_text() -> None:
    contents = parse(b"Content-Type: text/html\n\n" + b"&" * 140_000)
    assert contents.text == "&" * 140_000
    contents = parse(b"Content-Type: text/html\n\n" + b"&" * 500_000)
    assert contents.text.startswith("&&&")


def test_reopened_elements_stay_small() -> None:
    """HTML with many reopened elements raises the peak memory by at most 64 MiB, measured in a separate process."""
    html = f"<ul><li>{open_elements(90)}{('<li>' + 'x' * 100) * 700}"
    assert not is_too_complex(html)
    pid = os.fork()
    if pid == 0:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sanitize_html(html)
        os._exit(int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used > 64 * 1024))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
