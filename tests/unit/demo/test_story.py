"""The story of the demo is complete: its files exist, its actions are possible, and it has the promised variety."""

from importlib.resources import files

from emailrouter.demo import story
from emailrouter.demo.clock import DemoClock
from emailrouter.demo.story import StoryEvent

FOLDER = files("emailrouter.demo") / "story"


def mails() -> dict[str, StoryEvent]:
    return {event.mail: event for event in story.load_events() if event.action is None}


def test_story_has_26_tickets_and_several_conversations() -> None:
    assert story.count_tickets() == 26
    replied = {event.content["reply_to"] for event in mails().values() if "reply_to" in event.content}
    assert len(replied) >= 5
    assert {event.content["to"] for event in mails().values() if event.mail != "proof"} >= {
        "support",
        "billing",
        "orders",
        "wholesale",
    }


def test_everything_that_the_story_names_exists() -> None:
    team = story.load_team()
    users = {team["admin"]["key"], *(user["key"] for user in team["user"])}
    used = {"team.toml", "rechnung-42.pdf"}  # the proof attaches this file
    for event in story.load_events():
        if event.action is not None:
            assert event.action["user"] in users
            assert event.action.get("assign", "nora") in users
            assert event.action["after"] >= 0
            continue
        assert event.content.get("reply_to", "proof") in mails()
        used |= {event.content[name] for name in ("html", "raw") if name in event.content}
        used |= set(event.content.get("attachments", ()))
    others = {path.name for path in FOLDER.iterdir() if not path.name.endswith(".toml")}
    assert used - {"team.toml"} == others


def test_events_are_in_order_and_in_the_past() -> None:
    events = story.load_events()
    assert [event.hours_ago for event in events] == sorted((event.hours_ago for event in events), reverse=True)
    assert events[0].mail == "proof", "the proof expects no other ticket"
    assert events[0].action is None
    assert all(event.hours_ago >= 0 for event in events)
    at = {key: event.hours_ago for key, event in mails().items()}
    assert all(
        at[event.content["reply_to"]] > event.hours_ago for event in mails().values() if "reply_to" in event.content
    )


def test_clock_of_the_demo_is_never_set_back() -> None:
    clock = DemoClock(behind=3_600_000_000)
    first = clock.now()
    clock.set_behind(1_800_000_000)
    second = clock.now()
    clock.set_behind(3_600_000_000)
    assert second - first >= 1_800_000_000
    assert clock.now() >= second
