"""Forms for the settings of integrations, derived from the fields that each type declares."""

from __future__ import annotations

from collections.abc import Mapping

from api.dashboard.page import Visit
from router.admin.routes.integrations import IntegrationType
from router.errors import Refused
from router.model import Integration
from router.services import Services

# The form field that confirms a URL of another host.
CONFIRMED_HOST = "confirmedHost"


def selected_type(visit: Visit) -> IntegrationType:
    """Returns the type that the form or else the query names; the default type if there is none of this name."""
    types = visit.services.integrations.types
    return types.get(visit.form.get("type") or visit.query.get("add", ""), next(iter(types.values())))


def type_context(visit: Visit) -> dict[str, object]:
    """Returns the context of a form for a new integration."""
    selected = selected_type(visit)
    types = list(visit.services.integrations.types.values())
    return {"types": types, "selected": selected, "foreign_host": foreign_host(visit, selected)}


async def create_integration(visit: Visit) -> Integration:
    selected = selected_type(visit)
    settings = {field.name: _read(visit, field.name) for field in selected.fields}
    kind = visit.form.get("type", selected.kind)
    if kind == selected.kind:
        _require_confirmation(visit, selected)
    return await visit.services.integrations.create(
        visit.actor, type=kind, name=visit.form.get("name", ""), settings=settings
    )


async def change_settings(visit: Visit) -> None:
    """Changes the settings whose fields differ. An empty secret stays unchanged, unless its checkbox removes it.

    A form without a difference also reactivates a failing integration.
    """
    integrations = visit.services.integrations
    integration = await integrations.get(visit.actor, visit.path_params["id"])
    type_ = integrations.types.get(integration.type)
    if type_ is not None:
        _require_confirmation(visit, type_)
    given = {field: _read(visit, field.name) for field in type_.fields if field.name in visit.form} if type_ else {}
    changes = {
        field.name: value
        for field, value in given.items()
        if (
            value is not None or f"remove-{field.name}" in visit.form
            if field.secret
            else value != integration.settings.get(field.name)
        )
    }
    await integrations.change(visit.actor, integration.id, settings=changes)


def foreign_host(visit: Visit, type_: IntegrationType | None) -> str | None:
    """Returns the host of a URL in the form that is not one of the service itself. See `_require_confirmation`."""
    if type_ is None:
        return None
    return next((host for field in type_.fields if (host := field.find_foreign_host(_read(visit, field.name)))), None)


def _require_confirmation(visit: Visit, type_: IntegrationType) -> None:
    """Refuses a URL of another host, until the form confirms this host: all tickets would go there.

    Also refuses a confirmation without a URL: a form never repeats a secret, and the old URL would be kept.
    """
    secrets = [field for field in type_.fields if field.secret]
    if visit.form.get(CONFIRMED_HOST) and secrets and not any(_read(visit, field.name) for field in secrets):
        message = f"Enter the URL again: you confirmed {visit.form[CONFIRMED_HOST]}, but the field is empty"
        raise Refused("invalid_webhook_url", message, secrets[0].name)
    for field in type_.fields:
        host = field.find_foreign_host(_read(visit, field.name))
        if host and visit.form.get(CONFIRMED_HOST) != host:
            message = f"{host} does not belong to {type_.label}: check the URL, or enter it again and confirm it below"
            raise Refused("invalid_webhook_url", message, field.name)


def secret_fields(services: Services) -> Mapping[str, str]:
    """Returns the labels of the secret fields of all types by name."""
    types = services.integrations.types.values()
    return {field.name: field.label for each in types for field in each.fields if field.secret}


def _read(visit: Visit, name: str) -> str | None:
    return visit.form.get(name, "").strip() or None
