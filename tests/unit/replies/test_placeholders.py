"""Placeholders: which texts are accepted, and what they become."""

import html as html_escapes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.errors import Refused
from router.replies.placeholders import MAX_PLACEHOLDERS, PLACEHOLDERS, Rendered, render, validate

ALICE = {"name": "Alice", "email": "alice@example.net", "subject": "A & B", "ticket": "42"}
# Texts of the grammar and texts beside it, with many braces.
PIECES = st.sampled_from(
    ["{", "}", "{{", "|", "name", "agent", " ", "x", "<b>", *(f"{{{each}}}" for each in PLACEHOLDERS)]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40)
VALUES = st.dictionaries(st.sampled_from(sorted(PLACEHOLDERS)), TEXTS)


def is_accepted(text: str) -> bool:
    try:
        validate(text)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi {name}, about {subject}", "Hi Alice, about A & B"),
        ("{agent|The team}", "The team"),
        ("{name|there}", "Alice"),
        ("{agent|}.", "."),
        ("{{name}", "{name}"),
        ("{{{name}", "{Alice"),
        ("a } b }}", "a } b }}"),
        ("{ticket|a|b}{link|a|b}", "42a|b"),
    ],
)
def test_placeholders_become_values(text: str, expected: str) -> None:
    validate(text)
    assert render(text, ALICE).text == expected


def test_without_a_name_the_local_part_greets() -> None:
    nameless = {"name": " ", "email": "bob.smith@example.net"}
    assert render("{name}", nameless).text == "bob.smith"
    assert render("{name|there}", nameless).text == "there"


def test_missing_names_the_placeholders_that_became_nothing() -> None:
    rendered = render("{link}{agent}{agent}{date|soon}{name}", {"email": "bob@example.net"})
    assert rendered == Rendered("soonbob", ("agent", "link"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{firstname}", 'body contains "{firstname}", which is not a placeholder. Write {{'),
        ("{ Name }", "write {name}, without spaces"),
        ("{}", 'contains "{}", which is not'),
        ("{name", '"{name" without a closing "}"'),
        ("{name|{agent}}", '"{name|" without a closing'),
        ("{na<b>me</b>}", ", which is not a placeholder"),
        ("{" + "x" * 1000 + "}", "..."),
    ],
)
def test_other_braces_are_refused(text: str, part: str) -> None:
    with pytest.raises(Refused) as refused:
        validate(text, "body")
    assert (refused.value.code, refused.value.field) == ("unknown_placeholder", "body")
    assert part in refused.value.message
    assert len(refused.value.message) < 300


def test_the_number_of_placeholders_is_limited() -> None:
    validate("{name}" * MAX_PLACEHOLDERS)
    with pytest.raises(Refused) as refused:
        validate("{name}" * (MAX_PLACEHOLDERS + 1))
    assert refused.value.code == "invalid_request"


def expand(text: str, values: dict[str, str]) -> str:
    """Renders an accepted text character by character, as the grammar reads."""
    if not text:
        return ""
    if text.startswith("{{"):
        return "{" + expand(text[2:], values)
    if text[0] != "{":
        return text[0] + expand(text[1:], values)
    placeholder, _, rest = text[1:].partition("}")
    name, bar, fallback = placeholder.partition("|")
    return (values[name] or (fallback if bar else "")) + expand(rest, values)


@given(TEXTS, st.dictionaries(st.sampled_from(sorted(PLACEHOLDERS)), st.sampled_from(["", "{agent}", "{{", "x}"])))
@example("{name}", {"name": "{agent}", "agent": "Eve"})
def test_an_accepted_text_is_rendered_as_the_grammar_reads(text: str, values: dict[str, str]) -> None:
    complete = dict.fromkeys(PLACEHOLDERS, "") | values
    if is_accepted(text):
        assert render(text, complete).text == expand(text, complete)
        without_literals = text.replace("{{", "")
        assert not is_accepted(without_literals) or "{" not in render(without_literals, {}).text


@given(TEXTS, VALUES)
def test_render_never_raises_and_escapes_values_in_html(text: str, values: dict[str, str]) -> None:
    render(text, values)
    rendered = render("{subject}{name|}", values, html=True).text
    assert not set(rendered) & set("<>\"'")
    assert html_escapes.unescape(rendered) == render("{subject}{name|}", values).text


@given(st.text(), st.booleans())
def test_a_value_is_one_line(value: str, html: bool) -> None:
    rendered = render("{subject}", {"subject": value}, html=html).text
    assert rendered.splitlines() in ([], [rendered])
