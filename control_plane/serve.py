"""Owns a process of the control plane: made ready, served until SIGTERM, ended with its streams.

Reads the environment once. Nothing secret is logged; the owner's first sign-in link is printed, once.
"""

import asyncio
import fcntl
import gc
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import uvicorn
import uvloop
from litestar import Litestar
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from control_plane.app import Parts, create_app
from control_plane.auth.first_start import ensure_owner
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.db.migrate import upgrade
from control_plane.key_file import Rings, load_rings
from control_plane.keyring import KeyringError
from control_plane.settings import Settings, load_settings
from gateway import private_file
from gateway.logs import configure_logs

# What a request may take after SIGTERM; streams to gateways end at once.
GRACE_S = 2
# Connections that wait to be accepted, while a restart of many gateways comes back at once.
BACKLOG = 2048

_log = logging.getLogger("lensai.control_plane")


class CannotStart(Exception):
    """What a person has to mend; the message says what."""


class Ready(NamedTuple):
    """What a process serves with: everything is loaded, the database is migrated and has an owner."""

    settings: Settings
    rings: Rings
    sign_in: str | None  # the link of the owner that was just made


def serve(environ: Mapping[str, str]) -> None:
    """Blocks until SIGTERM or SIGINT. Raises SettingsError, CannotStart."""
    settings = load_settings(environ)
    configure_logs(log_format=settings.log_format, level=settings.log_level)
    # A supervisor passes it on to all; there is nothing here to read again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with listen(settings) as listener, ExitStack() as stack:
        settings = replace(settings, listen_port=listener.getsockname()[1])
        stack.enter_context(_held_alone(settings))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        ready = runner.run(make_ready(settings))
        if ready.sign_in:
            print(f"Sign in as {settings.owner_email}: {ready.sign_in}", flush=True)
        runner.run(_serve(ready, listener))


async def make_ready(settings: Settings) -> Ready:
    """Keys, schema and owner, each made where it is missing. Raises CannotStart."""
    try:
        rings = load_rings(settings)
        _make_private(settings)
        database = Database(settings.database)
        try:
            await upgrade(database)
            sign_in = await ensure_owner(database, settings, now_ms())
        finally:
            await database.close()
    except KeyringError as fault:
        raise CannotStart(str(fault)) from None
    except DBAPIError as fault:
        raise CannotStart(f"the database cannot be used: {fault.orig}") from None
    except OSError as fault:
        what = fault.filename or "the database (LENSAI_CONTROL_DATABASE_URL)"
        raise CannotStart(f"cannot reach {what}: {fault.strerror or fault}") from None
    return Ready(settings, rings, sign_in)


def _sqlite_file(settings: Settings) -> Path | None:
    path = urlsplit(settings.database).path[1:]
    return Path(path) if settings.database.startswith("sqlite") and path else None


def _make_private(settings: Settings) -> None:
    """SQLite's file is its owner's alone; what SQLite puts beside it is as private as the file."""
    path = _sqlite_file(settings)
    if path is not None:
        private_file.make_directory(path.parent)
        private_file.append(path, b"")


def _held_alone(settings: Settings) -> AbstractContextManager[Any]:
    """SQLite's file, which no second process serves as long as it is open. Raises CannotStart.

    The lock is flock's, of which SQLite's own know nothing; it ends with the process, whatever becomes of it.
    """
    path = _sqlite_file(settings)
    if path is None:
        return nullcontext()
    try:
        _make_private(settings)
        file = path.open("rb")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fix = "stop it, or let several share a PostgreSQL (LENSAI_CONTROL_DATABASE_URL)"
        raise CannotStart(f"another control plane serves {path}: {fix}") from None
    except OSError as fault:
        raise CannotStart(f"cannot use {fault.filename or path}: {fault.strerror or fault}") from None
    return file


def listen(settings: Settings) -> socket.socket:
    """A socket at the address of the settings. Raises CannotStart."""
    host, port = settings.listen_host, settings.listen_port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as fault:
        listener.close()
        where = f"{host}:{port} (LENSAI_CONTROL_LISTEN_HOST, LENSAI_CONTROL_LISTEN_PORT)"
        raise CannotStart(f"cannot listen on {where}: {fault.strerror}") from None
    return listener


class Server(uvicorn.Server):
    """Ends the streams before it waits for requests to end: a stream ends by itself never."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # What is there now stays: a collection that walks it all held everybody up for a third of a second.
        gc.collect()
        gc.freeze()
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            _log.info("listening", extra={"host": host, "port": port})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)
        # What is frozen is not freed at the end; DuckDB's bindings then write sixty lines of leaks to the terminal.
        gc.unfreeze()


def server(app: Litestar, parts: Parts) -> Server:
    """A server of an application over these parts, which has still to be given its sockets."""
    proxies = parts.settings.trusted_proxies
    config = uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType]
        http="httptools",
        ws="none",
        lifespan="on",
        # A path may hold what is nobody's business; uvicorn's own lines go where all others go.
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config, parts.end_streams)


async def _serve(ready: Ready, listener: socket.socket) -> None:
    # uvicorn handles these, and then gives them to whoever did before: to nobody, so that the exit code is 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    parts = Parts(ready.settings, ready.rings.secrets, ready.rings.policy)
    running = server(create_app(parts), parts)
    await running.serve([listener])
    if not running.started:
        raise CannotStart("the application did not start; the log says why")
    _log.info("stopped")
