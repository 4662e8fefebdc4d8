"""The life of one process: wait for the database, start the roles, say that they are ready, drain, stop.

The order of the end is the order in which nothing is lost: listeners, mail that is coming in, what is being
delivered, the store. A second signal does not shorten it; the settings bound it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from config.load import ConfigError
from config.schema import Config
from config.values import Address
from emailrouter import assembly, descriptors, stopping
from emailrouter import log as logging
from emailrouter.assembly import Process, Role
from emailrouter.assembly.core import AnyDatabase
from emailrouter.draining import drain
from emailrouter.stopping import Stopping
from emailrouter.watchdog import Manager, beat
from router.admin.installation import key_rotation
from router.errors import Misconfigured, Unavailable
from router.secrets import KEY_FILE, SecretBox, fingerprint, load_or_create_key
from router.store import catalog, migrate, pg_notify, wal
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase

# While the database is away at the start: the first wait and the longest.
WAIT_FIRST, WAIT_MOST = 0.5, 5.0

log = structlog.get_logger()


class WrongSecretKey(Exception):  # noqa: N818 - what is wrong, in the words of the configuration
    """This host's secret key is not the one this database's secrets were sealed with."""


class Halted(Exception):  # noqa: N818 - not an error of its own: `__cause__` says what ended
    """A part that runs until the end has ended by itself; the process stops, its supervisor starts it again."""


async def open_database(
    config: Config,
    *,
    migrate_it: bool,
    stop: asyncio.Event | None = None,
    waiting: Callable[[str], None] | None = None,
) -> AnyDatabase:
    """The database, reachable and of this program's schema.

    Waits while it is away, telling so (`waiting`), until `stop`; without `stop` it does not wait. Raises `Unavailable`
    then, `Misconfigured` where waiting does not help, `SchemaMismatch` for a schema that is not this program's.
    """
    opened = assembly.database(config, catalog.load_catalog())
    wait = WAIT_FIRST
    try:
        while True:
            try:
                await opened.open()
                if migrate_it:
                    for name in await migrate.migrate(opened):
                        log.info("database.migration_applied", migration=name)
                else:
                    await migrate.check_schema(opened)
            except Misconfigured:
                raise  # waiting does not help: exit code 2 keeps a supervisor from trying again
            except Unavailable as error:
                await opened.close()
                if stop is None or stop.is_set():
                    raise
                log.warning("database.unavailable", reason=str(error), retry_in_seconds=wait)
                if waiting is not None:
                    waiting("the database is unavailable")
                await _wait(stop, wait)
                wait = min(wait * 2, WAIT_MOST)
            else:
                return opened
    except BaseException:
        await opened.close()
        raise


async def secret_box(config: Config, opened: AnyDatabase) -> SecretBox:
    """Seals and opens with this host's key; raises `WrongSecretKey` when the database knows another."""
    own = config.server.secret_key
    if own is None:
        await _refuse_to_make_a_second_key(config, opened)
    key = own.reveal() if own is not None else await asyncio.to_thread(load_or_create_key, config.server.data_dir)
    mine = fingerprint(key)
    await opened.execute("installation_insert", name="secret_key", value=mine)
    row = await opened.fetch_one("installation_value", name="secret_key")
    if row is not None and row["value"] != mine and own is None:
        # A rotation that was cut off after its commit is finished by whoever comes next.
        rotated = await asyncio.to_thread(key_rotation.complete_rotation, config.server.data_dir, row["value"])
        if rotated is not None:
            return SecretBox(rotated)
    if row is None or row["value"] != mine:
        known = row["value"] if row else "none"
        raise WrongSecretKey(
            f"server.secret_key has the fingerprint {mine}, but this database's secrets were encrypted with {known}: "
            "all hosts of one database need the same key"
        )
    return SecretBox(key)


