"""An invitation or a reset sets a password once. Any later decision about the sign-in invalidates the link."""

from collections.abc import Awaitable, Callable

from router.admin.access.password_links import PasswordLink
from router.model import Actor, User
from router.services import Services
from tests.support.installation import Installation
from tests.support.refusal import refused_code

OLD, NEW = "correct horse battery", "another fine password"


def token_of(link: PasswordLink) -> str:
    assert link.url is not None
    return link.url.partition("?token=")[2]


async def test_an_invited_user_sets_a_password_once(installation: Installation) -> None:
    services, users = installation.services, installation.services.users
    invited = await users.invite(installation.actor, email="Grace@Example.ORG", role="viewer")
    assert (invited.user.email, invited.user.role, invited.user.can_sign_in) == ("grace@example.org", "viewer", False)
    assert (invited.link.url or "").startswith("http://127.0.0.1:8080/set-password?token=")
    assert invited.link.expires_at == installation.clock.now() + 7 * 86_400_000_000
    token = token_of(invited.link)
    assert [row["hash"] == token for row in await installation.execute("SELECT hash FROM password_links")] == [False]
    for _ in range(2):  # opening the page does not use the link
        assert await services.password_links.find_user(token, address="192.0.2.1") == invited.user
    weak = services.password_links.set_password(token, "grace@example.org", address="192.0.2.1")
    assert await refused_code(weak) == ("invalid_request", "password")
    changed = await services.password_links.set_password(token, NEW, address="192.0.2.1")
    assert changed.can_sign_in
    again = services.password_links.set_password(token, OLD, address="192.0.2.1")
    assert await refused_code(again) == ("not_found", None)
    assert (await services.sessions.sign_in("grace@example.org", NEW, address="")).user.id == invited.user.id
    audit = (await services.audit.list(installation.actor)).items
    assert [entry.action for entry in audit] == ["user.sign_in", "user.change", "user.create"]
    assert (audit[1].user_id, audit[1].address) == (invited.user.id, "192.0.2.1")
    assert not any(secret in entry.detail for entry in audit for secret in (token, NEW))


async def test_what_invalidates_a_link(installation: Installation) -> None:
    """Each change gets a user of its own, whose link was valid before."""
    services, actor = installation.services, installation.actor

    async def replace_link(user: User) -> None:
        await services.users.password_link(actor, user.id)

    async def set_password(user: User) -> None:
        await services.users.change(actor, user.id, password=NEW)

    async def change_own_password(user: User) -> None:
        own = Actor(user.workspace_id, user.role, user_id=user.id)
        await services.sessions.change_password(own, current=OLD, new=NEW)

    async def disable_and_enable(user: User) -> None:
        await services.users.change(actor, user.id, disabled=True)
        disabled = services.users.password_link(actor, user.id)
        assert await refused_code(disabled) == ("conflict", None)
        await services.users.change(actor, user.id, disabled=False)

    async def delete(user: User) -> None:
        await services.users.delete(actor, user.id)

    async def wait_a_day(_: User) -> None:
        installation.clock.advance(days=1)

    changes = (replace_link, set_password, change_own_password, disable_and_enable, delete, wait_a_day)
    for change in changes:
        await _assert_invalidated(services, actor, change)
    elsewhere = await installation.add_workspace()
    user = await services.users.create(actor, email="grace@example.org")
    assert await refused_code(services.users.password_link(elsewhere, user.id)) == ("not_found", None)


async def test_failures_of_an_address_are_limited_and_do_not_block_a_valid_link(installation: Installation) -> None:
    links = installation.services.password_links
    for _ in range(100):
        assert await refused_code(links.find_user("x" * 43, address="192.0.2.1")) == ("not_found", None)
    assert await refused_code(links.find_user("x" * 43, address="192.0.2.1")) == ("rate_limited", None)
    assert await refused_code(links.find_user("x" * 43, address="192.0.2.2")) == ("not_found", None)
    link = (await installation.services.users.invite(installation.actor, email="grace@example.org")).link
    assert (await links.find_user(token_of(link), address="192.0.2.1")).email == "grace@example.org"


async def _assert_invalidated(services: Services, actor: Actor, change: Callable[[User], Awaitable[None]]) -> None:
    user = await services.users.create(actor, email=f"{change.__name__}@example.org", password=OLD)
    token = token_of(await services.users.password_link(actor, user.id))
    assert (await services.password_links.find_user(token, address="")).id == user.id
    await change(user)
    used = services.password_links.set_password(token, NEW, address="")
    assert (change.__name__, await refused_code(used)) == (change.__name__, ("not_found", None))
