"""`delivery` commands."""

from __future__ import annotations

from functools import partial

import click

from api.schema.deliveries import DeliveryAnswer, DeliveryDetail, Replayed
from emailrouter.cli.context import CommandContext, WorkspaceGroup, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import ChoiceType, FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.enumerations import REPLAYABLE_STATE
from router.filters import DeliveryFilter

_COLUMNS = (
    Column("ID", "id"),
    Column("State", "state"),
    Column("Integration", "integrationId", shorten=True),
    Column("Last error", "lastError", shorten=True),
    Column("Attempts", "attempts", optional=True),
    Column("Next attempt", "nextAttemptAt", optional=True, is_time=True),
    Column("Delivered", "deliveredAt", optional=True, is_time=True),
)


@click.group(cls=WorkspaceGroup, name="delivery")
def group() -> None:
    """Show and retry deliveries to integrations.

    Each delivery sends one ticket event to one integration.
    """


@group.command("list", examples=["delivery list --state dead", "delivery list --ticket 42"])
@filter_options(DeliveryFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[DeliveryFilter], paging: Paging) -> None:
    """List the deliveries, newest first."""
    page = await paging.collect(partial(context.services.deliveries.list, context.actor, await filters.read(context)))
    names = await context.display_names(delivery.integration_id for delivery in page.items)
    context.print_list("deliveries", to_rows(page, DeliveryAnswer.from_model), _COLUMNS, integrationId=names)


@group.command("show", examples=["delivery show dlv_01m8nxc4x2qgc58zrbbs8syq1z"])
@click.argument("delivery", metavar="ID")
@with_context()
async def show(context: CommandContext, delivery: str) -> None:
    """Show a delivery with its attempts: time, response and duration."""
    view = await context.services.deliveries.get(context.actor, delivery)
    names = await context.display_names([view.delivery.integration_id])
    context.print_object(to_json(DeliveryDetail.from_view(view)), integrationId=names)


@group.command("replay", examples=["delivery replay --all", "delivery replay --integration support"])
@click.argument("delivery", metavar="[ID]", required=False)
@click.option("--all", "replay_all", is_flag=True, help="Retry the deliveries of every integration.")
@click.option("--integration", metavar="NAME|ID", help="Retry the deliveries of this integration.")
@click.option(
    "--state",
    type=ChoiceType(REPLAYABLE_STATE),
    help="With --all or --integration: only deliveries in this state, at most 10000 if pending.  [default: dead]",
)
@with_context()
async def replay(
    context: CommandContext, delivery: str | None, replay_all: bool, integration: str | None, state: str | None
) -> None:
    """Retry one delivery, or all dead deliveries.

    With --integration, retries those of one integration; with --all, those of the workspace.
    """
    if [delivery is not None, replay_all, integration is not None].count(True) != 1:
        raise click.UsageError("exactly one of a delivery ID, --integration and --all is required")
    if delivery is not None:
        if state is not None:
            raise click.UsageError("--state requires --integration or --all")
        queued = await context.services.deliveries.replay(context.actor, delivery)
        context.print_result(to_json(DeliveryAnswer.from_model(queued)), f"{queued.id} is queued for redelivery.")
        return
    integration_id = (
        None if integration is None else await context.lookup.find_integration_id(context.actor, integration)
    )
    replayed = 0
    while True:  # Each call queues a limited number of deliveries in one transaction.
        count = await context.services.deliveries.replay_many(context.actor, integration_id=integration_id, state=state)
        replayed += count
        if not count or state == "pending":
            break
    context.print_result(to_json(Replayed(replayed=replayed)), f"{replayed} deliveries are queued for redelivery.")


COMMANDS = (group,)
