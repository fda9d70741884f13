"""Which keys were rotated into a key: limits that name one of them are of it too."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("replaces", sa.JSON(), nullable=False, server_default="[]"))
    keys = sa.table("api_keys", sa.column("id"), sa.column("replaced_by"), sa.column("replaces", sa.JSON()))
    rows = op.get_bind().execute(sa.select(keys.c.replaced_by, keys.c.id).where(keys.c.replaced_by.is_not(None)))
    before: dict[str, str] = dict(rows.all())
    for new in before:
        op.execute(keys.update().where(keys.c.id == new).values(replaces=_line(before, new)))
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.alter_column("replaces", server_default=None)


def _line(before: Mapping[str, str], id: str) -> list[str]:
    """The keys that were rotated into it, the first one first."""
    line: list[str] = []
    while id in before and before[id] not in line:
        id = before[id]
        line.insert(0, id)
    return line


def downgrade() -> None:
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_column("replaces")