async def _refuse_to_make_a_second_key(config: Config, opened: AnyDatabase) -> None:
    """A key is made once for a database; a host or a folder without the file lacks it, and another is of no use."""
    file = config.server.data_dir / KEY_FILE
    row = await opened.fetch_one("installation_value", name="secret_key")
    if row is not None and not await asyncio.to_thread(file.exists):
        raise WrongSecretKey(
            f"{file} is missing, and this database's secrets were encrypted with the key {row['value']}: copy the file "
            "here (mode 0600), or set server.data_dir or server.secret_key"
        )


@asynccontextmanager
async def running(
    config: Config, roles: frozenset[Role], opened: AnyDatabase, stop: Stopping | None = None
) -> AsyncIterator[Process]:
    """The roles at work over an open database; when the block ends they are drained and the database is closed.

    So they are when the start fails half way. A part that ends by itself cancels the block and is raised as `Halted`.
    """
    stop = stop or Stopping()
    async with AsyncExitStack() as closing:  # in reverse, each whatever became of the one before
        closing.push_async_callback(stop.step, "database", opened.close, stopping.DATABASE)
        box = await secret_box(config, opened)
        process = assembly.build(config, opened, box, roles)
        if process.metrics is not None:
            closing.push_async_callback(stop.step, "metrics", process.metrics.stop, stopping.METRICS)
        for name, close in reversed(process.core.open_parts()):
            closing.push_async_callback(stop.step, name, close, stopping.PARTS[name])
        async with _background(process, stop) as parts:
            try:
                await _start(process)
                yield process
            except asyncio.CancelledError:
                parts.raise_halted()
                raise
            finally:
                parts.draining = True
                stop.arm()
                await drain(process, stop)


def ready_facts(process: Process) -> dict[str, Any]:
    """Where the process can be reached, for the log's `ready` line."""
    facts: dict[str, Any] = {}
    if process.smtp is not None:
        facts["smtp"] = process.smtp.addresses
    if process.api is not None:
        host, port = process.api.address
        facts["api"] = str(Address(host, port))
    if process.dispatcher is not None:
        facts["deliver"] = True
    if process.metrics is not None:
        facts["metrics"] = process.metrics.address
    return facts


async def run_until_stopped(config: Config, roles: frozenset[Role], reread: Callable[[], Config]) -> None:
    """What `serve`, `smtp`, `api` and `deliver` do. Returns after SIGTERM or SIGINT, when all is drained.

    reread: the configuration as it is now, for SIGHUP; may raise `ConfigError`.
    """
    descriptors.ensure(config, roles)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    steps = Stopping(stopping.bound(config, roles))

    def begin_stop() -> None:
        steps.arm()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin_stop)
    # Unhandled it would end the process, and there is nothing to read again yet.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    manager = Manager(os.environ)
    embedded = config.database.url.path is not None
    opening = open_database(config, migrate_it=embedded and len(roles) > 1, stop=stop, waiting=manager.waiting)
    try:
        opened = await _unless_stopped(opening, stop, steps)
    except Unavailable:
        if stop.is_set():
            return
        raise
    if opened is None:
        return
    if embedded and len(roles) > 1:
        from emailrouter.first_login import make_if_empty  # noqa: PLC0415 - for `serve` alone

        await make_if_empty(config, opened)
    beating: asyncio.Task[None] | None = None
    try:
        async with running(config, roles, opened, steps) as process:
            loop.add_signal_handler(signal.SIGHUP, _reload, process, manager, reread)
            # While draining, parts end as they should, and the beat goes on.
            beating = loop.create_task(beat(manager, lambda: "" if stop.is_set() else ended_part(process)))
            _begin(process, manager)
            await stop.wait()
            log.info("stopping")
            manager.stopping()
    finally:
        if beating is not None:
            beating.cancel()
    log.info("stopped")


def _begin(process: Process, manager: Manager) -> None:
    # What the start made lives to the end. A full collection would visit it: 20 ms in which nobody is answered.
    gc.collect()
    gc.freeze()
    log.info("ready", **ready_facts(process))
    manager.ready()


