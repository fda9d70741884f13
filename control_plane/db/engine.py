"""Owns the database: connections, transactions, and that a session touches one organization's rows alone.

SQLite and PostgreSQL behave alike here: a writing transaction of SQLite takes the lock at its start, so that two never
deadlock on the way up; foreign keys hold in both. Writers of SQLite have one connection of their own, which they use in
turn: whoever has the turn waits for no reader to give a connection back, while all others wait for the turn.
"""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Final

from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from control_plane.db.base import Base, OrgOwned
from control_plane.db.turn import Turn

# How long a writer of SQLite waits for another; PostgreSQL waits for locks as long as a statement may take.
BUSY_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 30_000
POOL_CONNECTIONS = 10
# Of SQLite, a thread each; a request that reads while it streams takes two.
READERS_MAX = 20

# What a session that is nobody's may say instead of an organization: jobs, sign-in, the policy feed.
EVERY_ORG: Final = "*"
# Execution options of the few queries that look past the own organization: for all that a person is a member of.
ACROSS: Final = {"lensai_across": True}
_ORG = "org_id"


class Database:
    """`url` is `sqlite+aiosqlite:///path` or `postgresql+asyncpg://…`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.engine = _sqlite(url, begin="BEGIN") if self.sqlite else _postgresql(url)
        self._writer = _sqlite(url, begin="BEGIN IMMEDIATE", connections=1) if self.sqlite else self.engine
        self.errors = 0  # at the database, since this was made
        for engine in {self.engine, self._writer}:
            event.listen(engine.sync_engine, "handle_error", self._count)
        self._turn = Turn(BUSY_TIMEOUT_MS / 1000)
        self._sessions = async_sessionmaker(expire_on_commit=False, sync_session_class=OrgSession)

    @contextlib.asynccontextmanager
    async def reading(self, org_id: str) -> AsyncGenerator[AsyncSession]:
        """A session over one consistent view; what it changes is dropped."""
        async with self._sessions(bind=self.engine, info={_ORG: org_id}) as session:
            yield session

    @contextlib.asynccontextmanager
    async def writing(self, org_id: str, *, urgent: bool = False) -> AsyncGenerator[AsyncSession]:
        """A transaction: committed at the end, rolled back by an exception. What is urgent waits for one other."""
        async with (
            self._in_turn(urgent=urgent),
            self._sessions(bind=self._writer, info={_ORG: org_id}) as session,
            session.begin(),
        ):
            await session.connection()  # begins here and now
            yield session

    def _in_turn(self, *, urgent: bool) -> contextlib.AbstractAsyncContextManager[None]:
        """SQLite lets one write, and its lock is nobody's turn: under load one who waits would wait too long."""
        return self._turn.taken(urgent=urgent) if self.sqlite else contextlib.nullcontext()

    def _count(self, failed: ExceptionContext) -> None:
        # A row that is there already is an answer, and often an expected one.
        self.errors += not isinstance(failed.sqlalchemy_exception, IntegrityError)

    async def close(self) -> None:
        await self.engine.dispose()
        await self._writer.dispose()


class OrgSession(Session):
    """A session that knows whose rows it may touch."""

    @property
    def org_id(self) -> str:
        return self.info[_ORG]


@event.listens_for(OrgSession, "do_orm_execute")
def _only_the_own_rows(state: ORMExecuteState) -> None:
    org_id: str = state.session.info[_ORG]
    if org_id == EVERY_ORG or state.is_column_load or state.is_relationship_load:
        return
    if state.execution_options.get("lensai_across"):
        return
    # Of an organization's rows, only those that a flush looks at are inserted.
    target = state.bind_mapper.class_ if state.is_insert and state.bind_mapper is not None else Base
    assert not issubclass(target, OrgOwned), "a row of another organization, perhaps: add it to the session instead"
    state.statement = state.statement.options(
        with_loader_criteria(OrgOwned, lambda cls: cls.org_id == org_id, include_aliases=True)
    )


@event.listens_for(OrgSession, "before_flush")
def _no_row_of_another(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    org_id: str = session.info[_ORG]
    if org_id == EVERY_ORG:
        return
    for row in (*session.new, *session.dirty, *session.deleted):
        assert not isinstance(row, OrgOwned) or row.org_id == org_id, "a row of another organization"


def _sqlite(url: str, *, begin: str, connections: int = READERS_MAX) -> AsyncEngine:
    waits = {"timeout": BUSY_TIMEOUT_MS / 1000}
    engine = create_async_engine(url, pool_size=connections, max_overflow=0, connect_args=waits)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver would begin late and by itself; `begin_itself` below does it.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin_itself(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: str) -> AsyncEngine:
    settings = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "application_name": "lensai-control-plane"}
    return create_async_engine(
        url, pool_size=POOL_CONNECTIONS, pool_pre_ping=True, connect_args={"server_settings": settings}
    )
