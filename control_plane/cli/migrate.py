"""Owns `lensai control-plane migrate`."""

from alembic.util import CommandError

from control_plane.cli.operator import Operator, Refused
from control_plane.db.migrate import downgrade, revision, upgrade


async def migrate(operator: Operator, down: str | None) -> int:
    """Raises Refused for a revision that is not there."""
    try:
        await (upgrade(operator.database) if down is None else downgrade(operator.database, down))
    except CommandError as fault:
        raise Refused(str(fault)) from None
    print(f"The database is at revision {await revision(operator.database) or 'base'}.")
    return 0
