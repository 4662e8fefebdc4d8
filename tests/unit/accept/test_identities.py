"""The identities of our own mail in an answer, whatever its author's programs made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from router.accept.identities import (
    MAX_TOKENS,
    TicketNumber,
    assigned_ids,
    order_identities,
    read_ticket_numbers,
    reply_ids,
)
from router.accept.threads import Candidate, choose_ticket
from router.mail.mailboxes import normalize_address
from router.reply_tokens import anchor_id, new_reply_message_id, ticket_tag, ticket_token
from router.routing.route import Target
from router.secrets import SecretBox

BOX = SecretBox("a key with enough characters")
NUMBER = 7
ANN, STRANGER = "ann@customer.test", "carla@elsewhere.test"
TOKEN = ticket_token(BOX, "ws_1", NUMBER)
OWN_ID = new_reply_message_id(BOX, "example.com")
SES_ID = "0102018c1b2c3d4e-5a6b7c8d-1111-2222-3333-444455556666-000000"


@dataclass(frozen=True)
class Addressed:
    """The tag of the recipient, the references newest first, and an address in the header."""

    tag: str = ""
    references: Sequence[str] = field(default=())
    cc: str = ANN

    def numbers(self, workspace_id: str = "ws_1") -> tuple[TicketNumber, ...]:
        recipient = f"support+{self.tag}@example.com"
        target = Target(recipient, workspace_id, "alias_1", "alias_1", "support@example.com", None, self.tag)
        return read_ticket_numbers(BOX, workspace_id, [[target]], [self.cc], self.references)


def recase(text: str) -> st.SearchStrategy[str]:
    return st.integers(0, 2 ** len(text) - 1).map(
        lambda bits: "".join(c.upper() if bits >> n & 1 else c for n, c in enumerate(text))
    )


others = st.lists(st.from_regex(r"[a-z0-9.]{1,12}@[a-z]{1,8}\.test", fullmatch=True), max_size=5)
own_answers = st.one_of(
    recase(ticket_tag(TOKEN)).map(lambda tag: Addressed(tag=tag)),
    recase(f"support+{ticket_tag(TOKEN)}@example.com").map(lambda address: Addressed(cc=normalize_address(address))),
    st.builds(
        lambda own, before, after: Addressed(references=[*before, own, *after]),
        st.one_of(recase(anchor_id(TOKEN, "example.com")), recase(OWN_ID), recase(f"{SES_ID}@us-east-1.amazonses.com")),
        others,
        others,
    ),
)


def stored_candidates(answer: Addressed) -> list[Candidate]:
    """Returns what the database would return: the ticket by its number, by the reply and by the id of SES."""
    by_number = [Candidate("ticket_7", each.by, frozenset({ANN}), is_own=True) for each in answer.numbers()]
    known = {OWN_ID, f"{SES_ID}@amazonses.com"}
    found = {**reply_ids(answer.references), **assigned_ids(answer.references)}
    stored = {**assigned_ids(answer.references), **reply_ids(answer.references)}
    by_id = [reference for reference in found if stored[reference] in known]
    return by_number + [Candidate("ticket_7", each, frozenset({ANN}), is_own=True) for each in by_id]


@given(own_answers, st.sampled_from([ANN, STRANGER, ""]))
def test_each_identity_finds_the_ticket(answer: Addressed, author: str) -> None:
    identities = order_identities(answer.numbers(), answer.references)
    joined = choose_ticket(identities, author, stored_candidates(answer))
    assert joined is not None
    assert joined.ticket_id == "ticket_7"
    assert joined.by in identities
    assert joined.new_sender == (author != ANN)


@given(own_answers)
def test_a_token_counts_in_its_workspace_only(answer: Addressed) -> None:
    assert answer.numbers("ws_2") == ()


@given(st.from_regex(r"[a-z2-7]{26}", fullmatch=True), others)
def test_a_guessed_token_finds_nothing(token: str, references: list[str]) -> None:
    cc = f"support+t-{token}@example.com"
    assert Addressed(f"t-{token}", [*references, f"er.t.{token}@example.com"], cc).numbers() == ()


@given(others, st.sampled_from([ANN, STRANGER, ""]))
def test_without_our_identity_only_participants_join(references: list[str], author: str) -> None:
    candidates = [Candidate("ticket_7", reference, frozenset({ANN})) for reference in references]
    joined = choose_ticket(order_identities((), references), author, candidates)
    assert (joined is not None) == (author == ANN and bool(references))
    assert joined is None or not joined.new_sender


@given(others, others)
def test_a_participant_comes_before_a_stranger(own: list[str], shared: list[str]) -> None:
    """The same Message-ID can be in a ticket of the author and in our reply of another ticket."""
    candidates = [
        *(Candidate("ticket_8", identity, frozenset(), is_own=True) for identity in (*own, *shared)),
        *(Candidate("ticket_7", identity, frozenset({ANN})) for identity in shared),
    ]
    joined = choose_ticket([*shared, *own], ANN, candidates)
    assert (joined.ticket_id if joined else "") == ("ticket_7" if shared else "ticket_8" if own else "")


def test_the_tag_comes_first_and_the_anchor_last() -> None:
    answer = Addressed(ticket_tag(TOKEN), ["newest@x.test", anchor_id(TOKEN, "example.com")])
    assert order_identities(answer.numbers(), answer.references) == (
        f"support+{ticket_tag(TOKEN)}@example.com",
        "newest@x.test",
        anchor_id(TOKEN, "example.com"),
    )


def test_few_tokens_are_verified() -> None:
    forged = [f"er.t.{'a' * 25}{character}@example.com" for character in "abcdefghijkl"]
    assert Addressed(references=[*forged, anchor_id(TOKEN, "example.com")]).numbers() == ()
    few = forged[: MAX_TOKENS - 1]
    assert Addressed(references=[*few, anchor_id(TOKEN, "example.com")]).numbers()[0].number == NUMBER
