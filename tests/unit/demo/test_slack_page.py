"""The page of the stand-in for Slack shows the blocks of our messages, and no markup of the mails."""

from emailrouter.demo import slack_page
from router.channels import slack_blocks as sb


def test_page_shows_all_blocks_and_escapes_their_texts() -> None:
    hostile = '<script>alert("1")</script>'
    blocks = [
        sb.header_block(f"Broken lamp {hostile}"),
        sb.rich_text_block([sb.section_element(list(sb.field_elements([("From", f"Zoë {hostile}")])))]),
        sb.rich_text_block([sb.quote_element(f"مرحبا {hostile}"), sb.bullet_list([[sb.text_element("a.pdf")]])]),
        sb.rich_text_block([sb.section_element([sb.link_element("http://127.0.0.1:1/tickets/1", "View ticket")])]),
        sb.rich_text_block([sb.section_element([sb.link_element("javascript:alert(1)", "No link")])]),
        {"type": "video", "title": "unknown"},
    ]
    page = slack_page.render(["billing", "support"], "support", [(0, {"text": "fallback", "blocks": blocks})])
    assert hostile not in page
    assert page.count("&lt;script&gt;") == 3
    for expected in (
        '<h2 dir="auto">Broken lamp ',
        "<b>From:</b> Zoë ",
        '<blockquote dir="auto">مرحبا ',
        "<li>a.pdf</li>",
        '<a href="http://127.0.0.1:1/tickets/1">View ticket</a>',
        '<a href="/channels/billing"># billing</a>',
        '<a href="/channels/support" aria-current=page># support</a>',
    ):
        assert expected in page
    assert "javascript:" not in page
    assert "fallback" not in page


def test_page_shows_plain_messages_and_empty_channels() -> None:
    assert "<p>1 &lt; 2</p>" in slack_page.render(["a"], "a", [(0, {"text": "1 < 2"})])
    assert "No messages yet" in slack_page.render(["a"], "a", [])
    assert "archived" in slack_page.render(["a"], "a", [], is_archived=True)
