"""Content of SMTP transactions is divided and dot-stuffed as RFC 5321 section 4.5.2 says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.outbound.smarthost import transaction
from router.outbound.smarthost.transaction import stuffed_parts

LINES = st.lists(st.text("a.\r", max_size=6).map(lambda text: text.replace("\r", "") + "\r\n"), max_size=30)


@given(lines=LINES, has_end=st.booleans(), part_bytes=st.integers(1, 20))
def test_parts_are_the_stuffed_lines(lines: list[str], has_end: bool, part_bytes: int) -> None:
    content = "".join(lines).encode()
    content = content if has_end else content + b".x"
    expected = [b"." + line if line.startswith(b".") else line for line in content.splitlines(keepends=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "PART_BYTES", part_bytes)
        parts = list(stuffed_parts(content))
    joined = b"".join(parts)
    assert joined == b"".join(expected) + (b"" if content.endswith(b"\r\n") else b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + joined


def test_parts_are_small() -> None:
    parts = list(stuffed_parts(b"0123456789.\r\n" * 100_000))
    assert max(map(len, parts)) <= transaction.PART_BYTES + 13
