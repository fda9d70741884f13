"""Which keys were rotated into a key: limits that name one of them are of it too."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # In place: a table that SQLite copies has its indexes in another order, and questions take the wrong one.
    op.add_column("api_keys", sa.Column("replaces", sa.JSON(), nullable=False, server_default="[]"))
    keys = sa.table("api_keys", sa.column("id"), sa.column("replaced_by"), sa.column("replaces", sa.JSON()))
    rows = op.get_bind().execute(sa.select(keys.c.replaced_by, keys.c.id).where(keys.c.replaced_by.is_not(None)))
    before: dict[str, str] = dict(rows.all())
    for new in before:
        op.execute(keys.update().where(keys.c.id == new).values(replaces=_line(before, new)))


def _line(before: Mapping[str, str], id: str) -> list[str]:
    """The keys that were rotated into it, the first one first."""
    line: list[str] = []
    while id in before and before[id] not in line:
        id = before[id]
        line.insert(0, id)
    return line


def downgrade() -> None:
    op.drop_column("api_keys", "replaces")
