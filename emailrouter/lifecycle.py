"""The lifecycle of one process: wait for the database, start the roles, report readiness, shut down.

The shutdown closes the listeners, completes requests and incoming messages, then completes running deliveries, and then
closes the database. This order loses nothing. Each step has a time limit, which a second signal does not shorten.
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
from emailrouter import assembly, descriptors, shutdown
from emailrouter import log as logging
from emailrouter.assembly import Process, Role
from emailrouter.assembly.core import AnyDatabase
from emailrouter.draining import drain
from emailrouter.os_errors import describe_unavailable
from emailrouter.secret_key import load_secret_box
from emailrouter.shutdown import Shutdown
from emailrouter.watchdog import SystemdNotifier, send_heartbeats
from router.clock import Clock
from router.errors import ConfigurationFault, Unavailable
from router.store import catalog, migrate, pg_notify, wal
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase

# Backoff while the database is unavailable at the start.
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 5.0

log = structlog.get_logger()


class BackgroundTaskEnded(Exception):  # noqa: N818 - `__cause__` is the error
    """A background task failed. The process stops, and systemd restarts it."""


async def open_database(
    config: Config,
    *,
    apply_migrations: bool,
    stop: asyncio.Event | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> AnyDatabase:
    """Opens the database and applies the migrations or checks the schema.

    Retries while the database is unavailable, until `stop` is set; without `stop`, tries once. `on_wait` receives the
    reason before each wait.

    Raises:
        Unavailable: The database is unavailable and `stop` is set or None.
        ConfigurationFault: The configuration is wrong; a retry would fail too.
        SchemaMismatch: The schema is not that of this version.
    """
    database = assembly.build_database(config, catalog.load_catalog())
    wait = FIRST_RETRY_SECONDS
    try:
        while True:
            try:
                await database.open()
                if apply_migrations:
                    for name in await migrate.migrate(database):
                        log.info("database.migration_applied", migration=name)
                else:
                    await migrate.check_schema(database)
            except ConfigurationFault:
                raise  # ends the process with exit code 2
            except Unavailable as error:
                await database.close()
                if stop is None or stop.is_set():
                    raise
                log.warning("database.unavailable", reason=describe_unavailable(error, config), retry_in_seconds=wait)
                if on_wait is not None:
                    on_wait("the database is unavailable")
                await _sleep_until(stop, wait)
                wait = min(wait * 2, MAX_RETRY_SECONDS)
            else:
                return database
    except BaseException:
        await database.close()
        raise


@asynccontextmanager
async def run_roles(
    config: Config,
    roles: frozenset[Role],
    database: AnyDatabase,
    stop: Shutdown | None = None,
    *,
    clock: Clock | None = None,
    links: str | None = None,
) -> AsyncIterator[Process]:
    """Runs the roles until the block ends, then shuts down and closes the database.

    `clock` and `links` are those of `assembly.build`.
    A start that fails halfway is shut down too. If a background task fails, the block is cancelled and
    `BackgroundTaskEnded` is raised.
    """
    stop = stop or Shutdown()
    async with AsyncExitStack() as closing:  # closes in reverse order, also after errors
        closing.push_async_callback(stop.run_step, "database", database.close, shutdown.DATABASE_SECONDS)
        box = await load_secret_box(config, database)
        process = assembly.build(config, database, box, roles, clock=clock, links=links)
        if process.metrics is not None:
            closing.push_async_callback(stop.run_step, "metrics", process.metrics.stop, shutdown.METRICS_SECONDS)
        for name, close in reversed(process.core.open_parts()):
            closing.push_async_callback(stop.run_step, name, close, shutdown.PART_SECONDS[name])
        async with _run_background_tasks(process, stop) as tasks:
            try:
                await _start_servers(process)
                yield process
            except asyncio.CancelledError:
                tasks.raise_failure()
                raise
            finally:
                tasks.is_shutting_down = True
                stop.start_timer()
                await drain(process, stop)


def ready_facts(process: Process) -> dict[str, Any]:
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


async def run_until_stopped(config: Config, roles: frozenset[Role], reload_config: Callable[[], Config]) -> None:
    """Runs the roles until SIGTERM or SIGINT. SIGHUP reloads certificates and the log level."""
    descriptors.raise_limit(config, roles)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    steps = Shutdown(shutdown.max_shutdown_seconds(config, roles))

    def begin_stop() -> None:
        steps.start_timer()
        stop.set()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, begin_stop)
    # Without a handler SIGHUP would end the process.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    notifier = SystemdNotifier(os.environ)
    embedded = config.database.url.path is not None
    opening = open_database(
        config, apply_migrations=embedded and len(roles) > 1, stop=stop, on_wait=notifier.notify_waiting
    )
    try:
        database = await _open_unless_stopped(opening, stop, steps)
    except Unavailable:
        if stop.is_set():
            return
        raise
    if database is None:
        return
    heartbeats: asyncio.Task[None] | None = None
    try:
        async with run_roles(config, roles, database, steps) as process:
            loop.add_signal_handler(signal.SIGHUP, _reload, process, notifier, reload_config)
            # Heartbeats continue during a shutdown, although background tasks end then.
            heartbeats = loop.create_task(
                send_heartbeats(notifier, lambda: "" if stop.is_set() else find_ended_task(process))
            )
            if embedded and len(roles) > 1:
                # After the ports are open: the login is shown once, and has the URL of this start.
                from emailrouter.first_login import create_if_empty  # noqa: PLC0415 - only for `serve`

                await create_if_empty(config, database)
            _finish_start(process, notifier)
            await stop.wait()
            log.info("stopping")
            notifier.notify_stopping()
    finally:
        if heartbeats is not None:
            heartbeats.cancel()
    log.info("stopped")


def _finish_start(process: Process, notifier: SystemdNotifier) -> None:
    # Full garbage collections then no longer examine the objects that exist now.
    gc.collect()
    gc.freeze()
    log.info("ready", **ready_facts(process))
    notifier.notify_ready()


async def _open_unless_stopped(
    opening: Coroutine[Any, Any, AnyDatabase], stop: asyncio.Event, steps: Shutdown
) -> AnyDatabase | None:
    """Awaits `opening`, and after a stop request only for a limited time. Returns None if `opening` was abandoned."""
    task = asyncio.ensure_future(opening)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await steps.run_step("opening the database", lambda: task, shutdown.DATABASE_SECONDS)
        return task.result() if task.done() and not task.cancelled() else None
    finally:
        stopped.cancel()
        task.cancel()


def find_ended_task(process: Process) -> str:
    if not process.core.writers.is_alive:
        return "commit queue"
    return next((task.get_name() for task in process.background_tasks if task.done()), "")


def _reload(process: Process, notifier: SystemdNotifier, reread: Callable[[], Config]) -> None:
    """Reloads the certificates and the log level. Other settings need a restart."""
    notifier.notify_reloading()
    log.info("reloading")
    try:
        logging.set_level(reread().server.log_level)
    except ConfigError as error:
        log.error("reload.configuration_invalid", reason=str(error))  # noqa: TRY400 - the message is enough
    if process.smtp is not None:
        process.smtp.reload()
    notifier.notify_ready()


async def _start_servers(process: Process) -> None:
    """Starts the SMTP server last, so that no mail is accepted if another server cannot listen."""
    if process.metrics is not None:
        await process.metrics.start()
    if process.api is not None:
        await process.api.start()
    if process.smtp is not None:
        await process.smtp.start()


@dataclass(slots=True)
class _BackgroundTasks:
    """Failures of background tasks. A failure cancels `main_task`, except during a shutdown."""

    main_task: asyncio.Task[Any] | None
    is_shutting_down: bool = False
    failures: list[BaseException] = field(default_factory=list)

    def on_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("process.background_task_ended", exc_info=error)
            self.failures.append(error)
            if self.main_task is not None and not self.is_shutting_down:
                self.main_task.cancel()

    def raise_failure(self) -> None:
        """Raises `BackgroundTaskEnded` if a background task has failed.

        First undoes the cancellation of `main_task`, which the exception replaces.
        """
        if self.failures:
            if self.main_task is not None and self.main_task.cancelling():
                self.main_task.uncancel()
            raise BackgroundTaskEnded("a background task has ended unexpectedly") from self.failures[0]


@asynccontextmanager
async def _run_background_tasks(process: Process, stop: Shutdown) -> AsyncIterator[_BackgroundTasks]:
    """Runs the background tasks until the block ends.

    Then waits for the runners of the deliver role and cancels the other tasks.
    """
    runners = {
        "checks": process.check_runner,
        "submissions": process.submissions,
        "bounces": process.bounce_runner,
        "dispatcher": process.dispatcher,
    }
    running = {name: runner for name, runner in runners.items() if runner is not None}
    tasks = _BackgroundTasks(asyncio.current_task())
    loop = asyncio.get_running_loop()
    awaited = [loop.create_task(runner.run(), name=name) for name, runner in running.items()]
    cancelled = [loop.create_task(coroutine, name=name) for name, coroutine in _endless_tasks(process).items()]
    process.background_tasks += (*awaited, *cancelled)
    for task in (*awaited, *cancelled):
        task.add_done_callback(tasks.on_done)
    try:
        yield tasks
    finally:
        tasks.is_shutting_down = True
        for runner in running.values():
            runner.stop()
        if running:
            delivery = (
                process.core.config.delivery.timeout.total_seconds()
                + shutdown.OUTCOME_SECONDS
                + shutdown.DISPATCHER_SECONDS
            )
            await stop.run_step("dispatcher", partial(_wait_all, awaited), delivery)
        for task in (*awaited, *cancelled):
            task.cancel()
        await stop.run_step("background tasks", partial(_wait_all, cancelled), shutdown.BACKGROUND_SECONDS)
    tasks.raise_failure()


def _endless_tasks(process: Process) -> dict[str, Coroutine[Any, Any, None]]:
    """Returns the tasks that run until they are cancelled, by their names."""
    database = process.core.database
    tasks: dict[str, Coroutine[Any, Any, None]] = {}
    if process.dispatcher is not None and isinstance(database, PostgresDatabase):
        waker = process.core.local_waker
        others = {
            pg_notify.CHECKS: waker.wake_checks,
            pg_notify.SUBMISSIONS: waker.wake_submissions,
            pg_notify.BOUNCES: waker.wake_bounces,
        }
        tasks["listener"] = pg_notify.listen(database, waker.wake, others)
    if isinstance(database, SqliteDatabase):
        tasks["wal"] = wal.truncate_wal_periodically(database)
    if process.maintenance is not None:
        tasks["maintenance"] = process.maintenance.run()
    if process.pg_notifier is not None:
        tasks["pg_notify"] = process.pg_notifier.run()
    return tasks


async def _wait_all(tasks: Sequence[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


async def _sleep_until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
