"""`ticket reply`, and the `reply` commands."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import click

from api.schema.replies import ReplyAnswer, ReplyCanceled, ReplyCreated, ReplyDetail
from emailrouter.cli.acting import act_as, acting_option
from emailrouter.cli.context import (
    CommandContext,
    Json,
    WorkspaceCommand,
    WorkspaceGroup,
    read_file_text,
    to_json,
    with_context,
)
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import ChoiceType, FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.admin.paging import Page
from router.admin.replies.reply_request import ReplyRequest
from router.admin.replies.uploads import CHUNK_BYTES
from router.enumerations import TICKET_STATUS
from router.filters import ReplyFilter
from router.model import Upload

_COLUMNS = (
    Column("ID", "id"),
    Column("Ticket", "ticketNumber"),
    Column("State", "state"),
    Column("To", "to", shorten=True),
    Column("Subject", "subject", shorten=True),
    Column("Last error", "lastError", shorten=True),
    Column("Created", "createdAt", is_time=True),
    Column("Next attempt", "nextAttemptAt", optional=True, is_time=True),
    Column("Sent", "sentAt", optional=True, is_time=True),
)
_EXAMPLES = (
    "ticket reply 42 --text-file answer.txt --as eve@example.com",
    "ticket reply 42 --text-file - --attach a.pdf --status resolved",
)


@click.command(cls=WorkspaceCommand, name="reply", examples=_EXAMPLES)
@click.argument("ticket")
@click.option(
    "--text-file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE|-",
    required=True,
    help="File with the text; `-` is standard input.",
)
@click.option(
    "--attach", type=click.Path(path_type=Path), metavar="FILE", multiple=True, help="File to attach; can be repeated."
)
@click.option("--to", metavar="ADDRESS", multiple=True, help="Recipient instead of the customer; can be repeated.")
@click.option("--cc", metavar="ADDRESS", multiple=True, help="Recipient of a copy; can be repeated.")
@click.option(
    "--status", type=ChoiceType(TICKET_STATUS), help="Status of the ticket after the reply.  [default: waiting]"
)
@click.option("--force", is_flag=True, help="Also send to an address to which mail bounced permanently several times.")
@acting_option(required=False)
@with_context()
async def reply(
    context: CommandContext,
    ticket: str,
    text_file: Path,
    *,
    attach: tuple[Path, ...],
    to: tuple[str, ...],
    cc: tuple[str, ...],
    status: str | None,
    force: bool,
    acting: str | None,
) -> None:
    """Reply to the customer by mail.

    The reply waits for the time of `[outgoing] undo`, in which `reply cancel` takes it back.
    """
    context = await act_as(context, acting)
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    text = read_file_text(text_file)
    uploads: list[Upload] = []
    try:
        for path in attach:
            uploads.append(await _upload(context, path))  # noqa: PERF401 - those that were stored are deleted below
        request = ReplyRequest(
            text=text,
            to=to or None,
            cc=cc or None,
            status=status or "waiting",
            attachments=tuple(upload.id for upload in uploads),
            force=force,
        )
        view = await context.services.replies.create(context.actor, ticket_id, request)
    except BaseException:
        await context.services.uploads.delete_many(context.actor, uploads)
        raise
    created = to_json(ReplyCreated.from_view(view))
    context.print_result(created, f"{view.reply.id} to {', '.join(view.to)} is sent at {created['sendAt']}.")


async def _upload(context: CommandContext, path: Path) -> Upload:
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in _read_chunks(path):
            yield chunk

    return await context.services.uploads.add(context.actor, path.name, content_type, chunks(), expected=_size(path))


def _size(path: Path) -> int:
    return path.stat().st_size


def _read_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


@click.group(cls=WorkspaceGroup, name="reply")
def group() -> None:
    """Show, cancel and retry replies to customers."""


@group.command("list", examples=["reply list --state failed"])
@filter_options(ReplyFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[ReplyFilter], paging: Paging) -> None:
    """List the replies, newest first."""
    state = (await filters.read(context)).state
    page = await paging.collect(partial(context.services.replies.list_outbox, context.actor, state=state))
    rows = to_rows(page, ReplyAnswer.from_view)
    if not context.as_json:
        rows = Page(tuple(_with_to(row) for row in rows.items), rows.next_cursor)
    context.print_list("replies", rows, _COLUMNS)


def _with_to(row: Json) -> Json:
    return row | {"to": ", ".join(each["address"] for each in row["recipients"])}


@group.command("show", examples=["reply show rpl_01m8nxc4x2qgc58zrbbs8syq1z"])
@click.argument("reply", metavar="ID")
@with_context()
async def show(context: CommandContext, reply: str) -> None:
    """Show a reply with its recipients and attempts."""
    context.print_object(to_json(ReplyDetail.from_view(await context.services.replies.get(context.actor, reply))))


@group.command("cancel", examples=["reply cancel rpl_01m8nxc4x2qgc58zrbbs8syq1z"])
@click.argument("reply", metavar="ID")
@with_context()
async def cancel(context: CommandContext, reply: str) -> None:
    """Cancel a reply that is still queued. Its text becomes a draft of its author."""
    view = await context.services.replies.cancel(context.actor, reply)
    context.print_result(to_json(ReplyCanceled.from_model(view.reply)), f"{view.reply.id} is canceled.")


@group.command("retry", examples=["reply retry rpl_01m8nxc4x2qgc58zrbbs8syq1z --to ann@shop.example"])
@click.argument("reply", metavar="ID")
@click.option(
    "--to", metavar="ADDRESS", multiple=True, help="Address that replaces those that failed; can be repeated."
)
@click.option("--force", is_flag=True, help="Also send to an address to which mail bounced permanently several times.")
@with_context()
async def retry(context: CommandContext, reply: str, *, to: tuple[str, ...], force: bool) -> None:
    """Send a reply again to the recipients that failed."""
    view = await context.services.replies.retry(context.actor, reply, to or None, force=force)
    context.print_result(to_json(ReplyDetail.from_view(view)), f"{view.reply.id} is queued again.")


COMMANDS = (group,)
