"""Completion of names in the shell: domains, aliases, integrations, users, tags, templates, canned responses
and workspaces.

Reads the database and changes nothing. A completion that fails or takes too long offers no names and prints nothing:
an error would appear in the middle of the line that is being typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import click
from click.shell_completion import CompletionItem

from config.schema import Config
from emailrouter import assembly
from emailrouter.time_limited_loop import TimeLimitedLoop
from router.store import read_only
from router.store.catalog import load_catalog
from router.store.database import Row

# Shells ask before they list more.
MAX_NAMES = 100
LIMIT_SECONDS = 1.0
WORKSPACE = "emailrouter.workspace"
"""Key of the value of `--workspace` in `click.Context.meta`."""

# Maps the names of parameters to the names that they take. `add` and `remove` are options of `ticket tag`.
_KINDS = {
    "domain": "domains",
    "alias": "aliases",
    "integration": "integrations",
    "default_integration": "integrations",
    "user": "users",
    "acting": "users",
    "assigned_to": "users",
    "tag": "tags",
    "add": "tags",
    "remove": "tags",
    "template": "templates",
    "acknowledge": "templates",
    "response": "canned_responses",
    "workspace": "workspaces",
    "in_workspace": "workspaces",
}


class NameType(click.types.StringParamType):
    """A text with completion of the names of one kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:  # noqa: ARG002 - click's API
        try:
            names = _read_names(ctx, self._kind, incomplete)
        except Exception:  # noqa: BLE001 - see the module docstring
            return []
        return [CompletionItem(name) for name in names if name.isprintable()]


def add_completion(command: click.Command) -> None:
    """Makes the parameters of a command that take the name of an object complete it."""
    for parameter in command.params:
        is_new = command.name in ("add", "create") and isinstance(parameter, click.Argument)
        kind = _KINDS.get((parameter.name or "").removesuffix("_id"))
        if kind is not None and not is_new and type(parameter.type) is click.types.StringParamType:
            parameter.type = NameType(kind)


def _read_names(ctx: click.Context, kind: str, prefix: str) -> list[str]:
    config: Config = ctx.find_root().obj.load_config()
    with asyncio.Runner(loop_factory=TimeLimitedLoop) as runner:
        return runner.run(_find_names(config, kind, prefix, ctx.meta.get(WORKSPACE)))


async def _find_names(config: Config, kind: str, prefix: str, workspace: str | None) -> list[str]:
    async with asyncio.timeout(LIMIT_SECONDS):
        path = config.database.url.path
        if path is not None:
            # In this thread: a thread that waits for a locked file would outlive the time limit.
            read = partial(read_only.read_rows, path, load_catalog(), seconds=LIMIT_SECONDS)

            async def fetch(query: str, values: dict[str, object]) -> Sequence[Row]:
                return read(query, values)

            return await _query(fetch, kind, prefix, workspace)
        database = assembly.build_database(config, load_catalog())
        try:
            await database.open()
            return await _query(lambda query, values: database.fetch_all(query, **values), kind, prefix, workspace)
        finally:
            await database.close()


async def _query(
    fetch: Callable[[str, dict[str, object]], Awaitable[Sequence[Row]]], kind: str, prefix: str, workspace: str | None
) -> list[str]:
    values: dict[str, object] = {"prefix": prefix, "limit": MAX_NAMES}
    if kind != "workspaces":
        known = await fetch("operator_workspaces", {"after": "", "limit": MAX_NAMES})
        chosen = [row["id"] for row in known if workspace is None or workspace in (row["id"], row["name"])]
        if len(chosen) != 1:  # the command itself would ask for --workspace
            return []
        values["workspace_id"] = chosen[0]
    return [row["name"] for row in await fetch(f"complete_{kind}", values)]
