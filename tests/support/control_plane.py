"""Owns a control plane for tests: the real application over a real SQLite or PostgreSQL, and people in it."""

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State
from sqlalchemy.ext.asyncio import create_async_engine

from control_plane.app import Parts, create_app, running
from control_plane.auth.first_start import sign_in_link
from control_plane.auth.roles import Role
from control_plane.auth.tables import GatewayToken, Membership, Organization, ServiceToken, User
from control_plane.auth.tokens import new_token
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id
from control_plane.db.migrate import upgrade
from control_plane.keyring import Keyring
from control_plane.serve import listen, server
from control_plane.settings import Settings
from tests.support.processes import free_port

# Such as Debian's; the newest there is.
_POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
START_MS = 1_790_000_000_000


class Postgres:
    """A PostgreSQL server on a free port, of a user who may run one; its files are gone with it."""

    def __init__(self) -> None:
        if not _POSTGRESQL:
            pytest.skip("no PostgreSQL server: apt-get install postgresql")
        self._bin = _POSTGRESQL[-1]
        self._directory = tempfile.mkdtemp(prefix="lensai-pg-")
        self.port = free_port()
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self._directory, "postgres", "postgres")

    def start(self) -> None:
        data = f"{self._directory}/data"
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-D", data)
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{self._directory}/log", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self._directory}/data", "-m", "immediate", "stop")
        shutil.rmtree(self._directory, ignore_errors=True)

    async def new_database(self) -> str:
        name = f"t{secrets.token_hex(6)}"
        engine = create_async_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.exec_driver_sql(f"CREATE DATABASE {name}")
        await engine.dispose()
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


class ControlPlane:
    """The application, and ways to speak to it as somebody."""

    def __init__(self, parts: Parts, client: httpx.AsyncClient, clock: Clock, app: Litestar) -> None:
        self.parts, self.client, self.clock, self.app = parts, client, clock, app

    async def organization(self, name: str = "Acme", org_id: str = "") -> str:
        """A new organization's id."""
        org_id = org_id or new_id("org", self.clock())
        async with self.parts.database.writing(EVERY_ORG) as session:
            session.info["now_ms"] = self.clock()
            session.add(Organization(id=org_id, name=name, created_at_ms=self.clock()))
        return org_id

    async def token(self, org_id: str, role: Role = "owner") -> dict[str, str]:
        """Headers of a program of an organization."""
        token = new_token("lst_")
        row = ServiceToken(
            id=new_id("tok", self.clock()),
            org_id=org_id,
            name=f"{role} of tests",
            prefix=token.prefix,
            sha256=token.sha256,
            role=role,
            created_by="system:test",
            created_at_ms=self.clock(),
        )
        await self._add(row)
        return {"authorization": f"Bearer {token.secret}"}

    async def gateway(self) -> dict[str, str]:
        """Headers of a gateway."""
        token = new_token("lgw_")
        await self._add(
            GatewayToken(
                id=new_id("gwt", self.clock()),
                name="test",
                prefix=token.prefix,
                sha256=token.sha256,
                created_at_ms=self.clock(),
            )
        )
        return {"authorization": f"Bearer {token.secret}", "x-lensai-node": "node-1"}

    async def member(self, org_id: str, email: str, role: Role) -> str:
        """A user's id."""
        user_id = new_id("usr", self.clock())
        await self._add(User(id=user_id, email=email, created_at_ms=self.clock()))
        await self.join(org_id, user_id, role)
        return user_id

    async def join(self, org_id: str, user_id: str, role: Role) -> str:
        """A membership's id."""
        id, now_ms = new_id("mem", self.clock()), self.clock()
        await self._add(Membership(id=id, org_id=org_id, user_id=user_id, role=role, created_at_ms=now_ms))
        return id

    async def link(self, email: str) -> str:
        """The token of a sign-in link, as an operator makes one."""
        async with self.parts.database.writing(EVERY_ORG) as session:
            url = await sign_in_link(session, self.parts.settings, email, self.clock())
        return url.partition("#token=")[2]

    async def browser(self, email: str) -> "Browser":
        """A browser in which the user with that address is signed in."""
        browser = Browser(self)
        answer = await browser.sign_in(await self.link(email))
        assert answer.status_code == 201, answer.text
        return browser

    async def _add(self, row: object) -> None:
        async with self.parts.database.writing(EVERY_ORG) as session:
            session.info["now_ms"] = self.clock()
            session.add(row)


