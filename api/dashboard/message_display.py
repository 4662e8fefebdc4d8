"""Decides in which form a ticket's page shows each message, and builds the links to the other forms.

The links work without JavaScript and keep the rest of the query. Their parameters:

- `view=text` or `view=html` with `message`: shows the message in this form
- `pictures`: the id of the message whose remote images are loaded
- `quoted`: the id of the message whose quoted text is shown

The parameters of `api.dashboard.flash` are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from api.dashboard.page import Visit
from router.admin.tickets.timeline import MessageExcerpt, Timeline

# Maximum characters of quoted text on a page.
MAX_QUOTED_LENGTH = 20_000
_MESSAGE_PARAMETERS = ("message", "pictures", "quoted")
_OWN_PARAMETERS = ("view", *_MESSAGE_PARAMETERS)


@dataclass(frozen=True, slots=True)
class MessageDisplay:
    """The shown form of a message, and the links to other forms; a link is `""` if there is none.

    Attributes:
        frame_url: The document in the frame, if the HTML is shown.
        page_url: The HTML as a page of its own.
        quoted: The shown quoted text, possibly truncated.
    """

    shows_html: bool
    frame_url: str = ""
    page_url: str = ""
    text_link: str = ""
    html_link: str = ""
    pictures_link: str = ""
    quoted_link: str = ""
    quoted_url: str = ""
    quoted: str = ""
    is_quoted_truncated: bool = False


def prefers_html(excerpt: MessageExcerpt) -> bool:
    """Whether the HTML of a message is shown first.

    It is shown for newsletters, invoices and other messages that lose information as text. A reply that quotes is shown
    as text, because the HTML would show the whole history.
    """
    is_reply = excerpt.message.reference_ids != "[]"
    return excerpt.has_html and excerpt.has_layout and not (is_reply and excerpt.quoted_lines)


def build_display(excerpt: MessageExcerpt, query: Mapping[str, str], url: str, quoted: str = "") -> MessageDisplay:
    """Builds the display of one message.

    Args:
        query: The query of the page.
        url: The path of the page.
        quoted: The quoted text of this message if the query asks for it.
    """
    message_id = excerpt.message.id
    path = f"{url}/messages/{message_id}"

    def link(**parameters: str) -> str:
        kept = {
            name: value for name, value in query.items() if name not in _OWN_PARAMETERS and not name.startswith("note")
        }
        return f"{url}?{urlencode({**kept, **parameters})}#{message_id}"

    loads_pictures = query.get("pictures") == message_id
    chosen = query.get("view", "") if query.get("message") == message_id else ""
    shows_html = excerpt.has_html and (
        loads_pictures or chosen == "html" or (chosen != "text" and prefers_html(excerpt))
    )
    pictures = "&pictures=yes" if loads_pictures else ""
    return MessageDisplay(
        shows_html=shows_html,
        frame_url=f"{path}/html?fit=yes{pictures}" if shows_html else "",
        page_url=f"{path}/html{pictures.replace('&', '?')}" if shows_html else "",
        text_link=link(view="text", message=message_id) if shows_html else "",
        html_link=link(view="html", message=message_id) if excerpt.has_html and not shows_html else "",
        pictures_link=link(pictures=message_id)
        if shows_html and excerpt.has_remote_images and not loads_pictures
        else "",
        quoted_link=link(quoted=message_id) if excerpt.quoted_lines and not quoted and not shows_html else "",
        quoted_url=f"{path}/quoted" if excerpt.quoted_lines else "",
        quoted=quoted[:MAX_QUOTED_LENGTH],
        is_quoted_truncated=len(quoted) > MAX_QUOTED_LENGTH,
    )


def requested_messages(query: Mapping[str, str]) -> set[str]:
    """Returns the ids of the messages that the query asks to show in another form."""
    return {query[name] for name in _MESSAGE_PARAMETERS if name in query}


async def read_displays(visit: Visit, timeline: Timeline, url: str) -> dict[str, MessageDisplay]:
    """Returns the display of each message of the timeline by message id."""
    excerpts = [entry.excerpt for entry in timeline.entries if entry.excerpt is not None]
    wanted = visit.query.get("quoted", "")
    displays = {}
    for excerpt in excerpts:
        quoted = ""
        if excerpt.message.id == wanted and excerpt.quoted_lines:
            view = await visit.services.tickets.get_message(visit.actor, visit.path_params["id"], wanted)
            quoted = view.contents.quoted
        displays[excerpt.message.id] = build_display(excerpt, visit.query, url, quoted)
    return displays
