"""A client library that is generated from the OpenAPI document of the running program makes calls to it."""

import asyncio
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.resources import ROUTES
from tests.support import mails
from tests.support.installation import migrated_installation
from tests.support.process import Program, environment
from tests.support.slack import SlackStandIn

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
PACKAGE = "email_router_client"


def documented(language: str) -> str:
    """Returns the only block of the document in a language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(block)


async def generate_client(document: bytes, folder: Path) -> None:
    """Generates the package in `folder`. Fails if the generator has a warning. No linter formats the package."""
    (folder / "openapi.json").write_bytes(document)
    (folder / "client.yml").write_text(documented("yaml") + "post_hooks: []\n")
    arguments = ["generate", "--path", "openapi.json", "--config", "client.yml", "--meta", "none"]
    arguments += ["--output-path", PACKAGE, "--fail-on-warning"]
    generator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "openapi_python_client", *arguments),
        cwd=folder,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await generator.communicate()
    assert generator.returncode == 0, output.decode()
    assert b"WARNING" not in output


async def test_generated_client(tmp_path: Path, slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    async with migrated_installation(tmp_path, slack) as installation:
        content = mails.plain(subject="Generated")
        message = await installation.accept_message(content)
        _, key = await installation.add_user_with_key("admin")
        async with Program("api", env=installation.settings, cwd=tmp_path) as program:
            url = f"http://{(await program.ready())['api']}"
            async with aiohttp.ClientSession() as http, http.get(f"{url}/api/openapi.json") as response:
                await generate_client(await response.read(), tmp_path)
            modules = {path.stem for path in (tmp_path / PACKAGE / "api").glob("*/*.py")} - {"__init__"}
            assert modules == {function_name(route.operation_id) for route in ROUTES}
            monkeypatch.syspath_prepend(tmp_path)
            monkeypatch.setenv("NO_PROXY", "*")
            found: dict[str, Any] = {"URL": url, "KEY": key}
            await asyncio.to_thread(exec, documented("python"), found)
            async with importlib.import_module(PACKAGE).AuthenticatedClient(f"{url}/api", key) as client:
                await check_calls(client, found, message, content)


async def check_calls(client: Any, found: dict[str, Any], message: str, content: bytes) -> None:
    models = importlib.import_module(f"{PACKAGE}.models")

    async def call(tag: str, operation_id: str, **arguments: Any) -> Any:
        module = importlib.import_module(f"{PACKAGE}.api.{tag}.{function_name(operation_id)}")
        return await module.asyncio(client=client, **arguments)

    assert found["domain"].status is models.DomainStatus.PENDING_VERIFICATION
    assert found["domain"].mx_records
    assert found["claimed"].status is models.TicketStatus.IN_PROGRESS
    ticket = await call("tickets", "getTicket", id=found["claimed"].id)
    assert (ticket.messages[0].id, ticket.subject, ticket.resolved_at) == (message, "Generated", None)
    assert [event.type_ for event in ticket.events][-1] is models.TicketEventType.TICKET_CLAIMED
    changed = await call(
        "tickets", "setTicketPriority", id=ticket.id, body=models.PriorityChange(models.TicketPriorityInput.NOT_URGENT)
    )
    assert changed.priority is models.TicketPriority.LOW
    error = await call("domains", "createDomain", body=models.DomainCreate("example.com"))
    assert error.error.code is models.ErrorCode.DOMAIN_TAKEN
    assert error.error.field == "domain"
    integration = await call(
        "integrations",
        "createIntegration",
        body=models.DiscordIntegrationCreate(
            "discord", "Chat", models.DiscordSettings(f"https://discord.com/api/webhooks/1/{'x' * 60}", thread_id="7")
        ),
    )
    assert isinstance(integration, models.DiscordIntegrationAnswer), integration
    assert integration.settings.thread_id == "7"
    raw = await call("messages", "downloadMessage", id=message)
    assert raw.payload.read().endswith(content)


def function_name(operation_id: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation_id).lower()
