"""Export and application of workspace documents. Applying an unchanged export changes nothing."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.channels import CHANNELS
from router.channels.poster import Poster
from router.enumerations import BLOCK_ACTION
from router.local_time import LOCALE
from router.model import (
    Alias,
    AllowedSender,
    BlockedSender,
    CannedResponse,
    Domain,
    Integration,
    Template,
    User,
    Workspace,
)
from router.outbound.client import OutboundClient
from router.provisioning import document
from router.provisioning.apply import DocumentApplier
from router.provisioning.entry import InvalidDocument
from router.provisioning.export import Snapshot, export_document
from router.provisioning.plan import Change
from router.provisioning.sections.canned_responses import AddressedResponse
from router.secrets import SecretBox, new_key
from router.services import Services
from router.tag import Tag, caseless_key
from tests.support.installation.command_line import WEBHOOK

BOX = SecretBox(new_key())
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(str.strip)
LOCALS = st.from_regex(r"[a-z0-9_+-]{1,8}", fullmatch=True) | st.just("*")
DOMAINS = st.from_regex(r"[a-z]{1,5}\.(example|test)", fullmatch=True)

SENDERS = st.lists(st.sampled_from(["@a.test", ".a.test", "b@c.test", "192.0.2.0/24"]), unique=True)
NOTES = st.sampled_from(["", "List of May", '"Süd" # 1'])


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Generates snapshots of workspaces, including names with characters that TOML must escape."""
    domains = draw(st.lists(DOMAINS, unique=True, max_size=3))
    integrations = tuple(_integration(f"int_{n:026}", name) for n, name in enumerate(draw(st.lists(NAMES, max_size=4))))
    ids = [None, *(integration.id for integration in integrations)]
    templates = [
        Template(f"tpl_{n:026}", "ws_1", name, draw(st.sampled_from(["", "{subject}"])), "Hi {name},\n{{", "text", 0, 0)
        for n, name in enumerate(draw(st.lists(st.sampled_from(["Received", "Straße"]), unique=True)))
    ]
    addresses = st.lists(st.tuples(st.sampled_from(domains or ["none"]), LOCALS), unique=True, max_size=5)
    aliases = tuple(
        Alias(
            f"alias_{n:026}",
            "ws_1",
            f"dom_{domain}",
            domain,
            local,
            local,
            draw(st.sampled_from(ids)),
            draw(st.sampled_from(["active", "disabled"])),
            0,
            draw(st.sampled_from([None, "support@acme.example", '"a b"@xn--bcher-kva.example'])),
            sender_name=draw(st.sampled_from(["", "{agent} at Acme"])),
            signature=draw(st.sampled_from(["", '{agent}\n"Acme"'])),
            reply_to_token=draw(st.integers(0, 1)),
            acknowledge_template_id=draw(st.sampled_from([None, *(template.id for template in templates)])),
        )
        for n, (domain, local) in enumerate(draw(addresses) if domains else [])
    )
    emails = draw(st.lists(st.from_regex(r"[a-z]{1,5}@[a-z]{2,5}\.test", fullmatch=True), unique=True, max_size=3))
    users = tuple(
        User(
            f"user_{n:026}",
            "ws_1",
            email,
            draw(st.just("") | NAMES),
            draw(st.sampled_from(["admin", "agent", "viewer"])),
            None,
            0,
            draw(st.none() | st.just(1)),
            draw(st.none() | ZONES),
        )
        for n, email in enumerate(emails)
    )
    return Snapshot(
        workspace=Workspace(
            "ws_1", draw(NAMES), draw(st.sampled_from(ids)), 0, 0, draw(ZONES), draw(st.sampled_from(LOCALE.values))
        ),
        users=users,
        domains=tuple(
            Domain(
                f"dom_{name}",
                "ws_1",
                name,
                "active",
                "",
                "[]",
                0,
                None,
                None,
                mx_managed=draw(st.sampled_from(["here", "upstream"])),
            )
            for name in sorted(domains)
        ),
        integrations=integrations,
        aliases=aliases,
        sections={
            "allowed_senders": [
                AllowedSender(
                    "ws_1", sender, 0, 0 if "/" in sender else draw(st.integers(0, 1)), draw(st.just("") | NOTES)
                )
                for sender in draw(SENDERS)
            ],
            "blocked_senders": [
                BlockedSender("ws_1", sender, 0, draw(st.sampled_from(BLOCK_ACTION.values)), draw(NOTES))
                for sender in draw(SENDERS)
            ],
            "templates": templates,
            "canned_responses": [
                AddressedResponse(CannedResponse(f"can_{n:026}", "ws_1", None, title, "Hi {name}", 0, 0), address)
                for n, (title, address) in enumerate(
                    [("Hours", ""), ("Hours", "a@b.test"), ("Tea", "")] if draw(st.booleans()) else []
                )
            ],
            "tags": [
                Tag(f"tag_{n:026}", "ws_1", name, caseless_key(name), draw(st.sampled_from(("", "#1d76db"))), 0)
                for n, name in enumerate(
                    draw(st.lists(st.sampled_from(["VIP", "Straße", 'a = "b"']), unique=True, max_size=3))
                )
            ],
        },
    )


