import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.avatars import HUES, hue, initials


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nora Lind", "NL"),
        ("Nora Maria Lind", "NL"),
        ("ben.carter@pocketmail.example", "BC"),
        ("support@example.org", "S"),
        ("Amélie", "A"),
        ("Papier & Karton", "PK"),
        ("田中 太郎", "田"),
        ("فاطمة الزهراء", "ف"),
        ('"\N{RIGHT-TO-LEFT OVERRIDE}', "?"),
        ("", "?"),
    ],
)
def test_initials(name: str, expected: str) -> None:
    assert initials(name) == expected


@given(st.text())
def test_any_name_has_short_initials_and_a_colour(name: str) -> None:
    assert 1 <= len(initials(name)) <= 6  # some characters have several upper-case letters
    assert 0 <= hue(name) < HUES
