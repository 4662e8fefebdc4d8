"""The message on the page after a form, and what its button undoes."""

from urllib.parse import parse_qsl, urlsplit

from api.dashboard.flash import Flash, add_flash, parse_events, read_flash
from api.dashboard.page import Redirect

MESSAGES = {"resolved": "Resolved #{n}.", "saved": "Saved.", "undo-failed": "Not undone.", "test-waits": "Sent."}
EVENTS = [f"evt_{n:026}" for n in range(200)]


def flash_of(outcome: Redirect) -> Flash | None:
    parts = urlsplit(add_flash(outcome))
    return read_flash(MESSAGES, parts.path, dict(parse_qsl(parts.query)))


def test_message_reaches_the_next_page() -> None:
    redirect = Redirect("/tickets/2?list=mine&q=a%26b", "resolved", 12, EVENTS[:1], "/tickets/1?list=mine&q=a%26b")
    found = flash_of(redirect)
    assert found == Flash("Resolved #12.", False, False, "0" * 26, "/tickets/1?list=mine&q=a%26b")
    saved = flash_of(Redirect("/tickets?q=a%26b#rows", "saved", undo=EVENTS))
    assert saved is not None
    assert (parse_events(saved.undo), saved.undo_path) == (EVENTS, "/tickets?q=a%26b")
    assert add_flash(Redirect("/tickets#rows", "saved")) == "/tickets?note=saved#rows"
    assert add_flash(Redirect("/tickets#rows")) == "/tickets#rows"
    assert len(add_flash(Redirect(f"/tickets?q={'%F0' * 600}", "saved", undo=EVENTS))) < 8000, "fits a request line"


def test_kind_of_message() -> None:
    kinds = {key: flash_of(Redirect("/", key)) for key in ("undo-failed", "test-waits")}
    assert [(each.is_failure, each.is_pending) for each in kinds.values() if each] == [(True, False), (False, True)]


def test_messages_are_shown_together() -> None:
    redirect = Redirect("/", "resolved", 2, EVENTS[:1], also=[("saved", None), ("undo-failed", None), ("resolved", 3)])
    assert flash_of(redirect) == Flash("Resolved #2. Saved. Not undone. Resolved #3.", False, True, "0" * 26, "/")
    for note, number in (("saved.", "2"), ("saved.resolved", "2"), ("saved.<b>", ""), (".", ".")):
        assert read_flash(MESSAGES, "/", {"note": note, "note-number": number}) is None
    long = read_flash(MESSAGES, "/", {"note": ".".join(["saved"] * 1000)})
    assert long is not None
    assert long.text == " ".join(["Saved."] * 6)


def test_a_link_adds_no_text() -> None:
    for number in ("", "1<b>", "9" * 13, "²"):
        assert read_flash(MESSAGES, "/", {"note": "resolved", "note-number": number}) is None
    assert read_flash(MESSAGES, "/", {"note": "<b>Hi</b>"}) is None
    assert read_flash(MESSAGES, "/", {}) is None