@given(snapshots(), st.booleans())
def test_applying_an_export_changes_nothing(found: Snapshot, prune: bool) -> None:
    text = document.render(export_document(found, CHANNELS), head="A comment")
    assert tomllib.loads(text)
    read = document.parse(text)
    assert read == export_document(found, CHANNELS)
    plan = _apply().plan(read, found, prune=prune)
    assert plan.changes == []
    assert plan.unmanaged == []
    assert document.render(read, head="A comment") == text


@given(snapshots())
def test_empty_file_changes_nothing_and_empty_sections_remove_all(found: Snapshot) -> None:
    assert _apply().plan(document.parse(""), found, prune=True).changes == []
    empty = document.parse(
        "domains = []\nintegrations = []\naliases = []\nusers = []\nallowed_senders = []\n"
        "blocked_senders = []\ntags = []\ntemplates = []\ncanned_responses = []\n"
    )
    entry_count = len(found.domains) + len(found.integrations) + len(found.aliases)
    entry_count += len(found.users) + sum(map(len, found.sections.values()))
    plan = _apply().plan(empty, found, prune=True)
    assert [change.action for change in plan.changes] == ["remove"] * entry_count
    kinds = [change.kind for change in plan.changes]
    assert kinds.index("domain") > kinds.index("alias") if {"alias", "domain"} <= set(kinds) else True
    assert _apply().plan(empty, found, prune=False).changes == []