async def _unless_stopped(
    opening: Coroutine[Any, Any, AnyDatabase], stop: asyncio.Event, steps: Stopping
) -> AnyDatabase | None:
    """The opened database. From the stop on, opening it is a step with a bound; None when that is given up."""
    task = asyncio.ensure_future(opening)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await steps.step("opening the database", lambda: task, stopping.DATABASE)
        return task.result() if task.done() and not task.cancelled() else None
    finally:
        stopped.cancel()
        task.cancel()


def ended_part(process: Process) -> str:
    """The name of a background part that has ended though the process goes on; "" while all of them live."""
    if process.writer is not None and not process.writer.is_alive:
        return "accept-writer"
    return next((task.get_name() for task in process.background if task.done()), "")


def _reload(process: Process, manager: Manager, reread: Callable[[], Config]) -> None:
    """SIGHUP: the certificates are read again, and the log level; all else holds until a restart."""
    manager.reloading()
    log.info("reloading")
    try:
        logging.set_level(reread().server.log_level)
    except ConfigError as error:
        log.error("reload.configuration_invalid", reason=str(error))  # noqa: TRY400 - its line says it all
    if process.smtp is not None:
        process.smtp.reload()
    manager.ready()


async def _start(process: Process) -> None:
    """Mail comes in last: an address that cannot be used ends the start before anything was taken on."""
    if process.metrics is not None:
        await process.metrics.start()
    if process.api is not None:
        await process.api.start()
    if process.smtp is not None:
        await process.smtp.start()


@dataclass(slots=True)
class _Parts:
    """What runs in the background, for the task that waits for the end.

    draining: the end has begun, and nothing that fails may cut it short. halted: what failed.
    """

    own: asyncio.Task[Any] | None
    draining: bool = False
    halted: list[BaseException] = field(default_factory=list)

    def ended(self, task: asyncio.Task[None]) -> None:
        """A part is done: as it should be, or the process has to stop."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("process.background_task_ended", exc_info=error)
            self.halted.append(error)
            if self.own is not None and not self.draining:
                self.own.cancel()

    def raise_halted(self) -> None:
        """Raises `Halted` when a part failed; the cancelling it caused is over then, or no time limit would work."""
        if self.halted:
            if self.own is not None and self.own.cancelling():
                self.own.uncancel()
            raise Halted("a background task has ended unexpectedly") from self.halted[0]


@asynccontextmanager
async def _background(process: Process, stop: Stopping) -> AsyncIterator[_Parts]:
    """The parts that run until the end: the dispatcher is waited for, signals are simply cut."""
    to_the_end: dict[str, Coroutine[Any, Any, None]] = {}
    until_cut: dict[str, Coroutine[Any, Any, None]] = {}
    database = process.core.database
    if process.dispatcher is not None:
        to_the_end["dispatcher"] = process.dispatcher.run()
        if isinstance(database, PostgresDatabase):
            until_cut["listener"] = pg_notify.listen(database, process.dispatcher.wake)
    if isinstance(database, SqliteDatabase):
        until_cut["wal"] = wal.truncate_wal_periodically(database)
    if process.janitor is not None:
        until_cut["janitor"] = process.janitor.run()
    if process.signaller is not None:
        until_cut["signaller"] = process.signaller.run()
    parts = _Parts(asyncio.current_task())
    loop = asyncio.get_running_loop()
    waited = [loop.create_task(coroutine, name=name) for name, coroutine in to_the_end.items()]
    cut = [loop.create_task(coroutine, name=name) for name, coroutine in until_cut.items()]
    process.background += (*waited, *cut)
    for task in (*waited, *cut):
        task.add_done_callback(parts.ended)
    try:
        yield parts
    finally:
        parts.draining = True
        if process.dispatcher is not None:
            process.dispatcher.stop()
            delivery = process.core.config.delivery.timeout.total_seconds() + stopping.OUTCOME + stopping.DISPATCHER
            await stop.step("dispatcher", partial(_all_ended, waited), delivery)
        for task in (*waited, *cut):
            task.cancel()
        await stop.step("background tasks", partial(_all_ended, cut), stopping.BACKGROUND)
    parts.raise_halted()


async def _all_ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
