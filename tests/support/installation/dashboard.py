"""A client of the dashboard over plain HTTP, for tests; each `FormClient` has its own cookies."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import aiohttp

from router.enumerations import Role
from tests.support.installation.http import PASSWORD, ServedInstallation


@dataclass(frozen=True)
class PageResponse:
    """A response: status, headers and HTML."""

    status: int
    headers: Any
    text: str

    @property
    def location(self) -> str:
        return str(self.headers.get("Location", ""))

    @property
    def next_path(self) -> str:
        """The link to the next page of a list."""
        (path,) = re.findall(r'rel="next" href="([^"]+)"', self.text)
        return unescape(path)

    @property
    def visible_text(self) -> str:
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())


@dataclass
class FormClient:
    """Behaves like a browser without JavaScript: sends cookies, an Accept header, and Origin with forms."""

    session: aiohttp.ClientSession
    root: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **options: Any) -> PageResponse:
        return await self.request("GET", path, **options)

    async def post(self, path: str, form: dict[str, str] | None = None, **options: Any) -> PageResponse:
        headers = {"Origin": self.root} | options.pop("headers", {})
        return await self.request("POST", path, data=form or {}, headers=headers, **options)

    async def post_and_follow(self, path: str, form: dict[str, str]) -> PageResponse:
        seen = await self.post(path, form)
        assert seen.status == 303, (seen.status, seen.visible_text)
        return await self.get(seen.location)

    async def request(self, method: str, path: str, **options: Any) -> PageResponse:
        headers = {"Accept": "text/html,*/*;q=0.8"} | options.pop("headers", {})
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        url = self.root + path
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **options) as answer:
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
                if not morsel.value:
                    del self.cookies[name]
            return PageResponse(answer.status, answer.headers, (await answer.read()).decode("utf-8", "replace"))


def anonymous_client(served: ServedInstallation) -> FormClient:
    return FormClient(served.session, served.root)


async def create_user(served: ServedInstallation, role: Role, email: str | None = None) -> tuple[str, str]:
    address = email or f"{role}@people.test"
    user = await served.services.users.create(
        served.actor, email=address, name=role.title(), role=role, password=PASSWORD
    )
    return address, user.id


async def signed_in_client(served: ServedInstallation, role: Role = "admin", email: str | None = None) -> FormClient:
    address, _ = await create_user(served, role, email)
    found = anonymous_client(served)
    found.cookies["er_session"] = (await served.services.sessions.sign_in(address, PASSWORD, address="127.0.0.1")).token
    return found
