"""Owns what an operator's command stands on: settings, keys and the database, and how a failure is told.

Whoever may run these commands can read the keys and the database; what they change is in the audit log all the same.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.audit.service import record
from control_plane.auth.principal import Principal
from control_plane.auth.tables import Organization
from control_plane.clock import now_ms
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.key_file import Rings, load_rings
from control_plane.keyring import KeyringError
from control_plane.publish import outbox
from control_plane.settings import Settings, SettingsError, load_settings
from control_plane.work import Work

# What a command changes is published as what the API changes: the session's flush does it.
LISTENER = outbox.publish_before_flush

# As the gateway's commands: what a person has to mend is a message and this exit code.
CANNOT_START = 2
_MAKE = (
    "; `lensai up` or `lensai control-plane migrate` makes them,"
    " LENSAI_CONTROL_DATA_DIR and LENSAI_CONTROL_DATABASE_URL say where"
)


class Refused(Exception):
    """What was asked for cannot be done; the message says what can."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody at the machine's shell."""

    settings: Settings
    rings: Rings
    database: Database

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncGenerator[AsyncSession]:
        """A transaction over every organization; committed at the end."""
        async with self.database.writing(EVERY_ORG) as session:
            session.info["now_ms"] = now_ms()
            yield session

    async def audited(self, session: AsyncSession, action: str, subject: str, org_id: str | None = None) -> None:
        """Writes an action into an organization's log, or into each one's if it is to the whole installation."""
        query = select(Organization.id).order_by(Organization.id)
        if org_id is not None:
            query = query.where(Organization.id == org_id)
        for org_id in (await session.execute(query)).scalars().all():
            principal = Principal("system", "operator", "operator", org_id, "owner")
            await record(Work(session, principal, now_ms(), self.rings.secrets, self.settings), action, subject)


def run(name: str, action: Callable[[Operator], Coroutine[Any, Any, int]]) -> int:
    """The exit code of an action over the database that the environment names."""
    try:
        return asyncio.run(_with_operator(load_settings(os.environ), action))
    except (SettingsError, KeyringError, Refused) as fault:
        return told(name, fault)
    except DBAPIError as fault:
        return told(name, f"the database cannot be used: {fault.orig}{_MAKE if _lacks_tables(fault) else ''}")
    except OSError as fault:
        what = fault.filename or "the database (LENSAI_CONTROL_DATABASE_URL)"
        return told(name, f"cannot reach {what}: {fault.strerror or fault}")


def _lacks_tables(fault: DBAPIError) -> bool:
    """Whether nobody has made them. 42P01: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
    return getattr(fault.orig, "sqlstate", "") == "42P01" or "no such table" in str(fault.orig)


def told(name: str, fault: object) -> int:
    print(f"lensai {name}: {fault}", file=sys.stderr)
    return CANNOT_START


async def _with_operator(settings: Settings, action: Callable[[Operator], Coroutine[Any, Any, int]]) -> int:
    database = Database(settings.database)
    try:
        return await action(Operator(settings, load_rings(settings), database))
    finally:
        await database.close()
