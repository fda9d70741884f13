"""What names of models on providers' bills mean."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "model_mappings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("billed", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_model_mappings_org_id_organizations"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_mappings")),
        sa.UniqueConstraint("org_id", "provider", "billed", name=op.f("uq_model_mappings_org_id")),
    )
    with op.batch_alter_table("model_mappings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_model_mappings_org_id"), ["org_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("model_mappings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_model_mappings_org_id"))

    op.drop_table("model_mappings")
