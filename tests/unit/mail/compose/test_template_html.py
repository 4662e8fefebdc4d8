"""HTML of templates: what is kept, and the element whose content a user replaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.compose.template_html import count_editable, fill_editable, sanitize_template

PIECES = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<div data-editable>",
        "</div>",
        "<b>",
        "</b>",
        "<br>",
        "a\n",
        "&amp;",
        "{name}",
        "<hr data-editable>",
    ]
)
MARK = "\N{SECTION SIGN}"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<p onclick="x" class="a" style="color:red">x</p>', '<p style="color:red">x</p>'),
        ('<a href="{link}">x</a>', '<a href="{link}">x</a>'),
        ('<a href="{link|https://a.example}">x</a>', '<a href="{link|https://a.example}">x</a>'),
        ('<a href="{subject}">x</a><a href="/x">y</a>', "<a>x</a><a>y</a>"),
        ('<a href="javascript:x">x</a><script>x</script>', "<a>x</a>"),
        (
            '<img src="https://a.example/x.png" alt="x"><img src="cid:x">',
            '<img src="https://a.example/x.png" alt="x"><img>',
        ),
        ("&#123;name&#125;", "{name}"),
        ("<p data-editable>x</p>", "<p>x</p>"),
    ],
)
def test_templates_are_sanitised(html: str, expected: str) -> None:
    assert sanitize_template(html, is_editable=False) == expected


@given(st.lists(PIECES, max_size=20).map("".join))
def test_exactly_the_content_of_the_first_editable_element_is_replaced(html: str) -> None:
    clean = sanitize_template(html, is_editable=True)
    assert clean is not None
    assert sanitize_template(clean, is_editable=True) == clean
    filled = fill_editable(clean, MARK)
    if count_editable(clean) != 1:
        assert (MARK in filled) == (count_editable(clean) > 1)
        return
    before, after = filled.split(MARK)
    assert before.endswith(' data-editable="">')
    assert after.startswith("</")
    assert clean.startswith(before)
    assert clean.endswith(after)
    assert fill_editable(filled, MARK) == filled
