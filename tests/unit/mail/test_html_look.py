"""The look that sanitised HTML keeps: declarations, style sheets, layout and colours."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.contents import DEFAULT_LIMITS
from router.mail.html_design import color_use, has_layout, has_remote_images
from router.mail.html_presentation import safe_style
from router.mail.html_sanitizer import MAX_HTML_LENGTH, sanitize_html
from router.mail.html_style_sheet import MAX_SHEET_LENGTH, extract_style_sheet
from router.mail.html_text import sanitized_to_text
from router.mail.parse import parse


def sanitize(html: str) -> str:
    clean = parse(f"Content-Type: text/html; charset=utf-8\n\n{html}".encode()).html
    assert clean
    return clean


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("COLOR : Red; background:#FFF url('x;y.png') no-repeat", "color:red;background:#fff no-repeat"),
        ('font:12px/1.5 "Segoe UI",Arial;font-family:ＭＳ', "font:12px/1.5 'segoe ui',arial;font-family:ｍｓ"),
        ("padding:1px 2px!important;width:50%;max-width:600px", "padding:1px 2px;width:50%;max-width:600px"),
        ("color:red;color:blue", "color:blue"),
        ("background:linear-gradient(rgb(1,2,3),#fff)", "background:linear-gradient(rgb(1,2,3),#fff)"),
        ("display:inline-block;display:grid", "display:inline-block"),
        ("display:none;color:red", "display:none"),
        ("border:none;margin:0 0 0 40px", "border:0;margin:0 0 0 40px;border:none"),
        (
            "color:red;white-space:pre-line;text-decoration:line-through",
            "color:red;white-space:pre-line;text-decoration:line-through",
        ),
        ("position:fixed;top:0;z-index:9;transform:scale(9);opacity:.5;content:'x';filter:none;cursor:wait", ""),
        ("margin:-5px;margin-left:1px -2px;text-indent:-999em;letter-spacing:- 2px", ""),
        ("height:100vh;width:50dvw", ""),
        ("width:expression(alert(1));color:var(--x);background:image-set(a);color:\\72 ed;color:red<", ""),
        ("color:windowtext;font-family:'a;color:rgb(1;background-color:url(x)", ""),
        (f"font-family:{'a' * 201}", ""),
    ],
)
def test_declarations_only_style_in_place(style: str, expected: str) -> None:
    assert safe_style(style) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<STYLE type=x>body, .a > td { color : RED !important } b{}</STYLE>", "body, .a > td{color:red!important}"),
        (
            "<style>@media only screen and (max-width:480px){.m{display:none}.n{x:y}}p{width:1px}</style>",
            "@media only screen and (max-width:480px){.m{display:none}}p{width:1px}",
        ),
        ("<style media=print>p{color:red}</style>", "@media print{p{color:red}}"),
        ("<style>@media (prefers-color-scheme:dark){a{color:#fff", ""),
        ("<style><!-- a:hover{color:red} --></style>", "a:hover{color:red}"),
        ("<!--[if mso]><style>p{color:red}</style><![endif]--><style>i{color:red}</style>", "i{color:red}"),
        (
            "<style>@import url('https://x/;a.css');@font-face{font-family:x;src:url(y)}b{color:red}</style>",
            "b{color:red}",
        ),
        (
            "<style>@supports (x){b{color:red}}@media x{@media y{i{color:red}}u{color:red}}</style>",
            "@media x{u{color:red}}",
        ),
        ("<style>@media (min-height:9px){a{color:red}}@media (orientation:portrait){b{color:red}}</style>", ""),
        ("<style>a{color:red;b{color:red}color:blue}i{color:red}</style>", "a{color:blue}i{color:red}"),
        ("<style>a:not(b){color:red}a[b='{color:red}</style>", ""),
        ("<style>a{background:url(data:x;base64,A}B)}b{color:red}</style>", "b{color:red}"),
        ("<style>a{content:'}';color:red}</style>", "a{color:red}"),
        ("<p style='a'>", ""),
    ],
)
def test_style_sheets_keep_safe_rules(html: str, expected: str) -> None:
    assert extract_style_sheet(html) == expected


PIECES = (
    *(
        "<style>",
        "</style>",
        "<!--",
        "-->",
        "@media x{",
        "@import ",
        "url(//x)",
        "{",
        "}",
        ";",
        "'",
        '"',
        "\\",
        "/*",
        "*/",
        ")",
        "(",
    ),
    *(
        "a",
        "color:red",
        "position:fixed",
        "content:'x'",
        "expression(",
        "<",
        ">",
        "background:",
        "!important",
        "\n",
        "é",
    ),
)
FORBIDDEN = re.compile(r"[<\\]|url\(|@import|expression|position:|content:")


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_style_loads_or_leaves_its_place(text: str) -> None:
    sheet, style = extract_style_sheet(f"<style>{text}"), safe_style(text)
    assert FORBIDDEN.search(sheet) is None
    assert FORBIDDEN.search(style) is None
    assert sheet.count("{") == sheet.count("}")
    assert safe_style(style) == style or "border" in style


STYLES = (
    *("border:none", "margin:0 0 0 40px", "text-decoration:line-through underline", "white-space:pre", "display:none"),
    *(
        "display:none;display:block",
        "visibility:hidden",
        "visibility:visible",
        "opacity:0",
        "max-height:0;overflow:hidden",
    ),
    *("color:red", "border:0 none", "text-decoration:underline", "display:table"),
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["p", "b", "blockquote", "td"]), st.lists(st.sampled_from(STYLES), max_size=3)),
        max_size=6,
    )
)
def test_look_does_not_change_the_text(elements: list[tuple[str, list[str]]]) -> None:
    html = "".join(f'<{name} class=x style="{";".join(styles)}">a\n  b ' for name, styles in elements)
    styled, bare = sanitize_html(html) or "", sanitize_html(html, is_styled=False) or ""
    assert sanitized_to_text(styled, 1000) == sanitized_to_text(bare, 1000)
    assert "class" not in bare


def test_remote_images_keep_an_address_that_nothing_loads() -> None:
    html = '<img src=" https://x.test/a?b&amp;c" alt="A"><img src="HTTP://x.test/b"><img src="//x.test/c"><img src="ftp://x.test/d">'
    assert re.findall(r'src="([^"]*)"', sanitize(html)) == ["remote:https://x.test/a?b&amp;c", "remote:HTTP://x.test/b"]


def test_body_keeps_its_look_and_its_direction() -> None:
    clean = sanitize(
        "<style>.b{color:red}</style><body class=b dir=rtl bgcolor=#eee text=navy style='font-size:9px'>x</body>"
    )
    assert clean.startswith('<style>.b{color:red}</style><span class="b" ')
    assert 'dir="rtl"' in clean
    assert 'style="display:block;background-color:#eee;color:navy;font-size:9px"' in clean


def test_styles_do_not_displace_text() -> None:
    """Long HTML loses its styles before it loses text; style sheets are bounded."""
    cell = f'<td style="font-family:{"a" * 150}" class="{"c" * 100}">'
    cells = MAX_HTML_LENGTH // 220
    contents = parse(f"Content-Type: text/html\n\n{f'{cell}word </td>' * cells}".encode())
    assert contents.text.count("word") == cells
    assert contents.warnings == ()
    assert "font-family" not in contents.html
    sheets = f"<style>{'a{color:red}' * 9000}</style>" * 3
    part = f"\n--b\nContent-Type: text/html\n\n{sheets}<p>x</p>"
    contents = parse(f"Content-Type: multipart/mixed; boundary=b\n{part}{part}\n--b--\n".encode())
    assert 0 < len(contents.html) < MAX_SHEET_LENGTH + 100 < DEFAULT_LIMITS.sanitized_html


RULED = "<table border=1>" + "<tr><td>a<td>b" * 3 + "</table>"
TALK = "<style>p.MsoNormal{margin:0}</style><p class=MsoNormal style='color:#1F497D'>Hello</p>"
NEWS = "<table width=600><tr><td style='background:#f4f4f4'>x</table>"
NIGHT = "<body style='background:#111;color:#eee'><table bgcolor=#111><tr><td>x</table></body>"


@pytest.mark.parametrize(
    ("html", "layout", "colors"),
    [
        ("<p>Hello <b>you</b></p>", False, "none"),
        (TALK, False, "light"),
        ("<div style='color:rgb(34,34,34);background-color:rgb(255,255,255)'>x</div>", False, "light"),
        ("<table><tr><td>Ada<td>Director<tr><td>Tel<td>1<tr><td>a<td>b</table>", False, "none"),
        ("<table bgcolor=white><tr><td bgcolor=#FFFFFF>x</table>", False, "light"),
        (RULED, True, "none"),
        (NEWS, True, "light"),
        ("<a style='background-color:navy;padding:9px'>Pay</a>", True, "light"),
        ("<img src='cid:a' width=640>", True, "none"),
        ("<img src='cid:a' style='width:640px'><img width=20>", True, "none"),
        ("<img src='cid:a' width=48>", False, "none"),
        (NIGHT, True, "dark"),
        ("<table bgcolor=#fff><tr><td bgcolor=#000>x</table>", True, "light"),
        ("<style>@media (prefers-color-scheme:dark){p{color:#fff}}</style><p style='color:#000'>x", False, "adaptive"),
        ("<style>:root{color-scheme:light dark}</style><p>x", False, "adaptive"),
        ("<style>p{color:red}</style><p>x", False, "light"),
    ],
)
def test_layout_and_colors(html: str, layout: bool, colors: str) -> None:
    clean = sanitize(html)
    assert (has_layout(clean), color_use(clean)) == (layout, colors)


def test_invisible_images_do_not_count() -> None:
    assert not has_remote_images(sanitize("<p>x<img src='https://t.test/p' width=1 height=1><img src='cid:a'>"))
    assert has_remote_images(sanitize("<img src='https://t.test/p' width=1><img src='https://t.test/p' width=10>"))
