"""Strangers must not share a ticket, and conversations must not split."""

from __future__ import annotations

from router.accept.threads import Candidate, JoinedTicket, choose_ticket, is_persons_reply, should_reopen

EVA = "eva@customer.example"
OURS = Candidate("ticket_1", "ours@acme.example", frozenset({EVA, "support@acme.example"}))
HERS = Candidate("ticket_1", "hers@customer.example", frozenset({EVA, "support@acme.example"}))


def test_a_reply_of_a_participant_joins() -> None:
    assert choose_ticket(["ours@acme.example"], EVA, [OURS]) == JoinedTicket("ticket_1", "ours@acme.example")


def test_case_and_domain_form_of_the_sender_do_not_matter() -> None:
    candidate = Candidate("ticket_1", "a@x", frozenset({"jörg@xn--exmple-cua.org"}))
    assert choose_ticket(["a@x"], "Jörg@EXÄMPLE.org", [candidate]) is not None
    assert choose_ticket(["ours@acme.example"], "Eva@Customer.Example", [OURS]) is not None


def test_the_newest_reference_wins() -> None:
    other = Candidate("ticket_2", "later@acme.example", OURS.participants)
    assert choose_ticket(["later@acme.example", "ours@acme.example"], EVA, [OURS, other]) == JoinedTicket(
        "ticket_2", "later@acme.example"
    )


def test_rewritten_references_join_by_a_known_id() -> None:
    assert choose_ticket(["rewritten@gateway", "hers@customer.example"], EVA, [OURS, HERS]) == JoinedTicket(
        "ticket_1", "hers@customer.example"
    )


def test_an_unknown_reference_opens_a_ticket() -> None:
    assert choose_ticket(["unknown@elsewhere"], EVA, [OURS]) is None
    assert choose_ticket([], EVA, [OURS]) is None
    assert choose_ticket(["ours@acme.example"], EVA, []) is None


def test_strangers_answering_a_newsletter_do_not_share_a_ticket() -> None:
    newsletter = Candidate("ticket_1", "news@shop.example", frozenset({"first@a.example", "support@acme.example"}))
    assert choose_ticket(["news@shop.example"], "second@b.example", [newsletter]) is None


def test_one_message_id_in_two_tickets_joins_the_senders_own() -> None:
    foreign = Candidate("ticket_9", "ours@acme.example", frozenset({"someone@else.example"}))
    assert choose_ticket(["ours@acme.example"], EVA, [foreign, OURS]) == JoinedTicket("ticket_1", "ours@acme.example")


def test_an_older_reference_joins_if_the_newest_belongs_to_someone_else() -> None:
    foreign = Candidate("ticket_9", "new@x", frozenset({"someone@else.example"}))
    assert choose_ticket(["new@x", "ours@acme.example"], EVA, [foreign, OURS]) == JoinedTicket(
        "ticket_1", "ours@acme.example"
    )


def test_a_message_to_oneself_joins_like_any_other() -> None:
    own = Candidate("ticket_1", "self@acme.example", frozenset({"support@acme.example"}))
    assert choose_ticket(["self@acme.example"], "support@acme.example", [own]) is not None


def test_empty_sender_or_id_joins_nothing() -> None:
    nobody = Candidate("ticket_1", "", frozenset({"", "@", EVA}))
    assert choose_ticket([""], EVA, [nobody]) is None
    assert choose_ticket(["ours@acme.example"], "", [OURS]) is None
    assert (
        choose_ticket(["ours@acme.example"], "root", [Candidate("t", "ours@acme.example", frozenset({"root"}))]) is None
    )


def test_relayed_reply_counts_as_a_persons_if_it_joins() -> None:
    assert is_persons_reply("a@x", ("a@x", "b@x"))
    assert not is_persons_reply("c@x", ("a@x", "b@x"))
    assert not is_persons_reply("", ("",))


def test_only_messages_of_people_reopen_tickets() -> None:
    assert should_reopen("")
    assert not any(should_reopen(word) for word in ("bounce", "auto-reply", "list", "bulk", "loop"))