def test_same_secret_is_no_change() -> None:
    same = _integration("int_1", "general", BOX.encrypt(f'{{"webhookUrl": "{WEBHOOK}"}}'))
    found = Snapshot(Workspace("ws_1", "Acme", None, 0, 0), (), (), (same,), (), {})
    assert _apply(WEBHOOK).plan(export_document(found, CHANNELS), found, prune=True).changes == []
    changed = _apply(WEBHOOK + "x").plan(export_document(found, CHANNELS), found, prune=True).changes
    assert changed == [Change("change", "integration", "general", "webhook_url: the hint -> env:SLACK_WEBHOOK_GENERAL")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("domains = [", "invalid TOML"),
        ("domains = " + "[" * 100_000, "invalid TOML"),
        ("domain = []", "domain is not a known key; did you mean domains?"),
        ('[[aliases]]\naddres = "a@b.test"', "aliases[1].addres is not a known key; did you mean address?"),
        ('[[aliases]]\nstatus = "active"', "aliases[1].address is missing"),
        ('[[tags]]\nnam = "x"', "tags[1].nam is not a known key; did you mean name?"),
        ('[[aliases]]\naddress = "a@b.test"\nstatus = "off"', "aliases[1].status must be 'active' or 'disabled'"),
        (
            f'[[integrations]]\nname = "x"\nwebhook_url = "{WEBHOOK}"',
            "integrations[1].webhook_url must be a reference (env:NAME or file:PATH), not the secret itself",
        ),
    ],
)
def test_invalid_document_error_names_position(text: str, expected: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        document.parse(text)
    assert expected in refused.value.message
    assert "hooks.slack.com" not in refused.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('domains = ["a.test", "A.test"]', "domains[2]: a.test is listed twice"),
        ('blocked_senders = ["@a.test", "a@b@c"]', "blocked_senders[2]: 'a@b@c' must be an address"),
        ('domains = ["nodot"]', "domains[1]: Domain name is invalid"),
        ('[[aliases]]\naddress = "a@b.test"\nintegration = "x"', "'x' is not an integration"),
        ('[[aliases]]\naddress = "nobody"', "aliases[1].address: 'nobody' is not a valid email address"),
        ('domains = ["b.test"]\n[[aliases]]\naddress = "a@b.test"', "aliases[1].integration is missing"),
        ('[workspace]\ntimezone = "Mars"', "workspace.timezone: timezone must be an IANA time zone"),
        ('[workspace]\nlocale = "xx"', "workspace.locale: locale must be one of"),
        ('[[users]]\nemail = "a@b.test"\ntimezone = "Mars"', "users[1].timezone: timezone must be an IANA"),
        ('[workspace]\ndefault_integration = "x"', "workspace.default_integration: 'x' is not an integration"),
        ('domains = ["b.test"]\nmx_managed_upstream = ["c.test"]', "mx_managed_upstream[1]: c.test is not a domain of"),
        (
            'domains = ["b.test"]\nmx_managed_upstream = ["b.test", "B.test"]',
            "mx_managed_upstream[2]: b.test is listed twice",
        ),
        ('[[users]]\nemail = "nobody"', "users[1].email: email is not a valid email address"),
        ('[[users]]\nemail = "a@b.test"\nname = "\\u202ea"', "users[1].name: name must not contain control"),
        ('[workspace]\nname = ""', "workspace.name: name must not be empty"),
        ('[[integrations]]\nname = " "\nwebhook_url = "env:X"', "integrations[1].name: name must not be empty"),
        (
            'domains = ["b.test"]\n[[integrations]]\nname = "x"\nwebhook_url = "env:X"\n'
            '[[aliases]]\naddress = "a..b@b.test"\nintegration = "x"',
            "aliases[1].address: Local part is invalid",
        ),
        ('[[aliases]]\naddress = "a@b.test"\n[[aliases]]\naddress = "\\"A\\"@b.test"', "is listed twice"),
        ('[[integrations]]\nname = "x"\ntype = "fax"\nwebhook_url = "env:X"', "integrations[1].type must be one of"),
        (
            '[[integrations]]\nname = "x"\nwebhook_url = "env:X"\nsettings = { webhook_url = "env:Y" }',
            "integrations[1]: webhook_url and settings.webhook_url differ: give only one of them",
        ),
    ],
)
def test_impossible_document_is_rejected_before_any_change(text: str, expected: str) -> None:
    found = Snapshot(Workspace("ws_1", "Acme", None, 0, 0), (), (), (), (), {})
    with pytest.raises(InvalidDocument) as refused:
        _apply(WEBHOOK).plan(document.parse(text), found, prune=False)
    assert expected in refused.value.message


def test_equivalent_spellings_are_no_change() -> None:
    """A handwritten document may spell names and addresses differently from an export."""
    domain = Domain("dom_1", "ws_1", "b.test", "active", "", "[]", 0, None, None)
    alias = Alias("alias_1", "ws_1", "dom_1", "b.test", "support", "support", "int_1", "active", 0)
    user = User("user_1", "ws_1", "eve@b.test", "Ève", "agent", None, 0, None)
    found = Snapshot(
        Workspace("ws_1", "Süd", "int_1", 0, 0), (user,), (domain,), (_integration("int_1", "Büro"),), (alias,), {}
    )
    text = (
        'domains = ["B.test"]\n[workspace]\nname = " Su\\u0308d"\ndefault_integration = "Bu\\u0308ro"\n'
        '[[integrations]]\nname = "Bu\\u0308ro "\nwebhook_url = "env:X"\n'
        '[[aliases]]\naddress = "\\"Support\\"@B.test"\nintegration = " Bu\\u0308ro"\n'
        '[[users]]\nemail = "Eve@b.test"\nname = "E\\u0300ve"\n'
    )
    assert _apply().plan(document.parse(text), found, prune=True).changes == []


def _integration(integration_id: str, name: str, encrypted: str = "") -> Integration:
    return Integration(integration_id, "ws_1", "slack", name, 0, encrypted, "the hint")


def _apply(url: str | None = None) -> DocumentApplier:
    """Returns a `DocumentApplier` that can plan changes but not apply them."""
    services: Services = _UnusedServices()  # type: ignore[assignment]
    poster = Poster(CHANNELS, OutboundClient(), BOX, allow_private=False, timeout=10)
    return DocumentApplier(services, poster, lambda _: url)


class _UnusedServices:
    def __getattr__(self, name: str) -> "_UnusedServices":
        return self

    def __call__(self) -> None:
        raise AssertionError("a plan must not change anything")
