"""Validation and normalisation of local parts."""

import pytest

from router.admin.routes.aliases import LocalPart, normalize_local_part
from router.errors import Refused


@pytest.mark.parametrize(
    "local_part",
    ["", " ", "a b", "a@b", ".a", "a.", "a..b", "a" * 65, "a\u202eb", "a\u200bb", "a\nb", "(a)", '"a b"', "a\u00a0b"],
)
def test_invalid_local_parts(local_part: str) -> None:
    with pytest.raises(Refused) as refused:
        normalize_local_part(local_part, "example.org")
    assert (refused.value.code, refused.value.field) == ("invalid_alias", "localPart")


@pytest.mark.parametrize(
    ("typed", "written"),
    [("Support", "Support"), ("SUPPORT", "SUPPORT"), ('"support"', "support"), (" support ", "support")],
)
def test_all_forms_of_a_local_part_have_the_same_key(typed: str, written: str) -> None:
    assert normalize_local_part(typed, "example.org") == LocalPart(written, "support")


def test_the_catch_all_local_part() -> None:
    assert normalize_local_part("*", "example.org") == LocalPart("*", "*")
