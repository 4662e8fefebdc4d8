"""`export` and `apply`: the configuration of a workspace as one file, with references to secrets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from emailrouter.cli import console
from emailrouter.cli.context import CommandContext, WorkspaceCommand, confirm, confirmation_option, with_context
from router.channels import CHANNELS
from router.errors import Refused
from router.provisioning import document
from router.provisioning.apply import DocumentApplier
from router.provisioning.document import MAX_BYTES, WorkspaceDocument
from router.provisioning.entry import InvalidDocument
from router.provisioning.export import export_document, take_snapshot
from router.provisioning.plan import Plan

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_HEAD = """The configuration of a workspace. `emailrouter apply FILE` applies it (--dry-run only shows the changes).
Secrets are references, env:NAME or file:PATH. They are read when the file is applied and never written to it."""


@click.command(cls=WorkspaceCommand, name="export", examples=["export --output workspace.toml"])
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="PATH", help="Output file.  [default: stdout]")
@with_context()
async def export(context: CommandContext, output: Path | None) -> None:
    """Export the configuration of a workspace as TOML.

    Secrets are replaced by references to environment variables. Passwords, API keys and tickets are omitted.
    """
    found = export_document(await take_snapshot(context.services, context.actor), CHANNELS)
    if context.as_json:
        console.print_json(found.model_dump(exclude_none=True))
        return
    text = document.render(found, head=_HEAD)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")  # noqa: ASYNC240 - no other task runs in a command
        click.echo(f"Written to {output}.", err=True)


@click.command(cls=WorkspaceCommand, name="apply", examples=["apply workspace.toml --dry-run"])
@click.argument("file", metavar="FILE|-", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Show the changes without applying them.")
@click.option("--prune", is_flag=True, help="Also remove entries that are missing from the sections of the file.")
@confirmation_option
@with_context(secrets=True)
async def apply(context: CommandContext, file: Path, dry_run: bool, prune: bool, yes: bool) -> None:
    """Apply a configuration file to a workspace.

    The file is written by `export` or by hand. The changes are printed. Applying the same file again changes nothing.
    Sections that the file omits are left unchanged.
    """
    new_document = _read_document(file)
    services = context.services
    applier = DocumentApplier(services, context.core.poster, _resolve_reference)
    try:
        plan = applier.plan(new_document, await take_snapshot(services, context.actor), prune=prune)
    except InvalidDocument as error:
        raise click.UsageError(f"{file}: {error.message}") from None
    if not context.as_json:
        _print_plan(plan)
    if not dry_run and plan.changes:
        removals = sum(change.action == "remove" for change in plan.changes)
        if removals:
            confirm(f"{removals} of {len(plan.changes)} changes remove entries. Apply all changes?", yes=yes)
        await applier.execute(context.actor, plan)
    applied = not dry_run
    if context.as_json:
        changes = [{"action": c.action, "kind": c.kind, "name": c.name, "detail": c.detail} for c in plan.changes]
        console.print_json({"changes": changes, "kept": plan.unmanaged, "notes": plan.notes, "applied": applied})
    elif not plan.changes:
        click.echo("No changes.")
    else:
        click.echo(f"{len(plan.changes)} changes {'applied' if applied else 'not applied (dry run)'}.")


def _print_plan(plan: Plan) -> None:
    for change in plan.changes:
        detail = f": {change.detail}" if change.detail else ""
        line = f"{_SIGNS[change.action]} {change.kind.replace('_', ' ')} {change.name}{detail}"
        click.echo(console.printable_text(line))
    for note in plan.notes:
        click.echo(console.printable_text(f"  {note}"))
    for kept in plan.unmanaged:
        click.echo(console.printable_text(f"  {kept.replace('_', ' ')} is not in the file; --prune would remove it"))


def _read_document(file: Path) -> WorkspaceDocument:
    raw = sys.stdin.buffer.read(MAX_BYTES + 1) if str(file) == "-" else file.read_bytes()
    if len(raw) > MAX_BYTES:
        raise click.UsageError(f"{file}: larger than {MAX_BYTES} bytes")
    try:
        return document.parse(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise click.UsageError(f"{file}: not valid UTF-8") from None
    except InvalidDocument as error:
        raise click.UsageError(f"{file}: {error.message}") from None


def _resolve_reference(reference: str) -> str | None:
    """Returns the secret that `reference` names; None for an environment variable that is unset or empty.

    Raises `Refused` for an unreadable file.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        return os.environ.get(name) or None
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused("invalid_integration", f"{reference} cannot be read: {error}") from None


COMMANDS = (export, apply)
