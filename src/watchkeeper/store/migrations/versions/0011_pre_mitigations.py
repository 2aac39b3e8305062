"""Runs of mitigations."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "mitigation_run",
        sa.Column("id", _ID, nullable=False),
        sa.Column("incident_id", _ID, nullable=False),
        sa.Column("mitigation", sa.String(300), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("open_key", sa.String(320)),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("requested_at", sa.Double, nullable=False),
        sa.Column("timeout", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.Double),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(1000), nullable=False),
        sa.Column("check_at", sa.Double),
        sa.Column("helped", sa.String(20)),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mitigation_run"),
        sa.UniqueConstraint("open_key", name="uq_mitigation_run_open_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mitigation_run_incident", "mitigation_run", ["incident_id", "id"])
    op.create_index("ix_mitigation_run_mitigation", "mitigation_run", ["mitigation", "id"])
    op.create_index("ix_mitigation_run_state", "mitigation_run", ["state"])
    op.create_index("ix_mitigation_run_check", "mitigation_run", ["check_at"])