class Browser:
    """Keeps its cookie as browsers do, and sends the token against forgery with every request."""

    def __init__(self, plane: ControlPlane) -> None:
        self._client = plane.client
        self.cookie = self.csrf = ""

    async def sign_in(self, token: str) -> httpx.Response:
        answer = await self.request("POST", "/v1/auth/sessions", json={"token": token})
        self.csrf = answer.json().get("csrf_token", self.csrf)
        return answer

    async def request(self, method: str, path: str, *, csrf: str | None = None, json: object = None) -> httpx.Response:
        shown = self.csrf if csrf is None else csrf
        headers = {"cookie": self.cookie} if self.cookie else {}
        headers |= {"x-csrf-token": shown} if shown else {}
        encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        answer = await self._client.request(method, path, headers=encoded, json=json)
        # Kept by each browser for itself: the client is everybody's.
        self._client.cookies.clear()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer


def ring(name: str) -> Keyring:
    return Keyring({name: name.encode().ljust(32, b"-")})


async def migrated(url: str) -> None:
    """A database with every table: an empty one becomes a copy of one that was migrated once for the whole run."""
    if url.startswith("sqlite"):
        path = Path(url.partition("///")[2])
        if not path.exists():  # noqa: ASYNC240
            shutil.copy(await _sqlite_template(), path)
        return
    server, _, name = url.rpartition("/")
    template = await _postgresql_template(server)
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        if await _is_empty(url):
            await connection.exec_driver_sql(f"DROP DATABASE {name}")
            await connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    await engine.dispose()


# Migrated databases by what they are copied for: "" is SQLite, else a server's address.
_TEMPLATES: dict[str, str] = {}


async def _sqlite_template() -> str:
    if "" not in _TEMPLATES:
        path = tempfile.mkdtemp(prefix="lensai-template-") + "/control-plane.sqlite"
        await _migrate(f"sqlite+aiosqlite:///{path}")
        _TEMPLATES[""] = path
    return _TEMPLATES[""]


async def _postgresql_template(server: str) -> str:
    if server not in _TEMPLATES:
        engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.exec_driver_sql("CREATE DATABASE lensai_template")
        await engine.dispose()
        await _migrate(f"{server}/lensai_template")
        _TEMPLATES[server] = "lensai_template"
    return _TEMPLATES[server]


async def _migrate(url: str) -> None:
    database = Database(url)
    await upgrade(database)
    await database.close()


async def _is_empty(url: str) -> bool:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        tables = found.scalar_one()
    await engine.dispose()
    return tables == 0


@contextlib.asynccontextmanager
async def control_plane(url: str, directory: Path, **settings: object) -> AsyncIterator[ControlPlane]:
    """A migrated application; `settings` are further fields of Settings."""
    async with still_parts(url, directory, **settings) as (parts, clock):
        with _application(parts) as app:
            # In the test's own loop, as its database connections are; a test runs the jobs it is about.
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
            async with (
                running(parts, jobs=()),
                httpx.AsyncClient(transport=transport, base_url="http://control.test") as client,
            ):
                yield ControlPlane(parts, client, clock, app)


# Applications that serve nobody, by their limit of bodies, which the framework is told when it is made.
_IDLE: dict[int, list[Litestar]] = {}


@contextlib.contextmanager
def _application(parts: Parts) -> Iterator[Litestar]:
    """One over these parts. To make routes takes longer than most tests do: a test is lent some, with nothing in them.

    All that an application knows is in its state, which is new for each test.
    """
    idle = _IDLE.setdefault(parts.settings.body_bytes_max, [])
    app = idle.pop() if idle else create_app(parts)
    app.state = State({"parts": parts})
    yield app
    app.state = State()
    idle.append(app)


@contextlib.asynccontextmanager
async def still_parts(url: str, directory: Path, **settings: object) -> AsyncIterator[tuple[Parts, Clock]]:
    """What an application stands on, over a migrated database; nothing runs by itself."""
    clock = Clock()
    chosen = Settings(database_url=url, data_dir=str(directory), private_targets="allow", **settings)  # type: ignore[arg-type]
    parts = Parts(chosen, ring("seal1"), ring("sign1"), clock)
    await migrated(url)
    try:
        yield parts, clock
    finally:
        await parts.close()
        await _statements_ended()


async def _statements_ended() -> None:
    """A statement of SQLite that was cancelled ends on its own thread, and tells this loop while there is one."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 1.0)


@contextlib.asynccontextmanager
async def served_plane(url: str, directory: Path, **settings: object) -> AsyncIterator[ControlPlane]:
    """The same on a port of its own, by the server that serves: for streams, which the transport above holds back."""
    clock = Clock()
    chosen = Settings(database_url=url, data_dir=str(directory), listen_port=0, **settings)  # type: ignore[arg-type]
    parts = Parts(chosen, ring("seal1"), ring("sign1"), clock)
    await migrated(url)
    with _application(parts) as app, listen(chosen) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = server(app, parts)
        task = asyncio.create_task(serving.serve([listener]))
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            try:
                yield ControlPlane(parts, client, clock, app)
            finally:
                serving.should_exit = True
                await task


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    try:
        yield server
    finally:
        server.stop()
