"""Changes to systems, of which services, and what was told of each."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "change",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(700), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("intent", sa.String(20), nullable=False),
        sa.Column("services", sa.Text, nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("summary", sa.String(1000), nullable=False),
        sa.Column("version", sa.String(200), nullable=False),
        sa.Column("previous_version", sa.String(200), nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("links", sa.Text, nullable=False),
        sa.Column("source", sa.String(500), nullable=False),
        sa.Column("reported_by", sa.String(200), nullable=False),
        sa.Column("reported_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_change"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_change_key", "change", ["key"], unique=True)
    op.create_index("ix_change_started", "change", ["started_at", "id"])
    op.create_index("ix_change_kind", "change", ["kind", "started_at", "id"])
    op.create_table(
        "change_service",
        sa.Column("service", sa.String(300), nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("change_id", _ID, autoincrement=False, nullable=False),
        sa.Column("over_at", sa.Double, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("service", "started_at", "change_id", name="pk_change_service"),
    )
    op.create_index("ix_change_service_change", "change_service", ["change_id"])
    op.create_table(
        "change_report",
        sa.Column("change_id", _ID, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(40), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("written_at", sa.Double, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("change_id", "digest", name="pk_change_report"),
    )
