"""Lists of recipients in input fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.address_fields import join_recipients, split_recipients
from router.mail.contents import NamedMailbox


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", ()),
        (" , ;\n", ()),
        (
            "ada@x.test, Bob <bob@x.test>;eve@x.test\r\nnobody",
            ("ada@x.test", "Bob <bob@x.test>", "eve@x.test", "nobody"),
        ),
        ('"Lovelace, Ada" <ada@x.test>, b@x.test', ('"Lovelace, Ada" <ada@x.test>', "b@x.test")),
        ('Ada" <ada@x.test>', ("Ada", "<ada@x.test>")),  # refused later, and not lost
    ],
)
def test_lists_are_split(text: str, items: tuple[str, ...]) -> None:
    assert split_recipients(text) == items


@given(
    st.lists(st.tuples(st.text(max_size=30), st.from_regex(r"[a-z]{1,5}@[a-z]{1,5}\.test", fullmatch=True)), max_size=9)
)
def test_a_joined_list_has_the_same_addresses(mailboxes: list[tuple[str, str]]) -> None:
    joined = join_recipients(NamedMailbox(address, name) for name, address in mailboxes)
    items = split_recipients(joined.replace("\n", " ").replace("\r", " "))
    assert [item.rpartition("<")[2].removesuffix(">") for item in items] == [address for _, address in mailboxes]
