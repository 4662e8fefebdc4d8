"""The core over a store of a test, with settings by their documented names (`smtp.max_header_bytes`)."""

from collections.abc import Iterable, Mapping

from config.schema import Config
from emailrouter.assembly.core import Core, group_writer
from router.accept.incoming import IncomingMail
from router.accept.transaction import Committed
from router.clock import Clock
from router.meter import UNMETERED, Meter
from router.ports import Wake
from router.secrets import SecretBox, new_key
from router.store.group_commit import Write
from tests.support.stores import Store

# Webhooks may be on loopback, no name server answers, and how full this machine's disk is does not matter.
SETTINGS: Mapping[str, object] = {
    "server.hostname": "mx.test",
    "smtp.min_free_bytes": 0,
    "dns.nameservers": ["127.0.0.1:9"],
    "delivery.allow_private_networks": True,
}


class Woken:
    """Remembers which integrations were woken."""

    def __init__(self) -> None:
        self.integration_ids: list[str] = []

    def wake(self, integration_ids: Iterable[str]) -> None:
        """See `router.ports.Wake`."""
        self.integration_ids += integration_ids


def config_of(settings: Mapping[str, object]) -> Config:
    """The configuration with these settings, defaults for the others, no file and no environment."""
    document: dict[str, dict[str, object]] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        document.setdefault(section, {})[name] = value
    return Config.model_validate(document)


def core_over(
    store: Store,
    clock: Clock,
    *,
    settings: Mapping[str, object] | None = None,
    box: SecretBox | None = None,
    wake: Wake | None = None,
    meter: Meter = UNMETERED,
    write: Write[IncomingMail, Committed] | None = None,
) -> Core:
    """The caller closes it. wake: None is the core's own dispatcher. write: instead of the product's transaction."""
    config = config_of({**SETTINGS, **(settings or {})})
    core = Core(config, store.database, clock, box or SecretBox(new_key()), wake=wake, meter=meter)
    if write is not None:
        core.writer = group_writer(config.database, store.database, write)
    return core
