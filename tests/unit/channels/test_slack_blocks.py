"""Escaping of text that Slack parses."""

from hypothesis import given
from hypothesis import strategies as st

from router.channels.slack_blocks import MARKUP
from router.channels.untrusted_text import normalize_line, utf16_length

ANY = st.text(st.characters(codec=None, categories=None))


@given(ANY, st.integers(min_value=1, max_value=80))
def test_escaped_text_fits_the_limit(text: str, limit: int) -> None:
    assert utf16_length(MARKUP.escape(normalize_line(text), limit)) <= limit


def test_mentions_are_escaped() -> None:
    assert MARKUP.escape("@Channel @here.", 100) == "@\u2060Channel @\u2060here."
    assert MARKUP.escape("<!channel> & co", 100) == "&lt;!channel&gt; &amp; co"
    assert MARKUP.escape("<<<<", 9) == "&lt;&lt;\u2026"
